// The serial console of a guest on this terminal: `gnt-instance console`.
//
// What the guest says is read from the record that QEMU keeps (Paths::console_log), so that each of
// several viewers sees all of it, and what was said before; what is typed goes to QEMU's socket,
// which takes one connection. No daemon takes part. Main thread only.
#pragma once

#include <string>
#include <string_view>

#include "base/paths.h"
#include "cli/session.h"

namespace flotte::cli {

enum class Keyboard { IfFree, Take, Never };

// Ends when somebody leaves with Ctrl-], when the guest ends, or by a signal; the terminal is as it
// was before. The exit code.
Outcome<int> serial_console(Paths const& paths, std::string const& instance, Keyboard keyboard);

// --- The pure parts

// The end of what was said, from the beginning of a line on.
std::string_view last_lines(std::string_view said, std::size_t lines_max);

// What was typed before Ctrl-].
struct Typed {
  std::string_view text;
  bool leaves = false;
};
Typed typed(std::string_view bytes);

// Whether QEMU's `info chardev` knows of a connection to the serial line.
bool is_serial_taken(std::string_view chardevs);
// Whether its `info status` says that the guest waits for somebody to let it go.
bool is_paused(std::string_view status);

}  // namespace flotte::cli
