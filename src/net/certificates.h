// Certificates and secrets of a cluster, as PEM text; the caller writes the files.
//
// Used by cluster init, node add and the daemons. Pure but for OpenSSL's randomness; thread-safe.
// docs/ganeti.md, "Daemons and files".
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace flotte::net {

struct CertifiedKey {
  std::string certificate_pem;
  std::string key_pem;  // PKCS#8, not encrypted: a secret

  // What the options certificate_file of Server and Client take.
  std::string pem() const { return key_pem + certificate_pem; }
};

using Days = std::chrono::duration<int, std::ratio<86400>>;
constexpr Days authority_validity{3653};
constexpr Days certificate_validity{3653};

struct Subject {
  std::string common_name;
  // Host names or addresses beside the common name, which is always among the names.
  std::vector<std::string> names = {};
};

// The cluster's authority: EC P-256, self-signed, may sign end certificates only. Certificates are
// valid from a day before `now`, because the clocks of nodes differ.
Result<CertifiedKey> make_authority(std::string const& common_name, WallTime now,
                                    Days validity = authority_validity);

// A new EC P-256 key with a certificate for servers and clients both.
Result<CertifiedKey> issue_certificate(CertifiedKey const& authority, Subject const& subject,
                                       WallTime now, Days validity = certificate_validity);

// RSA-2048/SHA-256 as Ganeti's rapi.pem and server.pem, which its tools expect.
Result<CertifiedKey> make_self_signed_rsa(Subject const& subject, WallTime now, Days validity);

struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> names;  // DNS and IP names
  std::string sha1;                // lower-case hex of the DER form
  std::string sha256;
  WallTime not_before;
  WallTime not_after;
};

// The first certificate in the text, as OpenSSL writes it.
Result<std::string> normalized_certificate(std::string_view pem);

// Of the first certificate in the text.
Result<CertificateFacts> inspect_certificate(std::string_view pem);

// Whether a server could show what is in the text: a certificate first, valid at `now`, and its
// private key, without a passphrase. What is wrong is named, without what stands in it.
Result<void> check_server_certificate(std::string_view pem, WallTime now);

// Hex. 20 bytes is what Ganeti's cluster-domain-secret and hmac.key have.
std::string random_secret(Random& random, std::size_t bytes = 20);

}  // namespace flotte::net
