// OP_INSTANCE_RECREATE_DISKS: disks that are gone are made anew, empty.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceRecreateDisks {
  using Op = opcodes::InstanceRecreateDisks;
  struct Facts {
    bool is_running = false;
    std::vector<std::string> there;  // what is in the place of each disk; empty: nothing
    std::optional<rpc::NodeFacts> node;
  };
  struct Plan {
    InstanceId instance;
    std::string name;
    NodeId node;
    std::vector<rpc::DiskSpec> disks;
    bool changes = false;  // their size, mode or spindles, too
    bool wipes = false;

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
