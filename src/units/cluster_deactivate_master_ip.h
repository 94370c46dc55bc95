// OP_CLUSTER_DEACTIVATE_MASTER_IP: the cluster's address is taken off the master.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterDeactivateMasterIp {
  using Op = opcodes::ClusterDeactivateMasterIp;
  struct Facts {};
  struct Plan {
    NodeId node;
    rpc::MasterAddress address;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
