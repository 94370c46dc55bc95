// OP_CLUSTER_RENAME: gives the cluster another name, and the address that belongs to it.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterRename {
  using Op = opcodes::ClusterRename;
  struct Facts {
    std::optional<rpc::ResolvedName> resolved;  // none: the cluster has no address
  };
  struct Plan {
    NodeId master;
    std::string name;
    std::string ip;
    std::optional<rpc::MasterAddress> address_before;  // none: the address stays
    std::optional<rpc::MasterAddress> address_after;

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
