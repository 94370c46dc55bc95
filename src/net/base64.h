// Base64 (RFC 4648, section 4). Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flotte::net {

// In one line, with its padding.
std::string to_base64(std::string_view bytes);
// With its padding, nothing else around; nothing: it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace flotte::net
