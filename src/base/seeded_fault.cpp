#include "base/seeded_fault.h"

namespace flotte {

// Weak: a program that is linked with the switch (tests/simulation/seeded_faults.cpp) asks that.
[[gnu::weak]] bool has_fault(SeededFault) {
  return false;
}

}  // namespace flotte
