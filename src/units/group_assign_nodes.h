// OP_GROUP_ASSIGN_NODES: puts nodes into a group.
#pragma once

#include "jobs/unit.h"
#include "opcodes/group.h"

namespace flotte::units {

namespace json = boost::json;

struct GroupAssignNodes {
  using Op = opcodes::GroupAssignNodes;
  struct Facts {};
  struct Plan {
    GroupId group;
    std::vector<NodeId> nodes;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
