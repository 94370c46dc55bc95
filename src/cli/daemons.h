// Starting and ending the two daemons where no service manager does. Main thread.
#pragma once

#include "cli/session.h"

namespace flotte::cli {

// Starts what does not run and waits until both answer on their sockets.
Outcome<void> start_daemons(Paths const& paths);
Outcome<void> stop_daemons(Paths const& paths);
// A line a daemon; 0 when both run.
int daemons_status(Paths const& paths);

}  // namespace flotte::cli
