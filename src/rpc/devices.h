// A running guest's devices, as it has them and as it is to have them. Thread-safe: nothing is
// kept.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rpc/node_calls.h"

namespace flotte::rpc {

struct Device {
  std::string uuid;
  std::string title;  // "disk 1"
};

bool has_device(InstanceSpec const& spec, std::string const& uuid);

// Of those that it has and is not to have, the one that it is asked for first: the last disk, then
// the last NIC. A NIC with another MAC address is another device. `gone`: UUIDs of those that it
// has let go of.
std::optional<Device> first_to_go(InstanceSpec const& has, std::set<std::string> const& gone,
                                  InstanceSpec const& wanted);

// The error of a guest that keeps `device` ("disk 1") for longer than anybody waits. `why`: what
// the hypervisor said, or nothing.
Failure not_let_go(std::string_view instance, std::string_view device, std::string_view why = {});

}  // namespace flotte::rpc
