// What one cluster says to another through somebody else is signed with the secret that both have,
// their cluster domain secret (docs/ganeti.md, "Moves between clusters").
//
// Pure but for `random`; thread-safe. The secret is the one line of its file.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace flotte::net {

struct DomainSignature {
  std::string hmac;  // HMAC-SHA1 of the salt and the text, lower-case hex
  std::string salt;
};

DomainSignature sign_for_domain(std::string_view secret, std::string_view text, Random& random);
bool is_signed_for_domain(std::string_view secret, std::string_view text,
                          DomainSignature const& signature);

// A certificate behind a line with its signature.
Result<std::string> sign_certificate(std::string_view secret, std::string_view pem, Random& random);
// The certificate in such a text, as PEM. WrongInput: it is none, was signed with another secret,
// or is not valid at `now`.
Result<std::string> read_signed_certificate(std::string_view secret, std::string_view text,
                                            WallTime now);

}  // namespace flotte::net
