// VLANs of ports of a bridge that tells them apart (vlan_filtering). Thread-safe.
#pragma once

#include "model/vlans.h"
#include "sys/process.h"

namespace flotte::node {

// Whether NICs of the bridge can be on these VLANs; says what to do where they can't.
Result<void> check_bridge_vlans(std::string const& bridge, model::Vlans const& vlans);

// The port is on these and on no others, not even on the bridge's default one. The bridge's uplinks
// carry them, too, tagged, unless they already do in whatever way; nothing takes them away there.
Result<void> set_bridge_vlans(sys::Processes& processes, std::string const& bridge,
                              std::string const& port, model::Vlans const& vlans);

// The VLANs that `bridge -json vlan show dev PORT` names.
Result<std::vector<std::pair<int, int>>> vlan_ranges(std::string_view shown);

// Of /proc/net/vlan/config: the interface that takes a VLAN away from an uplink before the bridge
// sees it; empty: none.
std::string vlan_interface_on(std::string_view config, std::vector<std::string> const& uplinks,
                              int vlan);

}  // namespace flotte::node
