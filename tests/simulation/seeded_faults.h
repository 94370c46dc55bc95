// Which fault is switched on in the product: for one at a time, from any thread.
#pragma once

#include <atomic>

#include "base/seeded_fault.h"

namespace flotte {

extern std::atomic<SeededFault> seeded_fault;

}  // namespace flotte
