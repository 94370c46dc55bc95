// Files such as those in /etc/default. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace flotte::sys {

// The lines of a file such as those in /etc/default: KEY=value, with or without quotes. Empty
// where the key doesn't occur; the last one counts.
std::string value_in_defaults(std::string_view contents, std::string_view key);

}  // namespace flotte::sys
