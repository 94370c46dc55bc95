// Names of hosts, as the resolver of this machine knows them. Blocks as long as that does;
// thread-safe.
#pragma once

#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

// UnknownEntity: the resolver doesn't know it.
Result<rpc::ResolvedName> resolve_name(sys::Processes& processes, rpc::ResolveName const& call);

}  // namespace flotte::node
