// OP_INSTANCE_REINSTALL: runs the OS scripts of a stopped instance again.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceReinstall {
  using Op = opcodes::InstanceReinstall;
  struct Facts {
    std::optional<rpc::RunningInstance> running;
    rpc::OsList operating_systems;
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;
    std::optional<std::string> new_os;
    json::object new_osparams;
    json::object new_osparams_private;
    bool force_variant = false;
    std::int64_t debug_level = 0;

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
