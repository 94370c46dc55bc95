#include "sys/scope.h"

#include <fmt/format.h>

#include "sys/files.h"

namespace flotte::sys {

// systemd-run becomes the program itself, so that it is never in the daemon's unit, not for an
// instant.
std::vector<std::string> in_own_scope(std::string_view unit, std::string_view description,
                                      std::vector<std::string> const& argv) {
  // sd_booted(3)
  if (!exists("/run/systemd/system")) return argv;
  std::vector<std::string> scoped{"systemd-run",
                                  "--scope",
                                  "--quiet",
                                  "--collect",
                                  "--slice=machine.slice",
                                  fmt::format("--unit={}.scope", unit),
                                  fmt::format("--description={}", description),
                                  "--"};
  scoped.insert(scoped.end(), argv.begin(), argv.end());
  return scoped;
}

}  // namespace flotte::sys
