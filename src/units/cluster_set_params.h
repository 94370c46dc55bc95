// OP_CLUSTER_SET_PARAMS: changes the settings of the cluster.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterSetParams {
  using Op = opcodes::ClusterSetParams;
  struct Facts {};
  struct Plan {
    model::Settings settings;
    std::optional<rpc::MasterAddress> address_before;
    std::optional<rpc::MasterAddress> address_after;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
