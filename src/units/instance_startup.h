// OP_INSTANCE_STARTUP: boots a stopped instance on its primary node.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceStartup {
  using Op = opcodes::InstanceStartup;
  struct Facts {
    std::optional<rpc::NodeFacts> node;  // none: the node is offline
    std::optional<rpc::RunningInstance> running;
    std::optional<std::string> unknown;  // why nobody can tell whether it starts
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;
    bool is_running = false;  // nothing to start
    bool is_node_offline = false;
    bool is_unwished = false;  // nor to record
    bool remember = true;
    bool startup_paused = false;
    std::optional<std::string> warning;

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
