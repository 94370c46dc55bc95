#include "units/network_rules.h"

#include <algorithm>

#include "base/ip.h"
#include "units/group_rules.h"
#include "units/hooks.h"

namespace flotte::units {

Result<void> check_network_name(std::string_view name) {
  // What --net takes for another word.
  if (name == "none" || name.find(',') != std::string_view::npos) {
    return fail(ErrorCode::WrongInput, "Invalid network name '{}': no NIC could name it", name);
  }
  return check_object_name("network", name);
}

Result<void> check_ipv4(std::vector<std::string> const& addresses) {
  for (auto const& address : addresses) {
    if (ipv4_number(address)) continue;
    return fail(ErrorCode::WrongInput, "Invalid IPv4 address '{}'", address);
  }
  return {};
}

Result<void> check_ipv6(model::Network const& network) {
  if (network.network6 && !is_ipv6_network(*network.network6)) {
    return fail(ErrorCode::WrongInput,
                "Invalid network '{}': an IPv6 network is written as 2001:db8::/64",
                *network.network6);
  }
  if (network.gateway6 && !is_ipv6(*network.gateway6)) {
    return fail(ErrorCode::WrongInput, "Invalid IPv6 address '{}'", *network.gateway6);
  }
  return model::check_gateway6(network);
}

std::string address_claim(NetworkId const& network, std::string_view address) {
  return fmt::format("ip/{}/{}", network.text(), address);
}

std::vector<std::string> nics_of_group(model::Cluster const& cluster, GroupId const& group,
                                       std::function<bool(model::Nic const&)> const& has_it) {
  std::vector<std::string> found;
  for (auto const& instance : cluster.instances_by_name()) {
    auto const its_group = cluster.group_of(instance->primary_node);
    if (!its_group || its_group->uuid != group) continue;
    std::vector<std::string> nics;
    for (std::size_t i = 0; i < instance->nics.size(); ++i) {
      auto const& nic = instance->nics[i];
      if (has_it(nic)) nics.push_back(fmt::format("nic{}/{}", i, nic.ip.value_or("None")));
    }
    if (!nics.empty()) {
      found.push_back(fmt::format("{}: {}", instance->name, fmt::join(nics, ", ")));
    }
  }
  return found;
}

Failure in_use(std::string_view action, model::Network const& network, model::Group const& group,
               std::vector<std::string> const& nics) {
  return fail(
      ErrorCode::WrongState,
      "Conflicting IP addresses found;  remove/modify the corresponding network interfaces; "
      "IP addresses from network '{}', which is about to {} node group '{}', are in use: {}",
      network.name, action, group.name, fmt::join(nics, ", "));
}

jobs::HookVariables network_variables(model::Network const& network) {
  jobs::HookVariables told{{"NETWORK_NAME", network.name},
                           {"NETWORK_UUID", network.uuid.text()},
                           {"NETWORK_TAGS", fmt::format("{}", fmt::join(network.tags, " "))},
                           {"NETWORK_SUBNET", network.network}};
  auto const tell = [&](std::string name, std::optional<std::string> const& value) {
    if (value) told[std::move(name)] = *value;
  };
  tell("NETWORK_GATEWAY", network.gateway);
  tell("NETWORK_SUBNET6", network.network6);
  tell("NETWORK_GATEWAY6", network.gateway6);
  tell("NETWORK_MAC_PREFIX", network.mac_prefix);
  return told;
}

jobs::Hooks network_hooks(std::string directory, model::Cluster const& cluster,
                          model::Network const& network) {
  auto told = network_variables(network);
  told.erase("NETWORK_UUID");
  if (network.tags.empty()) told.erase("NETWORK_TAGS");
  return network_hooks(std::move(directory), cluster, std::move(told));
}

jobs::Hooks network_hooks(std::string directory, model::Cluster const& cluster,
                          jobs::HookVariables variables) {
  auto hooks = cluster_hooks(std::move(directory), cluster, std::move(variables));
  hooks.object_type = "NETWORK";
  return hooks;
}

jobs::Hooks connection_hooks(std::string directory, model::Cluster const& cluster,
                             GroupId const& group, jobs::HookVariables variables) {
  auto hooks = network_hooks(std::move(directory), cluster, std::move(variables));
  hooks.pre_nodes.clear();
  for (auto const& [id, node] : cluster.nodes()) {
    if (node->group == group) hooks.pre_nodes.push_back(id);
  }
  hooks.post_nodes = hooks.pre_nodes;
  return hooks;
}

}  // namespace flotte::units
