// The machinery of the machine that the daemon runs on. Used by the daemon's main and by tests.
#pragma once

#include "base/clock.h"
#include "base/paths.h"
#include "node/daemon/machinery.h"
#include "sys/process.h"

namespace flotte::node {

// Ends the scripts that a killed daemon left running: their step will be repeated, and a disk has
// one writer. Before the daemon takes calls.
Result<void> end_leftovers(Paths const& paths);

// The arguments must outlive the daemon.
Machinery machine_machinery(Paths const& paths, Clock& clock, sys::Processes& processes);

}  // namespace flotte::node
