// OP_CLUSTER_VERIFY_CONFIG: looks for faults in the configuration itself.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct ClusterVerifyConfig {
  using Op = opcodes::ClusterVerifyConfig;
  struct Facts {
    std::vector<jobs::SetAside> set_aside;
    std::vector<rpc::CertificateState> certificates;
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
