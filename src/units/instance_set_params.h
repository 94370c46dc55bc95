// OP_INSTANCE_SET_PARAMS: changes parameters of an instance.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"
#include "rpc/node_calls.h"
#include "units/devices.h"
#include "units/disk_conversion.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceSetParams {
  using Op = opcodes::InstanceSetParams;
  // Asked only where its node has to do with the change.
  struct Facts {
    std::int64_t seed = 0;
    std::optional<rpc::RunningInstance> running;
    std::optional<rpc::NodeFacts> node;
    std::optional<rpc::OsList> operating_systems;
    DiskStates disks;      // where they become others
    DrawnAddresses drawn;  // addresses of networks, for its NICs
    std::vector<std::string> warnings;
  };
  // A disk that was nobody's.
  struct Attachment {
    model::DetachedDisk from;
    rpc::DiskSpec to;

    static schema::Fields fields();
  };
  // What its disks and NICs become.
  struct DevicePlan {
    rpc::InstanceSpec before;
    rpc::InstanceSpec after;
    std::vector<rpc::DiskSpec> created;
    std::vector<rpc::DiskSpec> removed;
    std::vector<rpc::DiskSpec> detached;
    std::vector<Attachment> attached;
    bool wipes = false;
    bool deactivates = false;   // the detached ones are in use
    bool plugs = false;         // the running guest is changed, too
    bool may_not_plug = false;  // and if that can't be, it is at its next start
    // What they become, with what is on them: the n-th removed disk is copied to the n-th created.
    std::optional<model::DiskTemplate> conversion;

    static schema::Fields fields();
  };
  // What a running guest may use.
  struct MemoryPlan {
    MiB before;
    MiB after;

    static schema::Fields fields();
  };
  struct Plan {
    InstanceId instance;
    std::string name;
    NodeId node;
    model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
    json::object beparams;
    json::object hvparams;
    json::object osparams;
    json::object osparams_private;
    std::optional<std::string> os_name;
    std::optional<bool> offline;
    std::optional<DevicePlan> devices;
    std::optional<MemoryPlan> memory;
    json::array changes;
    std::vector<std::string> warnings;
    std::vector<std::string> notes;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static std::vector<std::string> claims(Plan const& plan);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
