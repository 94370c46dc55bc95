#include "generators.h"

namespace flotte::simulation {
namespace {

using Made = std::optional<json::object>;

constexpr std::size_t names_max = 400;

bool one_in(Random& random, std::uint64_t n) {
  return random.below(n) == 0;
}

template <class T>
T const& any(std::vector<T> const& all, Random& random) {
  return all[static_cast<std::size_t>(random.below(all.size()))];
}

template <class Objects>
std::vector<std::string> names_of(Objects const& objects) {
  std::vector<std::string> names;
  for (auto const& [id, object] : objects) names.push_back(object->name);
  std::ranges::sort(names);
  return names;
}

json::object op(std::string_view op_id) {
  json::object made;
  made["OP_ID"] = json::value(json::string_view(op_id));
  return made;
}

// An operation on an instance that exists; now and then on one that doesn't.
Made on_instance(std::string_view op_id, model::Cluster const& cluster, Random& random) {
  auto const instances = cluster.instances_by_name();
  if (instances.empty()) return {};
  auto made = op(op_id);
  made["instance_name"] =
      one_in(random, 50) ? "vm-nosuch" : json::string_view(any(instances, random)->name);
  return made;
}

json::array disks(model::DiskTemplate kind, Random& random) {
  json::array list;
  if (kind == model::DiskTemplate::Diskless) return list;
  auto const count = 1 + random.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    list.push_back(json::object{{"size", static_cast<std::int64_t>(1024 + random.below(4096))}});
  }
  return list;
}

void add_secret(json::object& made, Random& random) {
  if (one_in(random, 2)) made["osparams_secret"] = json::object{{secret_parameter, secret}};
}

json::array old_disk(Random& random) {
  auto const name = fmt::format("old-{}", random.below(old_volumes));
  return {json::object{{"size", 0}, {"adopt", json::string(name)}}};
}

// Of the first of them, most of the time: where a machine is created it is connected.
json::object nic_in_network(model::Cluster const& cluster, Random& random) {
  auto const all = names_of(cluster.networks());
  if (all.empty()) return {{"link", "br0"}};
  json::object nic{{"network", json::string(one_in(random, 4) ? any(all, random) : all.front())}};
  if (!one_in(random, 4)) nic["ip"] = one_in(random, 5) ? "198.51.100.5" : "pool";
  return nic;
}

Made create(model::Cluster const& cluster, Random& random) {
  auto made = op("OP_INSTANCE_CREATE");
  made["instance_name"] = json::string(fmt::format("vm-{}", random.below(names_max)));
  static std::vector<model::DiskTemplate> const kinds{
      model::DiskTemplate::Plain, model::DiskTemplate::Plain, model::DiskTemplate::File,
      model::DiskTemplate::Diskless};
  auto const kind = any(kinds, random);
  made["mode"] = "create";
  made["disk_template"] = json::value(schema::name_of(kind));
  made["disks"] = disks(kind, random);
  if (kind == model::DiskTemplate::Plain && one_in(random, 5)) made["disks"] = old_disk(random);
  json::array nics;
  for (auto left = random.below(3); left > 0; --left) {
    nics.push_back(one_in(random, 3) ? nic_in_network(cluster, random)
                                     : json::object{{"link", "br0"}});
  }
  made["nics"] = std::move(nics);
  made["ignore_ipolicy"] = true;
  made["os_type"] = one_in(random, 2) ? "noop" : "debootstrap+default";
  if (kind == model::DiskTemplate::Diskless || one_in(random, 4)) made["no_install"] = true;
  add_secret(made, random);
  made["start"] = !one_in(random, 3);
  made["hypervisor"] = one_in(random, 5) ? "fake" : "kvm";
  made["beparams"] = json::object{{"memory", static_cast<std::int64_t>(128 + random.below(256))}};
  made["pnode"] = json::string(any(cluster.nodes_by_name(), random)->name);
  return made;
}

Made adopt(model::Cluster const& cluster, Random& random) {
  auto made = create(cluster, random);
  (*made)["disk_template"] = "plain";
  (*made)["disks"] = old_disk(random);
  return made;
}

Made reinstall(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_REINSTALL", cluster, random);
  if (made) add_secret(*made, random);
  return made;
}

Made shutdown(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_SHUTDOWN", cluster, random);
  if (made) (*made)["timeout"] = static_cast<std::int64_t>(random.below(3) * 60);
  if (made && one_in(random, 5)) (*made)["no_remember"] = true;
  return made;
}

Made startup(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_STARTUP", cluster, random);
  if (made && one_in(random, 8)) (*made)["no_remember"] = true;
  if (made && one_in(random, 8)) (*made)["startup_paused"] = true;
  return made;
}

Made reboot(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_REBOOT", cluster, random);
  static std::vector<std::string> const kinds{"soft", "hard", "full"};
  if (made) {
    (*made)["reboot_type"] = json::string(any(kinds, random));
    (*made)["shutdown_timeout"] = static_cast<std::int64_t>(random.below(2) * 30);
  }
  return made;
}

Made remove(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_REMOVE", cluster, random);
  if (made) (*made)["shutdown_timeout"] = static_cast<std::int64_t>(random.below(2) * 60);
  return made;
}

// One with disks; null where none has any.
model::InstancePtr any_with_disks(model::Cluster const& cluster, Random& random) {
  std::vector<model::InstancePtr> with_disks;
  for (auto const& instance : cluster.instances_by_name()) {
    if (!instance->disks.empty()) with_disks.push_back(instance);
  }
  return with_disks.empty() ? nullptr : any(with_disks, random);
}

Made grow(model::Cluster const& cluster, Random& random) {
  auto const instance = any_with_disks(cluster, random);
  if (!instance) return {};
  auto made = op("OP_INSTANCE_GROW_DISK");
  made["instance_name"] = json::string(instance->name);
  made["disk"] = static_cast<std::int64_t>(random.below(instance->disks.size()));
  made["amount"] = static_cast<std::int64_t>(1 + random.below(1024));
  made["ignore_ipolicy"] = true;
  return made;
}

json::array change(std::string_view action, std::int64_t index, json::object params) {
  return {json::string(action), index, std::move(params)};
}

std::int64_t some_index(std::size_t count, Random& random) {
  return static_cast<std::int64_t>(random.below(count + 1)) - 1;
}

// There is one that is nobody's.
json::array attachment(model::Cluster const& cluster, std::int64_t index, Random& random) {
  std::vector<model::DetachedDiskPtr> detached;
  for (auto const& [id, disk] : cluster.detached_disks()) detached.push_back(disk);
  json::object which{{"uuid", json::string(any(detached, random)->disk.uuid.text())}};
  return change("attach", index, std::move(which));
}

json::array disk_changes(model::Cluster const& cluster, std::size_t count, Random& random) {
  json::array changes;
  if (!cluster.detached_disks().empty() && one_in(random, 2)) {
    changes.push_back(attachment(cluster, some_index(count++, random), random));
  }
  for (auto left = random.below(3); left > 0; --left) {
    json::object size{{"size", static_cast<std::int64_t>(1024 + random.below(2048))}};
    switch (random.below(count > 2 ? 5 : 3)) {
      case 0:
        changes.push_back(change("modify", some_index(count, random), {{"name", "data"}}));
        break;
      case 1:
      case 2:
        changes.push_back(change("add", some_index(count++, random), std::move(size)));
        break;
      case 3:
        changes.push_back(change("detach", some_index(count--, random), {}));
        break;
      default:
        changes.push_back(change("remove", some_index(count--, random), {}));
    }
  }
  return changes;
}

// The last of them fails: there is no such switch.
std::vector<json::object> const nic_wishes{{{"mac", "auto"}},
                                           {{"vlan", ".5:6"}},
                                           {{"vlan", "none"}, {"antispoof", "yes"}},
                                           {{"antispoof", "no"}},
                                           {{"mode", "routed"}, {"ip", "192.0.2.7"}},
                                           {{"mode", "bridged"}, {"ip", "none"}},
                                           {{"network", "network-0"}, {"ip", "pool"}},
                                           {{"network", "none"}, {"ip", "none"}},
                                           {{"ip", "198.51.100.6"}},
                                           {{"mode", "openvswitch"}, {"link", "nosuch"}}};

json::array nic_changes(std::size_t count, Random& random) {
  json::array changes;
  for (auto left = random.below(3); left > 0; --left) {
    auto const is_lonely = count == 0;
    switch (is_lonely ? 0 : random.below(3)) {
      case 0:
        changes.push_back(change("add", some_index(count++, random), {{"link", "br0"}}));
        break;
      case 1:
        changes.push_back(change("modify", some_index(count, random), any(nic_wishes, random)));
        break;
      default:
        changes.push_back(change("remove", some_index(count--, random), {}));
    }
  }
  return changes;
}

Made set_devices(model::Cluster const& cluster, Random& random) {
  auto const instances = cluster.instances_by_name();
  if (instances.empty()) return {};
  auto const& instance = any(instances, random);
  auto made = op("OP_INSTANCE_SET_PARAMS");
  made["instance_name"] = json::string(instance->name);
  made["nics"] = nic_changes(instance->nics.size(), random);
  if (!instance->disks.empty())
    made["disks"] = disk_changes(cluster, instance->disks.size(), random);
  made["ignore_ipolicy"] = true;
  if (one_in(random, 5)) made["hotplug"] = false;
  if (one_in(random, 5)) made["hotplug_if_possible"] = true;
  if (one_in(random, 5)) {
    made["runtime_mem"] = static_cast<std::int64_t>(128 + random.below(128));
    made["force"] = true;
  }
  return made;
}

Made detach(model::Cluster const& cluster, Random& random) {
  auto const instance = any_with_disks(cluster, random);
  if (!instance) return {};
  auto made = op("OP_INSTANCE_SET_PARAMS");
  made["instance_name"] = json::string(instance->name);
  made["disks"] = json::array{change("detach", 0, {})};
  made["ignore_ipolicy"] = true;
  return made;
}

Made attach(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_SET_PARAMS", cluster, random);
  if (!made || cluster.detached_disks().empty()) return {};
  (*made)["disks"] = json::array{attachment(cluster, -1, random)};
  (*made)["ignore_ipolicy"] = true;
  return made;
}

// The disks of one that is down, if there is one, become others.
Made convert(model::Cluster const& cluster, Random& random) {
  std::vector<model::InstancePtr> fitting;
  for (auto const& instance : cluster.instances_by_name()) {
    auto const is_down = instance->admin_state == model::AdminState::Down;
    if (!instance->disks.empty() && (is_down || one_in(random, 4))) fitting.push_back(instance);
  }
  if (fitting.empty()) return {};
  auto const& instance = any(fitting, random);
  auto made = op("OP_INSTANCE_SET_PARAMS");
  made["instance_name"] = json::string(instance->name);
  made["disk_template"] = instance->disk_template == model::DiskTemplate::Plain ? "file" : "plain";
  if (one_in(random, 4)) made["nics"] = nic_changes(instance->nics.size(), random);
  made["ignore_ipolicy"] = true;
  return made;
}

Made set_params(model::Cluster const& cluster, Random& random) {
  if (one_in(random, 5)) return convert(cluster, random);
  if (!one_in(random, 3)) return set_devices(cluster, random);
  auto made = on_instance("OP_INSTANCE_SET_PARAMS", cluster, random);
  if (made) {
    (*made)["beparams"] =
        json::object{{"memory", static_cast<std::int64_t>(128 + random.below(256))}};
    (*made)["ignore_ipolicy"] = true;
  }
  return made;
}

Made rename(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_RENAME", cluster, random);
  if (made) (*made)["new_name"] = json::string(fmt::format("vm-{}", random.below(names_max)));
  return made;
}

// As if files had been lost: no instance's name tells that.
Made recreate(model::Cluster const& cluster, Random& random) {
  auto const instance = any_with_disks(cluster, random);
  if (!instance) return {};
  auto made = op("OP_INSTANCE_RECREATE_DISKS");
  made["instance_name"] = json::string(instance->name);
  if (one_in(random, 2)) {
    auto const index = static_cast<std::int64_t>(random.below(instance->disks.size()));
    auto wish = one_in(random, 2) ? json::object{{"size", 1024}, {"mode", "rw"}} : json::object{};
    made["disks"] = json::array{json::array{index, std::move(wish)}};
  }
  return made;
}

Made backup_of(model::Instance const& instance, model::Cluster const& cluster, Random& random) {
  auto made = op("OP_BACKUP_EXPORT");
  made["instance_name"] = json::string(instance.name);
  auto const node = cluster.node(instance.primary_node);
  made["target_node"] = json::string(node ? (*node)->name : "node1");
  made["shutdown_timeout"] = static_cast<std::int64_t>(random.below(2) * 30);
  made["long_sleep"] = true;
  return made;
}

Made backup(model::Cluster const& cluster, Random& random) {
  auto const instance = any_with_disks(cluster, random);
  if (!instance) return {};
  auto made = backup_of(*instance, cluster, random);
  if (one_in(random, 4)) {
    (*made)["shutdown"] = false;
    (*made)["long_sleep"] = false;
  }
  return made;
}

// Of one with disks that is always the same, so that there is an export to be imported or removed.
Made backup_first(model::Cluster const& cluster, Random& random) {
  for (auto const& instance : cluster.instances_by_name()) {
    if (!instance->disks.empty()) return backup_of(*instance, cluster, random);
  }
  return {};
}

Made backup_and_remove(model::Cluster const& cluster, Random& random) {
  auto made = backup(cluster, random);
  if (!made) return made;
  (*made)["shutdown"] = true;
  (*made)["long_sleep"] = true;
  (*made)["remove_instance"] = true;
  return made;
}

// As FakeNode signs.
json::string signature_of(std::string const& text) {
  return json::string("of " + text);
}

// To another cluster, which nobody sees here.
Made backup_and_send(model::Cluster const& cluster, Random& random) {
  auto const instance = any_with_disks(cluster, random);
  if (!instance) return {};
  auto made = backup_of(*instance, cluster, random);
  json::array disks;
  for (std::size_t i = 0; i < instance->disks.size(); ++i) {
    disks.push_back(json::array{"192.0.2.1", 4000 + i, "magic", signature_of("disk"), "salt"});
  }
  (*made)["mode"] = "remote";
  (*made)["target_node"] = std::move(disks);
  (*made)["x509_key_name"] = json::array{"x509-key", signature_of("x509-key"), "salt"};
  (*made)["destination_x509_ca"] = "certificate";
  (*made)["remove_instance"] = one_in(random, 2);
  return made;
}

Made backup_prepare(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_BACKUP_PREPARE", cluster, random);
  if (made) (*made)["mode"] = "remote";
  return made;
}

Made remote_import(model::Cluster const& cluster, Random& random) {
  auto made = create(cluster, random);
  if (!made) return made;
  (*made)["mode"] = "remote-import";
  (*made)["disk_template"] = "file";
  (*made)["disks"] = json::array{json::object{{"size", 128}}, json::object{{"size", 64}}};
  (*made)["source_handshake"] = json::array{0, signature_of("0:Hi, I'm Ganeti"), "salt"};
  (*made)["source_x509_ca"] = "certificate";
  (*made)["source_instance_name"] = "vm-elsewhere";
  return made;
}

Made import(model::Cluster const& cluster, Random& random) {
  auto const exported = backup_first(cluster, random);
  if (!exported) return {};
  auto made = op("OP_INSTANCE_CREATE");
  made["mode"] = "import";
  made["instance_name"] = json::string(fmt::format("vm-{}", random.below(names_max)));
  made["src_path"] = *exported->if_contains("instance_name");
  made["src_node"] = *exported->if_contains("target_node");
  made["pnode"] = *exported->if_contains("target_node");
  made["nics"] = json::array{json::object{{"link", "br0"}}};
  made["ignore_ipolicy"] = true;
  made["start"] = one_in(random, 2);
  return made;
}

Made backup_remove(model::Cluster const& cluster, Random& random) {
  auto const exported = backup_first(cluster, random);
  if (!exported) return {};
  auto made = op("OP_BACKUP_REMOVE");
  made["instance_name"] = *exported->if_contains("instance_name");
  return made;
}

Made cluster_set_params(model::Cluster const&, Random& random) {
  auto made = op("OP_CLUSTER_SET_PARAMS");
  auto const choice = static_cast<std::int64_t>(random.below(2));
  made["beparams"] = json::object{{"vcpus", 1 + choice}};
  made["prealloc_wipe_disks"] = choice == 1;
  return made;
}

Made cluster_rename(model::Cluster const&, Random& random) {
  auto made = op("OP_CLUSTER_RENAME");
  made["name"] = json::string(fmt::format("sim-{}", random.below(cluster_names)));
  return made;
}

Made tags(std::string_view op_id, model::Cluster const& cluster, Random& random) {
  auto made = op(op_id);
  made["tags"] = json::array{json::string(fmt::format("tag-{}", random.below(5)))};
  auto const instances = cluster.instances_by_name();
  if (one_in(random, 3) || instances.empty()) {
    made["kind"] = "cluster";
  } else {
    made["kind"] = "instance";
    made["name"] = json::string(any(instances, random)->name);
  }
  return made;
}

json::string group_name(Random& random) {
  return json::string(fmt::format("group-{}", random.below(3)));
}

Made group_add(model::Cluster const&, Random& random) {
  auto made = op("OP_GROUP_ADD");
  made["group_name"] = group_name(random);
  static std::vector<std::string> const policies{"preferred", "last_resort"};
  made["alloc_policy"] = json::string(any(policies, random));
  made["ndparams"] = json::object{{"ssh_port", static_cast<std::int64_t>(22 + random.below(3))}};
  return made;
}

// One of those that came and go; the first one stays.
Made on_group(std::string_view op_id, model::Cluster const& cluster, Random& random) {
  std::vector<std::string> names;
  for (auto const& group : cluster.groups_by_name()) {
    if (group->name != "default") names.push_back(group->name);
  }
  if (names.empty()) return {};
  auto made = op(op_id);
  made["group_name"] = json::string(any(names, random));
  return made;
}

Made group_modify(model::Cluster const& cluster, Random& random) {
  auto made = on_group("OP_GROUP_SET_PARAMS", cluster, random);
  if (!made) return {};
  auto const stripes = static_cast<std::int64_t>(1 + random.below(2));
  (*made)["diskparams"] = json::object{{"plain", json::object{{"stripes", stripes}}}};
  (*made)["ipolicy"] = json::object{{"vcpu-ratio", static_cast<double>(1 + random.below(8))}};
  return made;
}

Made group_rename(model::Cluster const& cluster, Random& random) {
  auto made = on_group("OP_GROUP_RENAME", cluster, random);
  if (made) (*made)["new_name"] = group_name(random);
  return made;
}

Made group_assign(model::Cluster const& cluster, Random& random) {
  auto made = op("OP_GROUP_ASSIGN_NODES");
  made["group_name"] = json::string(any(cluster.groups_by_name(), random)->name);
  made["nodes"] = json::array{json::string(any(cluster.nodes_by_name(), random)->name)};
  return made;
}

Made group_remove(model::Cluster const& cluster, Random& random) {
  return on_group("OP_GROUP_REMOVE", cluster, random);
}

json::string network_name(Random& random) {
  return json::string(fmt::format("network-{}", random.below(5)));
}

Made on_network(std::string_view op_id, model::Cluster const& cluster, Random& random) {
  auto const names = names_of(cluster.networks());
  if (names.empty()) return {};
  auto made = op(op_id);
  made["network_name"] = json::string(any(names, random));
  return made;
}

Made network_add(model::Cluster const&, Random& random) {
  auto made = op("OP_NETWORK_ADD");
  made["network_name"] = network_name(random);
  made["network"] = json::string(fmt::format("198.51.100.{}/28", 16 * random.below(5)));
  if (one_in(random, 2)) made["mac_prefix"] = "aa:bb:cc";
  if (one_in(random, 2)) made["add_reserved_ips"] = json::array{"198.51.100.4"};
  return made;
}

Made network_modify(model::Cluster const& cluster, Random& random) {
  auto made = on_network("OP_NETWORK_SET_PARAMS", cluster, random);
  if (!made) return {};
  if (one_in(random, 2)) {
    (*made)["gateway"] = one_in(random, 3) ? "none" : "198.51.100.1";
  } else {
    (*made)["add_reserved_ips"] = json::array{"198.51.100.3"};
    (*made)["remove_reserved_ips"] = json::array{"198.51.100.4"};
  }
  return made;
}

Made network_rename(model::Cluster const& cluster, Random& random) {
  auto made = on_network("OP_NETWORK_RENAME", cluster, random);
  if (made) (*made)["new_name"] = network_name(random);
  return made;
}

Made network_remove(model::Cluster const& cluster, Random& random) {
  return on_network("OP_NETWORK_REMOVE", cluster, random);
}

Made network_connect(model::Cluster const& cluster, Random& random) {
  auto made = on_network("OP_NETWORK_CONNECT", cluster, random);
  if (!made) return {};
  (*made)["group_name"] = json::string(any(cluster.groups_by_name(), random)->name);
  (*made)["network_mode"] = "bridged";
  (*made)["network_link"] = "br0";
  return made;
}

Made network_disconnect(model::Cluster const& cluster, Random& random) {
  auto made = on_network("OP_NETWORK_DISCONNECT", cluster, random);
  if (made) (*made)["group_name"] = json::string(any(cluster.groups_by_name(), random)->name);
  return made;
}

Made node_modify(model::Cluster const& cluster, Random& random) {
  auto made = op("OP_NODE_SET_PARAMS");
  made["node_name"] = json::string(any(cluster.nodes_by_name(), random)->name);
  made["ndparams"] = json::object{{"ssh_port", static_cast<std::int64_t>(22 + random.below(3))}};
  return made;
}

Made deactivate(model::Cluster const& cluster, Random& random) {
  auto made = on_instance("OP_INSTANCE_DEACTIVATE_DISKS", cluster, random);
  if (made) (*made)["force"] = one_in(random, 3);
  return made;
}

Made multi_alloc(model::Cluster const& cluster, Random& random) {
  auto made = op("OP_INSTANCE_MULTI_ALLOC");
  json::array instances;
  for (std::uint64_t i = 0; i <= random.below(2); ++i) {
    if (auto one = create(cluster, random)) instances.push_back(std::move(*one));
  }
  made["instances"] = std::move(instances);
  return made;
}

Made delay(model::Cluster const& cluster, Random& random) {
  auto made = op("OP_TEST_DELAY");
  made["duration"] = static_cast<double>(random.below(200)) / 10;
  made["on_master"] = !one_in(random, 3);
  made["no_locks"] = one_in(random, 2);
  if (one_in(random, 2)) {
    made["on_nodes"] = json::array{json::string(any(cluster.nodes_by_name(), random)->name)};
  }
  return made;
}

// Opcodes without arguments that matter.
std::function<Made(model::Cluster const&, Random&)> plain(std::string op_id,
                                                          json::object arguments) {
  return [op_id = std::move(op_id), arguments = std::move(arguments)](model::Cluster const&,
                                                                      Random&) -> Made {
    auto made = op(op_id);
    for (auto const& [key, value] : arguments) made[key] = value;
    return made;
  };
}

Generator on_nodes(unsigned weight, Made (*make)(model::Cluster const&, Random&)) {
  return {.weight = weight, .changes_nodes = true, .make = make};
}

}  // namespace

std::map<std::string, Generator, std::less<>> const& generators() {
  static std::map<std::string, Generator, std::less<>> const table{
      {"OP_INSTANCE_CREATE",
       {.weight = 12,
        .changes_nodes = true,
        .ways = {{"adopt", adopt}, {"import", import}, {"receive", remote_import}},
        .before = {{"import", backup_first}},
        .make = create}},
      {"OP_BACKUP_EXPORT",
       {.weight = 3,
        .changes_nodes = true,
        .ways = {{"remove", backup_and_remove}, {"send", backup_and_send}},
        .make = backup}},
      {"OP_BACKUP_PREPARE", {.weight = 1, .make = backup_prepare}},
      {"OP_BACKUP_REMOVE", {.weight = 1, .make = backup_remove}},
      {"OP_INSTANCE_REMOVE", on_nodes(6, remove)},
      {"OP_INSTANCE_STARTUP", on_nodes(10, startup)},
      {"OP_INSTANCE_SHUTDOWN", on_nodes(10, shutdown)},
      {"OP_INSTANCE_REBOOT", on_nodes(6, reboot)},
      {"OP_INSTANCE_REINSTALL", on_nodes(4, reinstall)},
      {"OP_INSTANCE_GROW_DISK", on_nodes(4, grow)},
      {"OP_INSTANCE_SET_PARAMS",
       {.weight = 10,
        .changes_nodes = true,
        .ways = {{"devices", set_devices},
                 {"convert", convert},
                 {"detach", detach},
                 {"attach", attach}},
        .before = {{"attach", detach}},
        .make = set_params}},
      {"OP_INSTANCE_RENAME", on_nodes(4, rename)},
      {"OP_INSTANCE_RECREATE_DISKS",
       {.weight = 2, .changes_nodes = true, .needs_lost_disk = true, .make = recreate}},
      {"OP_INSTANCE_QUERY_DATA", {.weight = 2, .make = plain("OP_INSTANCE_QUERY_DATA", {})}},
      {"OP_CLUSTER_POST_INIT", {.weight = 1, .make = plain("OP_CLUSTER_POST_INIT", {})}},
      {"OP_CLUSTER_SET_PARAMS", {.weight = 2, .make = cluster_set_params}},
      {"OP_CLUSTER_RENAME", {.weight = 1, .make = cluster_rename}},
      {"OP_CLUSTER_VERIFY", {.weight = 1, .make = plain("OP_CLUSTER_VERIFY", {})}},
      {"OP_CLUSTER_VERIFY_CONFIG", {.weight = 1, .make = plain("OP_CLUSTER_VERIFY_CONFIG", {})}},
      {"OP_CLUSTER_VERIFY_GROUP",
       {.weight = 1,
        .tells_of_nodes = true,
        .make = plain("OP_CLUSTER_VERIFY_GROUP", {{"group_name", "default"}})}},
      {"OP_CLUSTER_VERIFY_DISKS", {.weight = 1, .make = plain("OP_CLUSTER_VERIFY_DISKS", {})}},
      {"OP_GROUP_VERIFY_DISKS",
       {.weight = 1,
        .tells_of_nodes = true,
        .make = plain("OP_GROUP_VERIFY_DISKS", {{"group_name", "default"}})}},
      {"OP_CLUSTER_ACTIVATE_MASTER_IP",
       {.weight = 1, .make = plain("OP_CLUSTER_ACTIVATE_MASTER_IP", {})}},
      {"OP_CLUSTER_DEACTIVATE_MASTER_IP",
       {.weight = 1, .make = plain("OP_CLUSTER_DEACTIVATE_MASTER_IP", {})}},
      {"OP_CLUSTER_REDIST_CONF", {.weight = 1, .make = plain("OP_CLUSTER_REDIST_CONF", {})}},
      {"OP_NODE_SET_PARAMS", {.weight = 1, .make = node_modify}},
      {"OP_GROUP_ADD", {.weight = 2, .make = group_add}},
      {"OP_GROUP_ASSIGN_NODES", {.weight = 2, .make = group_assign}},
      {"OP_GROUP_REMOVE", {.weight = 1, .make = group_remove}},
      {"OP_GROUP_RENAME", {.weight = 1, .make = group_rename}},
      {"OP_GROUP_SET_PARAMS", {.weight = 1, .make = group_modify}},
      {"OP_NETWORK_ADD", {.weight = 1, .make = network_add}},
      {"OP_NETWORK_CONNECT", {.weight = 2, .make = network_connect}},
      {"OP_NETWORK_DISCONNECT", {.weight = 2, .make = network_disconnect}},
      {"OP_NETWORK_REMOVE", {.weight = 1, .make = network_remove}},
      {"OP_NETWORK_RENAME", {.weight = 1, .make = network_rename}},
      {"OP_NETWORK_SET_PARAMS", {.weight = 1, .make = network_modify}},
      {"OP_CLUSTER_REPAIR_DISK_SIZES",
       {.weight = 1, .make = plain("OP_CLUSTER_REPAIR_DISK_SIZES", {})}},
      {"OP_INSTANCE_ACTIVATE_DISKS", on_nodes(2,
                                              [](model::Cluster const& cluster, Random& random) {
                                                return on_instance("OP_INSTANCE_ACTIVATE_DISKS",
                                                                   cluster, random);
                                              })},
      {"OP_INSTANCE_DEACTIVATE_DISKS", on_nodes(2, deactivate)},
      {"OP_INSTANCE_MULTI_ALLOC", on_nodes(1, multi_alloc)},
      {"OP_TAGS_SEARCH",
       {.weight = 1, .make = plain("OP_TAGS_SEARCH", {{"pattern", "tag-[0-2]"}})}},
      {"OP_OS_DIAGNOSE",
       {.weight = 1,
        .make = plain("OP_OS_DIAGNOSE", {{"output_fields", json::array{"name", "valid"}}})}},
      {"OP_NODE_QUERYVOLS",
       {.weight = 1,
        .make = plain("OP_NODE_QUERYVOLS", {{"output_fields", json::array{"node", "name"}}})}},
      {"OP_NODE_QUERY_STORAGE",
       {.weight = 1,
        .make = plain(
            "OP_NODE_QUERY_STORAGE",
            {{"output_fields", json::array{"node", "name", "size"}}, {"storage_type", "lvm-vg"}})}},
      {"OP_TAGS_SET",
       {.weight = 3,
        .make = [](model::Cluster const& cluster,
                   Random& random) { return tags("OP_TAGS_SET", cluster, random); }}},
      {"OP_TAGS_DEL",
       {.weight = 2,
        .make = [](model::Cluster const& cluster,
                   Random& random) { return tags("OP_TAGS_DEL", cluster, random); }}},
      {"OP_TEST_DELAY", {.weight = 4, .make = delay}},
      {"OP_TEST_JQUEUE",
       {.weight = 1, .make = plain("OP_TEST_JQUEUE", {{"log_messages", json::array{"a", ""}}})}},
      {"OP_TEST_OS_PARAMS",
       {.weight = 1,
        .make = plain("OP_TEST_OS_PARAMS", {{"osparams_secret", {{"password", "s3cret"}}}})}},
  };
  return table;
}

}  // namespace flotte::simulation
