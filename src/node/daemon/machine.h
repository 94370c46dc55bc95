// The machinery of the machine that the daemon runs on. Used by the daemon's main.
#pragma once

#include "base/paths.h"
#include "node/daemon/machinery.h"

namespace flotte::node {

Machinery machine_machinery(Paths const& paths);

}  // namespace flotte::node
