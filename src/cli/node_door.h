// Root's own door to the node daemon of this machine: what no controller may ask of it. Main thread
// only.
#pragma once

#include "cli/session.h"

namespace flotte::cli {

Outcome<json::value> call_node(Paths const& paths, std::string const& name,
                               json::object const& arguments);

}  // namespace flotte::cli
