#include "seeded_faults.h"

namespace flotte {

std::atomic<SeededFault> seeded_fault = SeededFault::None;

bool has_fault(SeededFault fault) {
  return seeded_fault.load(std::memory_order_relaxed) == fault;
}

}  // namespace flotte
