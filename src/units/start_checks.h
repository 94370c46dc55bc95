// Whether an instance could be started, before anything is touched: prerequisite of every start,
// and of what changes how one will start. A node is asked, which asks its hypervisor.
#pragma once

#include "units/instance_steps.h"

namespace flotte::units {

// What adjusting a guest, or looking whether it could start, needs to know of it: nothing secret.
rpc::InstanceSpec device_spec(model::Cluster const& cluster, model::Instance const& instance,
                              Overrides const& overrides = {});

// What would start with nothing but the cluster's parameters, and with those of each of its OSs:
// "cluster" and "os debian", as verify names them.
struct StartSource {
  std::string name;
  rpc::InstanceSpec spec;
};
std::vector<StartSource> start_sources(model::Settings const& settings);

// The same for those that a node can't tell apart.
std::string start_shape(rpc::InstanceSpec const& spec);

// Answers with what is to be known.
Result<std::vector<std::string>> check_start_on(rpc::InstanceSpec const& spec,
                                                model::Node const& node, jobs::NodeReader& nodes);
// On its primary node. Answers why nobody can tell, where that is so.
Result<std::optional<std::string>> check_start(model::Cluster const& cluster,
                                               model::Instance const& instance,
                                               Overrides const& overrides, jobs::NodeReader& nodes);
// Why one that runs is not stopped to be started again: nobody can tell whether it would start.
Failure not_stopped(model::Instance const& instance, std::string_view unknown);
// What changes. One that could not be started before either, and whose hypervisor parameters stay,
// isn't refused: that would keep people from everything else; it is said.
Result<std::vector<std::string>> check_start_changes(rpc::InstanceSpec const& before,
                                                     rpc::InstanceSpec const& after,
                                                     model::Node const& node,
                                                     jobs::NodeReader& nodes);

}  // namespace flotte::units
