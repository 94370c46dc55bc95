// What hooks are told of an instance and of the cluster, in Ganeti's words (docs/ganeti.md,
// "Hooks"), and where they run. Pure.
#pragma once

#include "jobs/hooks.h"

namespace flotte::units {

// On the master and on the instance's nodes; `extra` lies over what is told of the instance.
// UnknownEntity: it is gone.
Result<jobs::Hooks> instance_hooks(std::string directory, model::Cluster const& cluster,
                                   InstanceId const& id, jobs::HookVariables const& extra = {});
// For one that is not in the configuration, or not as it is given here.
jobs::Hooks instance_hooks(std::string directory, model::Cluster const& cluster,
                           model::Instance const& instance, jobs::HookVariables const& extra = {});
// On the master.
jobs::Hooks cluster_hooks(std::string directory, model::Cluster const& cluster,
                          jobs::HookVariables variables);
// On the master and the members of the group.
jobs::Hooks group_hooks(std::string directory, model::Cluster const& cluster,
                        jobs::HookVariables variables, GroupId const& group = {});

// "True", "False".
std::string hook_text(bool value);

}  // namespace flotte::units
