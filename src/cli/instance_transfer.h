// gnt-instance failover, migrate, move and replace-disks: listed with their options. What the disks
// of an instance don't allow is refused in Ganeti's words; what they do is not built yet.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

Command failover_command();
Command migrate_command();
Command move_command();
Command replace_disks_command();

}  // namespace flotte::cli
