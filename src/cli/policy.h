// Instance policies and group parameters as people type and read them: for gnt-cluster and
// gnt-group. Pure but for what it reads from the call.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

enum class PolicyOf { Cluster, Group };

// --ipolicy-bounds-specs and its like; gnt-cluster has --ipolicy-std-specs too.
std::vector<Option> policy_options();
// Of `init`: --specs-mem-size=min=128M,max=4G,std=1G and the like, instead of whole policies.
std::vector<Option> split_policy_options();
Outcome<json::object> policy_of(Call& call, PolicyOf owner);

// -D plain:stripes=2 -D drbd:metavg=x → {"plain": {...}, "drbd": {...}}
Outcome<json::object> by_name(Call& call, std::string const& option);

// "--ipolicy-bounds-specs min:…/max:…", as show-ispecs-cmd prints it; with a blank in front.
std::string policy_command(json::object const& policy, PolicyOf owner);

}  // namespace flotte::cli
