// Fields of networks (docs/ganeti.md, "Networks").
#include <set>

#include "base/text.h"
#include "model/address_pool.h"
#include "query/field.h"

namespace flotte::query {
namespace {

Cell text_if_any(std::optional<std::string> const& text) {
  return text ? text_cell(*text) : unavailable();
}

// [name, mode, link, VLAN] of each group that is connected, by name.
json::array connected_groups(Row const& row) {
  json::array list;
  for (auto const& group : row.cluster->groups_by_name()) {
    auto const* how = group->connection(row.network->uuid);
    if (how) list.push_back(text_array({group->name, how->mode, how->link, how->vlan}));
  }
  return list;
}

std::vector<std::string> const& users(Row const& row) {
  return row.network_users->of(row.network->uuid);
}

// A cell about the addresses; a network that has no pool has none.
template <class Get>
auto of_pool(Get get) {
  return [get](Row const& row) {
    auto const pool =
        model::AddressPool::create(*row.network, row.cluster->addresses_in(row.network->uuid));
    return pool ? plain(get(*pool)) : unavailable();
  };
}

json::value reserved_count(model::AddressPool const& pool) {
  return json::value(pool.size() - pool.free_count());
}

json::value external_reservations(model::AddressPool const& pool) {
  return json::value(fmt::format("{}", fmt::join(pool.external(), ", ")));
}

std::map<NetworkId, std::vector<std::string>> users_by_network(model::Cluster const& cluster) {
  std::map<NetworkId, std::vector<std::string>> found;
  for (auto const& [id, instance] : cluster.instances()) {
    std::set<NetworkId> networks;
    for (auto const& nic : instance->nics) {
      if (nic.network) networks.insert(*nic.network);
    }
    for (auto const& network : networks) found[network].push_back(instance->name);
  }
  for (auto& [network, names] : found) sort_naturally(names);
  return found;
}

FieldTable make_network_fields() {
  using R = Row const&;
  using Pool = model::AddressPool const&;
  FieldTable table{
      {"name", "Network", "text", "Name", false, [](R r) { return text_cell(r.network->name); }},
      {"network", "Subnet", "text", "IPv4 subnet", false,
       [](R r) { return text_cell(r.network->network); }},
      {"gateway", "Gateway", "other", "IPv4 gateway", false,
       [](R r) { return text_if_any(r.network->gateway); }},
      {"network6", "IPv6Subnet", "other", "IPv6 subnet", false,
       [](R r) { return text_if_any(r.network->network6); }},
      {"gateway6", "IPv6Gateway", "other", "IPv6 gateway", false,
       [](R r) { return text_if_any(r.network->gateway6); }},
      {"mac_prefix", "MacPrefix", "other", "MAC address prefix", false,
       [](R r) { return text_if_any(r.network->mac_prefix); }},
      {"group_cnt", "NodeGroups", "number", "Number of nodegroups", false,
       [](R r) { return plain(connected_groups(r).size()); }},
      {"group_list", "GroupList", "other", "List of nodegroups (group name, NIC mode, NIC link)",
       false, [](R r) { return plain(connected_groups(r)); }},
      {"inst_cnt", "Instances", "number", "Number of instances", false,
       [](R r) { return plain(users(r).size()); }},
      {"inst_list", "InstanceList", "other", "List of instances", false,
       [](R r) { return plain(text_array(users(r))); }},
      {"free_count", "FreeCount", "number", "Number of available addresses", false,
       of_pool([](Pool pool) { return json::value(pool.free_count()); })},
      {"reserved_count", "ReservedCount", "number", "Number of reserved addresses", false,
       of_pool(reserved_count)},
      {"map", "Map", "text", "Actual mapping", false,
       of_pool([](Pool pool) { return json::value(pool.map()); })},
      {"external_reservations", "ExternalReservations", "text", "External reservations", false,
       of_pool(external_reservations)},
      {"tags", "Tags", "other", "Tags", false,
       [](R r) { return plain(text_array(r.network->tags)); }},
      {"uuid", "UUID", "text", "Network UUID", false,
       [](R r) { return text_cell(r.network->uuid.text()); }},
      {"serial_no", "SerialNo", "number",
       "Network object serial number, incremented on each modification", false,
       [](R r) { return plain(r.network->serial_no); }},
      {"ctime", "CTime", "timestamp", "Creation timestamp", false,
       [](R r) { return plain(r.network->ctime); }},
      {"mtime", "MTime", "timestamp", "Modification timestamp", false,
       [](R r) { return plain(r.network->mtime); }},
  };
  sort_naturally(table, &Field::name);
  return table;
}

}  // namespace

std::vector<std::string> const& NetworkUsers::of(NetworkId const& network) {
  if (!found_) found_ = users_by_network(*cluster_);
  return (*found_)[network];
}

FieldTable const& network_fields() {
  static FieldTable const table = make_network_fields();
  return table;
}

}  // namespace flotte::query
