// `gnt-cluster epo`: stops the instances of nodes, or of all of them, before the power goes, and
// starts them again afterwards. What is wished of them is not changed.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

Command emergency_power_off_command();

}  // namespace flotte::cli
