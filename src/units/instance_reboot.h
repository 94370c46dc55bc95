// OP_INSTANCE_REBOOT: soft: reset by the hypervisor; hard and full: stop and start with the present
// configuration.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceReboot {
  using Op = opcodes::InstanceReboot;
  struct Facts {
    std::optional<rpc::RunningInstance> running;
    std::optional<rpc::NodeFacts> node;
    std::optional<std::string> unknown;  // why nobody can tell whether it starts
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;
    bool is_running = false;
    bool is_soft = false;
    std::int64_t timeout_s = 0;
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
