// Passwords: their slow hashes (Argon2id, RFC 9106), for who asks over HTTP. Pure but for the
// randomness that is passed in; use from any thread.
//
// Its own file without OpenSSL: the commands make hashes, too.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"

namespace flotte::net {

// "$argon2id$v=19$m=…,t=…,p=…$salt$hash". Takes 19 MiB and a blink of an eye, as is_password_of()
// does.
std::string hash_of_password(std::string_view password, Random& random);

// Whether it is such a text, and one that can be tried without ruining the machine.
bool is_hash_of_password(std::string const& hash);
// False also for what is no such text.
bool is_password_of(std::string const& hash, std::string_view password);

}  // namespace flotte::net
