#include "placement/placement.h"

#include <algorithm>
#include <tuple>

namespace flotte::placement {
namespace {

enum class Policy { Preferred, LastResort, Unallocable };

Policy policy_of(model::Cluster const& cluster, model::Node const& node) {
  auto const group = cluster.group_of(node.uuid);
  auto const name = group ? group->alloc_policy : "preferred";
  if (name == "unallocable") return Policy::Unallocable;
  return name == "preferred" ? Policy::Preferred : Policy::LastResort;
}

// All have one.
Error hindrance_of_all(std::vector<Candidate> const& candidates) {
  auto all = *candidates.front().hindrance;
  if (candidates.size() == 1) return all;
  auto is_one_reason = true;
  std::vector<std::string> reasons;
  for (auto const& [node, memory, hindrance] : candidates) {
    is_one_reason = is_one_reason && hindrance->message == all.message;
    if (hindrance->code != all.code) all.code = ErrorCode::InsufficientResources;
    if (hindrance->error_class == ErrorClass::Unreachable) all.error_class = hindrance->error_class;
    reasons.push_back(fmt::format("{}: {}", node->name, hindrance->message));
  }
  if (!is_one_reason)
    all.message = fmt::format("No node can take it: {}", fmt::join(reasons, "; "));
  return all;
}

}  // namespace

Result<model::NodePtr> choose(model::Cluster const& cluster, std::vector<Candidate> candidates) {
  std::erase_if(candidates, [&](Candidate const& candidate) {
    return policy_of(cluster, *candidate.node) == Policy::Unallocable;
  });
  if (candidates.empty()) {
    return fail(ErrorCode::InsufficientResources,
                "No node can take instances: all are offline, drained, not vm_capable or in a "
                "group that is unallocable");
  }
  std::ranges::sort(candidates, [&](Candidate const& left, Candidate const& right) {
    auto const merit = [&](Candidate const& one) {
      return std::tuple(one.hindrance.has_value(), policy_of(cluster, *one.node),
                        -one.memory_free.value, std::string_view(one.node->name));
    };
    return merit(left) < merit(right);
  });
  if (candidates.front().hindrance) return Failure(hindrance_of_all(candidates));
  return candidates.front().node;
}

}  // namespace flotte::placement
