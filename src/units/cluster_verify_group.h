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
      rpc::NodeFindings findings;
      Result<rpc::RunningInstances> running;
      Result<rpc::OsList> operating_systems;
      Result<rpc::VolumeList> volumes;
      bool is_lvm_asked = false;
      std::vector<rpc::DiskFile> files;
      // Of instances whose disks are files.
      struct Disks {
        std::vector<std::optional<rpc::DevicePath>> found;
        std::string error;  // they could not be looked for
      };
      std::map<std::string, Disks> disks;
      std::vector<std::string> hypervisor_faults;
      std::vector<std::string> hypervisor_warnings;
    };
    std::vector<NodeState> nodes;
    double now = 0;
  };
  struct Plan {
    std::vector<std::string> lines;
    bool is_good = true;
    bool has_nodes = true;
    // How what the hooks find is told.
    bool error_codes = false;
    std::vector<std::string> ignore_errors;

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
