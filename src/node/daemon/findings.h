// What a node finds when it looks at itself, for `gnt-cluster verify`. Looks only; whatever state
// the node is in, there is an answer. Called from several threads at once.
#pragma once

#include "base/paths.h"
#include "node/network/nics.h"
#include "rpc/node_calls.h"

namespace flotte::node {

rpc::NodeFindings look_at_node(Paths const& paths, Nics const& nics, rpc::NodeVerify const& call);

// Lines of <etc>/file-storage-paths that allow what is no place for disks: /etc, /usr/lib, …
std::vector<std::string> forbidden_storage_paths(Paths const& paths);

}  // namespace flotte::node
