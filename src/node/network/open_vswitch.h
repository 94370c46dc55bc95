// Ports of an Open vSwitch, through ovs-vsctl. Its database outlives taps: what is added must be
// taken away. Thread-safe.
#pragma once

#include "model/vlans.h"
#include "sys/process.h"

namespace flotte::node {

// Whether the switch is there; says what to do where it isn't.
Result<void> check_open_vswitch(sys::Processes& processes, std::string const& bridge);

// The port is on this switch and on these VLANs, wherever it was before.
Result<void> add_open_vswitch_port(sys::Processes& processes, std::string const& bridge,
                                   std::string const& port, model::Vlans const& vlans);
Result<void> remove_open_vswitch_port(sys::Processes& processes, std::string const& port);

// Whether there is an Open vSwitch on this node at all.
bool has_open_vswitch();

// VLANs as columns of the table Port: "tag=5", "trunks=6,7", "vlan_mode=native-untagged".
std::vector<std::string> open_vswitch_columns(model::Vlans const& vlans);

}  // namespace flotte::node
