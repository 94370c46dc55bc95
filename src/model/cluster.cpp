#include "model/cluster.h"

#include <algorithm>

#include "base/lookup.h"
#include "base/text.h"

namespace flotte::model {
namespace {

// Host names are the same in either case.
bool begins_with(std::string_view name, std::string_view beginning) {
  return name.size() >= beginning.size() &&
         std::ranges::equal(name.substr(0, beginning.size()), beginning, {}, lower, lower);
}

bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && begins_with(a, b);
}

// A short name stands for the one full name that continues it with a dot.
bool is_short_for(std::string_view short_name, std::string_view full_name) {
  return full_name.size() > short_name.size() && full_name[short_name.size()] == '.' &&
         begins_with(full_name, short_name);
}

// What only one instance may have.
bool has_same_claims(Instance const& a, Instance const& b) {
  auto const of_nic = [](Nic const& nic) { return std::tie(nic.mac, nic.network, nic.ip); };
  return a.name == b.name && a.network_port == b.network_port &&
         std::ranges::equal(a.nics, b.nics, {}, of_nic, of_nic);
}

template <class Map>
auto by_name(Map const& objects) {
  std::vector<typename Map::mapped_type> list;
  list.reserve(objects.size());
  for (auto const& [id, object] : objects) list.push_back(object);
  std::ranges::sort(list, {}, [](auto const& object) -> auto const& { return object->name; });
  return list;
}

}  // namespace

Result<void> check_compression_tools(std::vector<std::string> const& tools) {
  for (auto const& tool : tools) {
    auto const is_plain = !tool.empty() && std::ranges::all_of(tool, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    });
    if (is_plain) continue;
    return fail(ErrorCode::WrongInput,
                "The tools '{}' contain illegal characters: only alphanumeric values, dashes, and "
                "underscores are allowed",
                tool);
  }
  if (std::ranges::find(tools, "gzip") == tools.end()) {
    return fail(ErrorCode::WrongInput,
                "For compatibility reasons, the gzip utility must be present among the "
                "compression tools");
  }
  if (std::ranges::find(tools, "none") == tools.end()) return {};
  return fail(ErrorCode::WrongInput,
              "none is a reserved value used for no compression, and cannot be used as the name "
              "of a tool");
}

Result<InstancePtr> Cluster::instance(std::string_view name_or_uuid) const {
  auto const name = lower_case(std::string(name_or_uuid));
  if (auto const exact = names_.find(name); exact != names_.end()) {
    return known_at(instances(), exact->second.front());
  }
  auto const by_uuid = instances().find(InstanceId(std::string(name_or_uuid)));
  if (by_uuid != instances().end()) return by_uuid->second;
  auto const found = TRY(instance_by_short_name(name_or_uuid));
  if (!found) return fail(ErrorCode::UnknownEntity, "Instance '{}' not known", name_or_uuid);
  return found;
}

// Null: it is of none.
Result<InstancePtr> Cluster::instance_by_short_name(std::string_view name) const {
  auto const beginning = lower_case(fmt::format("{}.", name));
  InstancePtr found;
  for (auto at = names_.lower_bound(beginning);
       at != names_.end() && at->first.starts_with(beginning); ++at) {
    auto const& one = known_at(instances(), at->second.front());
    if (found) {
      return fail(ErrorCode::WrongInput, "Instance name '{}' is ambiguous: {} and {} both match",
                  name, found->name, one->name);
    }
    found = one;
  }
  return found;
}

Result<NodePtr> Cluster::node(std::string_view name_or_uuid) const {
  std::vector<NodePtr> by_short_name;
  for (auto const& [id, node] : nodes()) {
    if (is_same(node->name, name_or_uuid) || id.text() == name_or_uuid) return node;
    if (is_short_for(name_or_uuid, node->name)) by_short_name.push_back(node);
  }
  if (by_short_name.empty()) {
    return fail(ErrorCode::UnknownEntity, "Node '{}' not known", name_or_uuid);
  }
  if (by_short_name.size() == 1) return by_short_name.front();
  return fail(ErrorCode::WrongInput, "Node name '{}' is ambiguous: {} and {} both match",
              name_or_uuid, by_short_name[0]->name, by_short_name[1]->name);
}

Result<InstancePtr> Cluster::instance(InstanceId const& id) const {
  if (auto found = find(id)) return found;
  return fail(ErrorCode::UnknownEntity, "Instance '{}' not known", id.text());
}

Result<NodePtr> Cluster::node(NodeId const& id) const {
  if (auto found = find(id)) return found;
  return fail(ErrorCode::UnknownEntity, "Node '{}' not known", id.text());
}

// Groups have no short names.
Result<GroupPtr> Cluster::group(std::string_view name_or_uuid) const {
  for (auto const& [id, group] : groups()) {
    if (group->name == name_or_uuid || id.text() == name_or_uuid) return group;
  }
  return fail(ErrorCode::UnknownEntity, "Node group '{}' not found", name_or_uuid);
}

Result<NetworkPtr> Cluster::network(std::string_view name_or_uuid) const {
  for (auto const& [id, network] : networks()) {
    if (network->name == name_or_uuid || id.text() == name_or_uuid) return network;
  }
  return fail(ErrorCode::UnknownEntity, "Network '{}' not found", name_or_uuid);
}

GroupPtr Cluster::group_of(NodeId const& node) const {
  auto const known = find(node);
  return known ? find(known->group) : nullptr;
}

std::vector<InstancePtr> Cluster::instances_by_name() const {
  return by_name(instances());
}
std::vector<NodePtr> Cluster::nodes_by_name() const {
  return by_name(nodes());
}

std::vector<NodePtr> Cluster::online_nodes() const {
  auto nodes = nodes_by_name();
  std::erase_if(nodes, [](NodePtr const& node) { return node->offline; });
  return nodes;
}

std::vector<GroupPtr> Cluster::groups_by_name() const {
  return by_name(groups());
}

template <class Key, class Wanted>
InstancePtr Cluster::other_in(Holders<Key> const& holders, Wanted const& key,
                              InstanceId const& than) const {
  auto const found = holders.find(key);
  if (found == holders.end()) return nullptr;
  auto const other =
      std::ranges::find_if(found->second, [&](InstanceId const& holder) { return holder != than; });
  return other == found->second.end() ? nullptr : known_at(instances(), *other);
}

InstancePtr Cluster::other_with_name(std::string_view name, InstanceId const& than) const {
  return other_in(names_, lower_case(std::string(name)), than);
}
InstancePtr Cluster::other_with_mac(std::string_view mac, InstanceId const& than) const {
  return other_in(macs_, lower_case(std::string(mac)), than);
}
InstancePtr Cluster::other_with_port(std::int64_t port, InstanceId const& than) const {
  return other_in(ports_, port, than);
}

InstancePtr Cluster::other_with_address(NetworkId const& network, std::string_view address,
                                        InstanceId const& than) const {
  return other_in(addresses_, std::pair(network, std::string(address)), than);
}

std::vector<std::string> Cluster::addresses_in(NetworkId const& network) const {
  std::vector<std::string> found;
  for (auto at = addresses_.lower_bound(std::pair(network, std::string()));
       at != addresses_.end() && at->first.first == network; ++at) {
    found.push_back(at->first.second);
  }
  return found;
}

std::optional<std::int64_t> Cluster::free_port(
    std::int64_t first, std::int64_t last,
    std::function<bool(std::int64_t)> const& is_taken) const {
  while (first <= last) {
    // From `first` on all are in use until as many have been counted as there are numbers.
    auto const below = ports_.rank(first);
    auto low = first;
    auto high = last + 1;
    while (low < high) {
      auto const middle = low + (high - low) / 2;
      auto const in_use = static_cast<std::int64_t>(ports_.rank(middle + 1) - below);
      if (in_use == middle + 1 - first) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low > last) return std::nullopt;
    if (!is_taken(low)) return low;
    first = low + 1;
  }
  return std::nullopt;
}

void Cluster::enter(Instance const* before, Instance const* after) {
  if (before && after && has_same_claims(*before, *after)) return;
  if (before) take_from_indexes(*before);
  if (after) add_to_indexes(*after);
}

void Cluster::add_to_indexes(Instance const& instance) {
  auto const add = [&](auto& holders, auto key) {
    auto const known = holders.find(key);
    auto all = known == holders.end() ? std::vector<InstanceId>() : known->second;
    if (std::ranges::find(all, instance.uuid) != all.end()) return;
    all.push_back(instance.uuid);
    holders.insert_or_assign(std::move(key), std::move(all));
  };
  add(names_, lower_case(instance.name));
  for (auto const& nic : instance.nics) {
    if (!nic.mac.empty()) add(macs_, lower_case(nic.mac));
    if (nic.network && nic.ip) add(addresses_, std::pair(*nic.network, *nic.ip));
  }
  if (instance.network_port) add(ports_, *instance.network_port);
}

void Cluster::take_from_indexes(Instance const& instance) {
  auto const take = [&](auto& holders, auto const& key) {
    auto const known = holders.find(key);
    if (known == holders.end()) return;
    auto others = known->second;
    std::erase(others, instance.uuid);
    if (others.empty()) {
      holders.erase(key);
    } else {
      holders.insert_or_assign(key, std::move(others));
    }
  };
  take(names_, lower_case(instance.name));
  for (auto const& nic : instance.nics) {
    take(macs_, lower_case(nic.mac));
    if (nic.network && nic.ip) take(addresses_, std::pair(*nic.network, *nic.ip));
  }
  if (instance.network_port) take(ports_, *instance.network_port);
}

}  // namespace flotte::model
