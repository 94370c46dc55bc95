// Sessions that a killed daemon left running. A program whose Command names a session record writes
// its own identity there before it starts, so that the next daemon can end it: two scripts must not
// write to one disk. Thread-safe.
#pragma once

#include <string>

#include "base/result.h"

namespace flotte::sys {

// Ends every process of the sessions recorded in a directory and removes the records. A process
// number that means another process by now is left alone (proc(5): the start time tells).
Result<void> end_recorded_sessions(std::string const& directory);

// For the child between fork and exec: only async-signal-safe calls.
void record_own_session(char const* path);

}  // namespace flotte::sys
