// The cluster's own address on the interface of its master (ganeti-compat §8): as a host address,
// so that it brings no route with it. Both are idempotent. Thread-safe.
#pragma once

#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

Result<void> set_master_address(sys::Processes& processes, rpc::MasterAddress const& wish);

}  // namespace flotte::node
