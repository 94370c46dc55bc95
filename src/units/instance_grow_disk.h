// OP_INSTANCE_GROW_DISK: makes a disk larger; a running guest sees it at once.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceGrowDisk {
  using Op = opcodes::InstanceGrowDisk;
  struct Facts {
    std::optional<rpc::RunningInstance> running;
    std::optional<rpc::NodeFacts> node;
  };
  struct Plan {
    InstanceId instance;
    std::string name;
    model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
    NodeId node;
    rpc::DiskSpec disk;
    MiB amount;
    MiB size;
    bool is_running = false;
    bool wait_for_sync = true;
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
