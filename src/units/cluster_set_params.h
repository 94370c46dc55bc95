// OP_CLUSTER_SET_PARAMS: changes the settings of the cluster.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterSetParams {
  using Op = opcodes::ClusterSetParams;
  struct Facts {
    struct NodeState {
      std::string node;
      std::vector<std::string> volume_groups;
      std::vector<std::string> storage_faults;       // of the new directories
      std::optional<rpc::OsList> operating_systems;  // where their parameters change
    };
    std::vector<NodeState> nodes;  // where something depends on them
    std::vector<std::string> warnings;
  };
  struct Plan {
    model::Settings settings;
    std::vector<std::string> notes;
    std::vector<std::string> warnings;
    std::optional<rpc::MasterAddress> address_before;
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
