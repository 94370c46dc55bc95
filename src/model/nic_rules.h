// What must hold of a NIC's parameters, in Ganeti's words where it has some. Pure functions.
#pragma once

#include "model/params.h"

namespace flotte::model {

// IPv4 or IPv6, without a prefix length.
bool is_ip(std::string const& text);

// That many, as in a MAC address: aa:00:00.
bool is_octets(std::string_view text, std::size_t count);
// The first three octets of a MAC address, in lower case.
Result<std::string> parse_mac_prefix(std::string_view text);

// As enforce(); a VLAN in the form in which it is stored.
Result<json::object> enforce_nic(json::object const& given);

// Of filled parameters.
Result<void> check_nic(json::object const& filled);

}  // namespace flotte::model
