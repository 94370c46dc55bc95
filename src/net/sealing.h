// Sealing: a text that nobody reads or changes without its key (AES-256-GCM). Pure; use from any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace flotte::net {

// 32 bytes.
std::string sealing_key(Random& random);
// A key seals one text.
std::string sealed(std::string_view text, std::string_view key);
Result<std::string> unsealed(std::string_view sealed, std::string_view key);

}  // namespace flotte::net
