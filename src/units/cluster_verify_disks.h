// OP_CLUSTER_VERIFY_DISKS: submits a job for each node group.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterVerifyDisks {
  using Op = opcodes::ClusterVerifyDisks;
  struct Facts {};
  struct Plan {
    std::vector<json::array> jobs;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
