// OP_INSTANCE_DEACTIVATE_DISKS: takes the disks of an instance that is down from its node.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceDeactivateDisks {
  using Op = opcodes::InstanceDeactivateDisks;
  struct Facts {
    bool is_running = false;
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
