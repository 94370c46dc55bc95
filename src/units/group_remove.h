// OP_GROUP_REMOVE: removes a node group that has no nodes.
#pragma once

#include "jobs/unit.h"
#include "opcodes/group.h"

namespace flotte::units {

namespace json = boost::json;

struct GroupRemove {
  using Op = opcodes::GroupRemove;
  struct Facts {};
  struct Plan {
    GroupId group;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
