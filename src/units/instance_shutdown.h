// OP_INSTANCE_SHUTDOWN: stops an instance: ACPI first, the plug after the timeout.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceShutdown {
  using Op = opcodes::InstanceShutdown;
  struct Facts {
    bool is_node_offline = false;
    bool is_running = true;  // looked at only when it is said to have switched itself off
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;
    bool is_node_offline = false;
    bool is_outdated = false;
    bool is_forced = false;
    bool remember = true;
    model::AdminStateSource source = model::AdminStateSource::Admin;
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
