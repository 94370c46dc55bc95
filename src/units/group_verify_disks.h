// OP_GROUP_VERIFY_DISKS: which instances of a group have disks that should be active and are not,
// or are gone. Changes nothing: who asked activates them.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct GroupVerifyDisks {
  using Op = opcodes::GroupVerifyDisks;
  struct Plan {
    json::array answer;  // as Ganeti's: {node: error}, [instance], {instance: [[node, disk]]}

    static schema::Fields fields();
  };
  using Facts = Plan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
