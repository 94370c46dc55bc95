// flotte: the command family in one binary; gnt-* are links to it.
#include "cli/command.h"

int main(int argc, char** argv) {
  return flotte::cli::run_command_line(argc, argv);
}
