// OP_INSTANCE_REMOVE: stops an instance, removes its disks and forgets it.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceRemove {
  using Op = opcodes::InstanceRemove;
  struct Facts {};
  struct Plan {
    InstanceId instance;
    std::string name;
    NodeId node;
    rpc::InstanceSpec spec;
    bool is_node_offline = false;
    bool ignore_failures = false;
    std::int64_t timeout_s = 0;

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
