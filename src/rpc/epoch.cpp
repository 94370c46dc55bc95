#include "rpc/epoch.h"

#include <algorithm>

#include "base/seeded_fault.h"

namespace flotte::rpc {

Result<void> check_leader_epoch(std::int64_t claimed, std::int64_t highest_seen) {
  if (claimed >= highest_seen || has_fault(SeededFault::EpochNotChecked)) return {};
  return fail_as(ErrorClass::Exec, ErrorCode::WrongState,
                 "The call comes from a deposed leader: its epoch is {}, this node has seen {}",
                 claimed, highest_seen);
}

std::string instance_of(json::object const& arguments) {
  auto const* instance = arguments.if_contains("instance");
  if (instance && instance->is_object()) instance = instance->get_object().if_contains("name");
  if (!instance || !instance->is_string()) return {};
  return std::string(std::string_view(instance->get_string()));
}

Result<void> LatestCalls::take(std::string const& instance, CallContext const& context) {
  if (context.serial == 0 || instance.empty()) return {};
  Sent const sent{context.leader_epoch, context.serial};
  auto& latest = latest_[instance];
  if (sent < latest && !has_fault(SeededFault::EpochNotChecked)) {
    return fail_as(ErrorClass::Exec, ErrorCode::WrongState,
                   "The call comes too late: this node has already taken a later call about "
                   "instance {}",
                   instance);
  }
  latest = sent;
  if (latest_.size() > instances_max) {
    latest_.erase(
        std::ranges::min_element(latest_, {}, [](auto const& entry) { return entry.second; }));
  }
  return {};
}

}  // namespace flotte::rpc
