// The cluster's own address on the interface of its master (docs/ganeti.md, "The cluster's
// address"): as a host address, so that it brings no route with it. Thread-safe.
#pragma once

#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

// Idempotent.
Result<void> set_master_address(sys::Processes& processes, rpc::MasterAddress const& wish);

// Whether another machine has the address. Waits up to a second for its answer.
Result<bool> is_address_used(sys::Processes& processes, std::string const& ip);

}  // namespace flotte::node
