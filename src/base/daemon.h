// What the mains of both daemons share: options, signals, the pid file, telling systemd. Main
// thread only.
#pragma once

#include <ctime>
#include <functional>
#include <string>
#include <tl/expected.hpp>

#include "base/paths.h"
#include "base/result.h"

namespace flotte {

struct DaemonOptions {
  std::string name;  // "flotte-noded"
  Paths paths;
  bool logs_to_stderr = false;
  std::string user;  // become this one; empty: stay who started it

  // --root DIR, --user NAME, -f/--foreground, --version, --help. Prints what is to be printed; the
  // error is an exit code.
  static tl::expected<DaemonOptions, int> parse(std::string name, int argc, char** argv);
  std::string log_file() const { return paths.logs() + "/" + name + ".log"; }
  std::string pid_file() const { return paths.daemon_pid_file(name); }
};

// Before any thread starts: blocks the signals that end the daemon, gives up root's rights where
// another user is asked for, opens the log, and locks the
// pid file, so that there is one daemon of a kind below one root.
Result<void> daemon_begin(DaemonOptions const& options);
// Says why it can't start, on standard error and in the log; the exit code.
int daemon_failed(DaemonOptions const& options, Error const& error);
// Writes the pid file, tells systemd that it is ready (sd_notify(3) protocol), and waits for
// SIGTERM or SIGINT. SIGHUP opens the log anew. While `is_alive` says so, systemd's watchdog is
// told that the daemon works (sd_watchdog_enabled(3)).
void daemon_serve(DaemonOptions const& options, std::function<bool()> const& is_alive);
// How often that is: several times within the limit that systemd names in WATCHDOG_USEC; hardly
// ever where it names none.
timespec ping_interval();

}  // namespace flotte
