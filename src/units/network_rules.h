// What the units of networks share: names and addresses that a network may have, and what hooks are
// told of it. The words are Ganeti's (docs/ganeti.md, "Networks"). Pure.
#pragma once

#include <string>

#include "jobs/hooks.h"
#include "model/address_pool.h"
#include "model/cluster.h"

namespace flotte::units {

Result<void> check_network_name(std::string_view name);
// As Ganeti's opcodes take them: each is an IPv4 address.
Result<void> check_ipv4(std::vector<std::string> const& addresses);
// Of the addresses beside the pool's: they are what they should be, and fit together.
Result<void> check_ipv6(model::Network const& network);

// What no two jobs may come by (jobs/unit.h); the address stands behind the last slash.
std::string address_claim(NetworkId const& network, std::string_view address);

// Those of the instances of a group that `has_it` says something of, as "web1: nic0/192.0.2.7".
// Empty: none.
std::vector<std::string> nics_of_group(model::Cluster const& cluster, GroupId const& group,
                                       std::function<bool(model::Nic const&)> const& has_it);
// Told before the refusal: which they are.
Failure in_use(std::string_view action, model::Network const& network, model::Group const& group,
               std::vector<std::string> const& nics);

// What scripts are told of a NIC's network: NETWORK_NAME, NETWORK_SUBNET, …
jobs::HookVariables network_variables(model::Network const& network);
// On the master.
jobs::Hooks network_hooks(std::string directory, model::Cluster const& cluster,
                          jobs::HookVariables variables);
// Told of what the network is: as to scripts, without its UUID.
jobs::Hooks network_hooks(std::string directory, model::Cluster const& cluster,
                          model::Network const& network);
// On the nodes of a group.
jobs::Hooks connection_hooks(std::string directory, model::Cluster const& cluster,
                             GroupId const& group, jobs::HookVariables variables);

}  // namespace flotte::units
