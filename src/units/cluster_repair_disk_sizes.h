// OP_CLUSTER_REPAIR_DISK_SIZES: records the sizes that disks really have.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterRepairDiskSizes {
  using Op = opcodes::ClusterRepairDiskSizes;
  struct Correction {
    InstanceId instance;
    DiskId disk;
    std::string name;  // of the instance
    std::int64_t index = 0;
    MiB recorded;
    MiB actual;

    static schema::Fields fields();
  };
  struct Plan {
    std::vector<Correction> corrections;
    std::vector<std::string> warnings;

    static schema::Fields fields();
  };
  using Facts = Plan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
