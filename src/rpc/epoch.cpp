#include "rpc/epoch.h"

namespace flotte::rpc {

Result<void> check_leader_epoch(std::int64_t claimed, std::int64_t highest_seen) {
  if (claimed >= highest_seen) return {};
  return fail_as(ErrorClass::Exec, ErrorCode::WrongState,
                 "The call comes from a deposed leader: its epoch is {}, this node has seen {}",
                 claimed, highest_seen);
}

}  // namespace flotte::rpc
