// OP_CLUSTER_VERIFY_GROUP: compares what is configured with what the nodes of a group have.
#pragma once

#include <map>

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterVerifyGroup {
  using Op = opcodes::ClusterVerifyGroup;
  struct Facts {
    struct NodeState {
      model::NodePtr node;
      std::optional<Error> error;  // it did not answer
      rpc::NodeFacts facts;
      rpc::RunningInstances running;
      rpc::VolumeList volumes;
      rpc::DiskFileList files;
    };
    std::vector<NodeState> nodes;
    // Instances whose disks were looked for, with the indices of those that are missing.
    std::map<std::string, std::vector<std::int64_t>> missing_disks;
    double now = 0;
  };
  struct Plan {
    std::vector<std::string> lines;
    bool is_good = true;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
