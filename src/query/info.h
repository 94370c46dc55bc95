// The dictionaries behind `gnt-instance info` and `gnt-cluster info`, with Ganeti's keys
// (docs/ganeti.md, "Output of info"). Pure.
#pragma once

#include "query/field.h"

namespace flotte::query {

struct InstanceObserved {
  bool is_known = false;  // false: nobody asked the node (--static)
  std::optional<rpc::RunningInstance> running;
  std::vector<std::optional<rpc::DevicePath>> devices;
};

json::object instance_info(model::Cluster const& cluster, model::Instance const& instance,
                           InstanceObserved const& observed);
json::object cluster_info(model::Cluster const& cluster, bool is_drained,
                          std::optional<std::int64_t> watcher_paused_until);

}  // namespace flotte::query
