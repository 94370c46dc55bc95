// SeededFault: faults that the simulation can switch on in the product, to prove that it would find
// them (`./simulate --prove`). What is installed is linked without the switch: has_fault() is
// always false there. The switch is in tests/simulation/seeded_faults.cpp.
#pragma once

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
  JobTakenUnmarked,
};

bool has_fault(SeededFault fault);

}  // namespace flotte
