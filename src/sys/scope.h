// Scopes: a program that outlives the unit of the daemon that starts it (systemd.scope(5)).
// Thread-safe.
#pragma once

#include <string>
#include <vector>

namespace flotte::sys {

// The command line that runs `argv` in a scope `unit`.scope of its own, where systemd is process 1;
// elsewhere `argv` itself.
std::vector<std::string> in_own_scope(std::string_view unit, std::string_view description,
                                      std::vector<std::string> const& argv);

}  // namespace flotte::sys
