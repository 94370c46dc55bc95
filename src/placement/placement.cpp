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

std::string reasons_of(std::vector<Candidate> const& candidates) {
  std::vector<std::string> reasons;
  for (auto const& candidate : candidates) {
    reasons.push_back(
        fmt::format("{}: {}", candidate.node->name, candidate.hindrance.value_or(Error{}).message));
  }
  return fmt::format("{}", fmt::join(reasons, "; "));
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
  auto const& best = candidates.front();
  if (!best.hindrance) return best.node;
  if (candidates.size() == 1) return Failure(*best.hindrance);
  return fail(ErrorCode::InsufficientResources, "No node can take it: {}", reasons_of(candidates));
}

}  // namespace flotte::placement
