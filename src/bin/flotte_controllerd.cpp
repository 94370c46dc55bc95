// flotte-controllerd: the controller's process. Options: --root DIR, --foreground.
#include "base/daemon.h"
#include "controller/controller.h"

int main(int argc, char** argv) {
  auto const options = flotte::DaemonOptions::parse("flotte-controllerd", argc, argv);
  if (!options) return options.error();
  auto const begun = flotte::daemon_begin(*options);
  if (!begun) return flotte::daemon_failed(*options, begun.error());
  flotte::SystemClock clock;
  flotte::SystemRandom random;
  auto const controller = flotte::controller::Controller::create(options->paths, clock, random);
  if (!controller) return flotte::daemon_failed(*options, controller.error());
  flotte::daemon_serve(*options, [&] { return (*controller)->is_alive(); });
  return 0;
}
