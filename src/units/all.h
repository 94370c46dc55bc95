// The units of all opcodes that exist. One line an opcode.
#pragma once

#include "jobs/unit.h"

namespace flotte::units {

void add_all(jobs::UnitTable& table);

}  // namespace flotte::units
