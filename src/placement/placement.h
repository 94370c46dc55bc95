// Where a new instance goes, when nobody says. Pure; any thread.
#pragma once

#include <optional>
#include <vector>

#include "model/cluster.h"

namespace flotte::placement {

struct Candidate {
  model::NodePtr node;
  MiB memory_free;
  // Why it can't have the instance; none: it can.
  std::optional<Error> hindrance;
};

// Of those that can have it the one with the most free memory, in a group whose allocation policy
// is "preferred" before one of a "last_resort"; of equals the first by name. Nodes of groups that
// are "unallocable" get nothing (gnt-group(8)).
//
// The hindrance of the only node there is; with several the reasons of all, as
// InsufficientResources where they have not the same code. Unreachable where a node could not be
// asked: it may be able to.
Result<model::NodePtr> choose(model::Cluster const& cluster, std::vector<Candidate> candidates);

}  // namespace flotte::placement
