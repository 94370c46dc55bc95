// ssconf: what programs beside ours read of the configuration, in files ssconf_<key> on every node
// (docs/ganeti.md, "ssconf"). Pure.
#pragma once

#include "model/cluster.h"

namespace flotte::model {

// The largest that a node takes, for each file.
constexpr std::size_t ssconf_bytes_max = 1024 * 1024;

// The content of each file by its key. Two are not among them, which only the node itself knows:
// release_version and master_candidates_certs.
schema::json::object ssconf(Cluster const& cluster);

}  // namespace flotte::model
