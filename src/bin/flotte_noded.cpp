// flotte-noded: the node daemon's process. Options: --root DIR, --foreground.
#include <cstdlib>

#include "base/daemon.h"
#include "net/client.h"
#include "node/daemon/machine.h"
#include "node/daemon/node_daemon.h"

int main(int argc, char** argv) {
  auto const options = flotte::DaemonOptions::parse("flotte-noded", argc, argv);
  if (!options) return options.error();
  auto begun = flotte::daemon_begin(*options);
  if (begun) begun = flotte::node::end_leftovers(options->paths);
  if (!begun) return flotte::daemon_failed(*options, begun.error());
  flotte::SystemClock clock;
  flotte::SystemRandom random;
  flotte::sys::SystemProcesses processes;
  auto const daemon = flotte::node::NodeDaemon::create(
      options->paths, flotte::node::machine_machinery(options->paths, clock, processes), clock,
      random);
  if (!daemon) return flotte::daemon_failed(*options, daemon.error());
  flotte::daemon_serve(*options, [&] {
    return flotte::net::answers(options->paths.node_socket(), std::chrono::seconds(5));
  });
  // What can't be ended in time is repeated by the controller at the next start.
  if (!(*daemon)->stop_within(std::chrono::seconds(1))) std::_Exit(0);
  return 0;
}
