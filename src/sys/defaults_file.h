// Files such as those in /etc/default. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte::sys {

// The lines of a file such as those in /etc/default: KEY=value, with or without quotes. Empty
// where the key doesn't occur; the last one counts.
std::string value_in_defaults(std::string_view contents, std::string_view key);

// The same, and told from one that isn't there: nothing. WrongInput: a line that a shell would
// understand and this does not, so that nobody's wish is passed over in silence.
Result<std::optional<std::string>> setting_in(std::string_view contents, std::string_view key);

}  // namespace flotte::sys
