// What only this node can know of the parameters of a guest, and no QEMU need be asked for.
#pragma once

#include <string>
#include <vector>

#include "rpc/node_calls.h"

namespace flotte::node {

// Files, directories, users, addresses and CPUs that it names are there.
Result<void> check_kvm_on_node(rpc::InstanceSpec const& spec);

// What works, but not as it seems.
std::vector<std::string> kvm_advice(boost::json::object const& hvparams);

}  // namespace flotte::node
