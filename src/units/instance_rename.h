// OP_INSTANCE_RENAME: an instance and its disks get another name; the OS definition is told.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceRename {
  using Op = opcodes::InstanceRename;
  struct Facts {
    std::optional<rpc::RunningInstance> running;  // also one that its guest switched off
    rpc::BlockdevFound disks;
    std::optional<rpc::ResolvedName> resolved;
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec before;
    rpc::InstanceSpec after;
    bool was_switched_off = false;
    bool runs_script = false;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  // Of the name as it was looked up: that may be another than was typed.
  static jobs::LockSet plan_locks(Plan const& plan);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
