// Hooks: what people hang on an operation (docs/hooks.md), as a unit declares it: which directory,
// on which nodes, and what its scripts are told. Pure values; the executor has them run.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::jobs {

namespace json = boost::json;

// Without the prefix that they get in the environment: {"INSTANCE_NAME", "web1"}.
using HookVariables = std::map<std::string, std::string>;

struct Hooks {
  std::string directory;    // "instance-add": instance-add-pre.d and instance-add-post.d
  std::string object_type;  // "INSTANCE" or "CLUSTER"
  std::string instance;     // that the operation is about; empty: about none
  HookVariables variables;
  std::vector<NodeId> pre_nodes;
  std::vector<NodeId> post_nodes;

  static schema::Fields fields();
};

// What is left to be run once the operation is done, as was seen before it began.
struct HooksLeft {
  Hooks hooks;  // its post_nodes have some
  bool for_configuration = true;

  static schema::Fields fields();
};

// What a node is asked to run, and about what.
struct HookScene {
  std::string_view op_id;
  model::Cluster const& cluster;
  Hooks const& hooks;
};

rpc::HooksRun before_operation(HookScene const& scene);
// `now`: the variables as they are after it.
rpc::HooksRun after_operation(HookScene const& scene, HookVariables const& now);
// After a change of the configuration, on the master.
rpc::HooksRun after_configuration(HookScene const& scene);

// [[node, script, output], ...] of those that failed: Ganeti's argument of HooksAbort.
json::array failures(std::string_view node, std::vector<rpc::HookResult> const& results);

// What a node answered about the hooks after an operation.
struct HookReport {
  std::string node;
  Result<rpc::HookResults> answer;
};

}  // namespace flotte::jobs
