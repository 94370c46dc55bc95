// SeededFault: faults that a test build can switch on in the product, so that the simulation can
// prove that it would find them (`./simulate --prove`). In other builds they cost nothing and can't
// be had.
#pragma once

#include <atomic>

namespace flotte {

enum class SeededFault {
  None,
  UndoNotJournaled,
  EpochNotChecked,
  LockReleasedEarly,
  CommitNotCompared,
  ReplyTakenForFailure,
  WishAfterDeed,
  WishNotLookedAtAgain,
};

#ifdef FLOTTE_SEEDED_FAULTS
inline std::atomic<SeededFault> seeded_fault = SeededFault::None;
inline bool has_fault(SeededFault fault) {
  return seeded_fault.load(std::memory_order_relaxed) == fault;
}
#else
constexpr bool has_fault(SeededFault) {
  return false;
}
#endif

}  // namespace flotte
