// OP_INSTANCE_ACTIVATE_DISKS: makes the disks of an instance usable on its node, without starting
// it.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceActivateDisks {
  using Op = opcodes::InstanceActivateDisks;
  struct Facts {};
  struct Plan {
    InstanceId instance;
    NodeId node;
    std::string node_name;
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
