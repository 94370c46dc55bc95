#include <algorithm>

#include "base/lookup.h"
#include "base/text.h"
#include "model/params.h"
#include "query/field.h"

namespace flotte::query {
namespace {

constexpr std::size_t disks_max = 16;
constexpr std::size_t nics_max = 8;

template <class List, class Get>
json::array each(List const& list, Get get) {
  json::array out;
  for (auto const& item : list) out.push_back(get(item));
  return out;
}

json::value text_or_null(std::optional<std::string> const& text) {
  return text ? json::value(json::string_view(*text)) : json::value(nullptr);
}

json::object nic_params(Row const& row, model::Nic const& nic) {
  return model::filled_nicparams(row.cluster->settings(), nic);
}

// A live cell: only with an answer from the primary node.
template <class Get>
Cell live(Row const& row, Get get) {
  if (row.primary && row.primary->offline) return {Status::Offline, nullptr};
  if (!row.on_primary) return {Status::NoData, nullptr};
  return get();
}

// Those it was started with; a node that doesn't know leaves those it has now.
json::object running_hvparams(Row const& row) {
  auto const* running = running_of(row);
  return running && !running->hvparams.empty()
             ? running->hvparams
             : model::filled_hvparams(row.cluster->settings(), *row.instance);
}

// Where the display of a running guest listens: an address and a port, or a socket.
Cell running_vnc(Row const& row) {
  if (!running_of(row)) return unavailable();
  auto const address = model::text_of(running_hvparams(row), "vnc_bind_address");
  if (address.empty()) return unavailable();
  if (address.front() == '/')
    return text_cell(fmt::format("{}/{}.vnc", address, row.instance->name));
  return row.instance->network_port
             ? text_cell(fmt::format("{}:{}", address, *row.instance->network_port))
             : unavailable();
}

Cell console(Row const& row) {
  auto const& instance = *row.instance;
  if (!running_of(row) || !row.primary) return unavailable();
  auto const hv = running_hvparams(row);
  json::object out;
  out["instance"] = json::value(json::string_view(instance.name));
  auto const address = model::text_of(hv, "vnc_bind_address");
  if (instance.hypervisor == model::HypervisorKind::Fake) {
    out["kind"] = "msg";
    out["message"] = "Console not available for fake hypervisor";
  } else if (model::is_true(hv, "serial_console")) {
    out["kind"] = "ssh";
    out["host"] = json::value(json::string_view(row.primary->name));
    out["user"] = "root";
    out["port"] = model::number_of(model::filled_ndparams(*row.cluster, *row.primary), "ssh_port");
    // The path below the run directory; who runs the command knows its prefix.
    out["command"] = json::array{"kvm-serial", json::value(json::string_view(instance.name))};
  } else if (!address.empty() && address.front() != '/' && instance.network_port) {
    constexpr std::int64_t vnc_base_port = 5900;
    out["kind"] = "vnc";
    out["host"] = json::value(json::string_view(address));
    out["port"] = *instance.network_port;
    out["display"] = *instance.network_port - vnc_base_port;
  } else {
    out["kind"] = "msg";
    out["message"] =
        "No serial shell for this instance; set hypervisor parameter serial_console or "
        "vnc_bind_address";
  }
  return plain(std::move(out));
}

// "3rd", of the third: index 2.
std::string ordinal(std::size_t index) {
  auto const place = index + 1;
  auto const is_teen = place >= 11 && place <= 13;
  auto const* end = is_teen           ? "th"
                    : place % 10 == 1 ? "st"
                    : place % 10 == 2 ? "nd"
                    : place % 10 == 3 ? "rd"
                                      : "th";
  return fmt::format("{}{}", place, end);
}

FieldTable disk_fields() {
  FieldTable table;
  for (std::size_t i = 0; i < disks_max; ++i) {
    auto const at = [i](Row const& row) -> model::Disk const* {
      return i < row.instance->disks.size() ? &row.instance->disks[i] : nullptr;
    };
    table.push_back({fmt::format("disk.size/{}", i), fmt::format("Disk/{}", i), "unit",
                     fmt::format("Disk size of {} disk", ordinal(i)), false, [at](Row const& row) {
                       auto const* disk = at(row);
                       return disk ? plain(disk->size.value) : unavailable();
                     }});
    table.push_back({fmt::format("disk.uuid/{}", i), fmt::format("DiskUUID/{}", i), "text",
                     fmt::format("UUID of {} disk", ordinal(i)), false, [at](Row const& row) {
                       auto const* disk = at(row);
                       return disk ? text_cell(disk->uuid.text()) : unavailable();
                     }});
    table.push_back({fmt::format("disk.name/{}", i), fmt::format("DiskName/{}", i), "text",
                     fmt::format("Name of {} disk", ordinal(i)), false, [at](Row const& row) {
                       auto const* disk = at(row);
                       return disk && disk->name ? text_cell(*disk->name) : unavailable();
                     }});
    table.push_back({fmt::format("disk.spindles/{}", i), fmt::format("DiskSpindles/{}", i),
                     "number", fmt::format("Spindles of {} disk", ordinal(i)), false,
                     [at](Row const& row) {
                       auto const* disk = at(row);
                       return disk && disk->spindles ? plain(*disk->spindles) : unavailable();
                     }});
  }
  return table;
}

FieldTable nic_fields() {
  using Get = std::function<json::value(Row const&, model::Nic const&)>;
  struct Column {
    std::string name;
    std::string title;
    std::string what;
    Get get;
  };
  auto const param = [](std::string key) -> Get {
    return [key](Row const& row, model::Nic const& nic) {
      return json::value(json::string_view(model::text_of(nic_params(row, nic), key)));
    };
  };
  std::vector<Column> const columns{
      {"mac", "NicMAC", "MAC address",
       [](Row const&, model::Nic const& nic) { return json::value(json::string_view(nic.mac)); }},
      {"ip", "NicIP", "IP address",
       [](Row const&, model::Nic const& nic) { return text_or_null(nic.ip); }},
      {"name", "NicName", "Name address",
       [](Row const&, model::Nic const& nic) { return text_or_null(nic.name); }},
      {"uuid", "NicUUID", "UUID address",
       [](Row const&, model::Nic const& nic) {
         return json::value(json::string_view(nic.uuid.text()));
       }},
      {"mode", "NicMode", "Mode", param("mode")},
      {"link", "NicLink", "Link", param("link")},
      {"vlan", "NicVLAN", "VLAN", param("vlan")},
      {"bridge", "NicBridge", "Bridge",
       [](Row const& row, model::Nic const& nic) {
         auto const params = nic_params(row, nic);
         return model::text_of(params, "mode") == "bridged"
                    ? json::value(json::string_view(model::text_of(params, "link")))
                    : json::value(nullptr);
       }},
      {"network", "NicNetwork", "Network",
       [](Row const&, model::Nic const& nic) {
         return nic.network ? json::value(json::string_view(nic.network->text()))
                            : json::value(nullptr);
       }},
      {"network.name", "NicNetworkName", "Network name",
       [](Row const& row, model::Nic const& nic) {
         auto const network = nic.network ? row.cluster->find(*nic.network) : nullptr;
         return network ? json::value(json::string_view(network->name)) : json::value(nullptr);
       }},
  };
  FieldTable table;
  for (std::size_t i = 0; i < nics_max; ++i) {
    for (auto const& column : columns) {
      table.push_back({fmt::format("nic.{}/{}", column.name, i),
                       fmt::format("{}/{}", column.title, i), "text",
                       fmt::format("{} of {} network interface", column.what, ordinal(i)), false,
                       [i, get = column.get](Row const& row) {
                         if (i >= row.instance->nics.size()) return unavailable();
                         auto value = get(row, row.instance->nics[i]);
                         return value.is_null() ? unavailable() : plain(std::move(value));
                       }});
    }
  }
  struct Plural {
    std::string name;
    std::string title;
    std::string column;
    std::string doc;
  };
  auto const lists = [](std::string_view what) {
    return fmt::format("List containing each network interface's {}", what);
  };
  for (auto const& plural : {Plural{"nic.macs", "NIC_MACs", "mac", lists("MAC address")},
                             Plural{"nic.ips", "NIC_IPs", "ip", lists("IP address")},
                             Plural{"nic.names", "NIC_Names", "name", lists("name")},
                             Plural{"nic.uuids", "NIC_UUIDs", "uuid", lists("UUID")},
                             Plural{"nic.modes", "NIC_modes", "mode", lists("mode")},
                             Plural{"nic.links", "NIC_links", "link", lists("link")},
                             Plural{"nic.vlans", "NIC_VLANs", "vlan", lists("VLAN")},
                             Plural{"nic.bridges", "NIC_bridges", "bridge", lists("bridge")},
                             Plural{"nic.networks", "NIC_networks", "network",
                                    "List containing each interface's network"},
                             Plural{"nic.networks.names", "NIC_networks_names", "network.name",
                                    "List containing the name of each interface's network"}}) {
    auto const get = std::ranges::find(columns, plural.column, &Column::name)->get;
    table.push_back({plural.name, plural.title, "other", plural.doc, false, [get](Row const& row) {
                       return plain(each(row.instance->nics, [&](model::Nic const& nic) {
                         auto value = get(row, nic);
                         return value == "" ? json::value(nullptr) : value;
                       }));
                     }});
  }
  return table;
}

std::string hv_title(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> titles[] = {
      {"acpi", "ACPI"},
      {"boot_order", "Boot_order"},
      {"cdrom_image_path", "CDROM_image_path"},
      {"disk_type", "Disk_type"},
      {"initrd_path", "Initrd_path"},
      {"kernel_path", "Kernel_path"},
      {"nic_type", "NIC_type"},
      {"pae", "PAE"},
      {"pci_pass", "pci_pass"},
      {"vnc_bind_address", "VNC_bind_address"}};
  for (auto const& [key, title] : titles) {
    if (key == name) return std::string(title);
  }
  return "hv/" + std::string(name);
}

std::string kind_of(model::ParamType type) {
  if (type == model::ParamType::Bool) return "bool";
  if (type == model::ParamType::Int) return "number";
  return "other";
}

FieldTable parameter_fields() {
  FieldTable table;
  for (auto const& param : model::hypervisor_params(model::HypervisorKind::Kvm)) {
    std::string const name(param.name);
    if (name.starts_with("migration_") && name != "migration_downtime" &&
        name != "migration_caps") {
      continue;
    }
    table.push_back(
        {"hv/" + name, hv_title(name), kind_of(param.type),
         fmt::format("The \"{}\" hypervisor parameter", name), false, [name](Row const& row) {
           auto const filled = model::filled_hvparams(row.cluster->settings(), *row.instance);
           auto const* value = filled.if_contains(name);
           return value ? plain(*value) : unavailable();
         }});
  }
  for (auto const& param : model::foreign_hypervisor_params()) {
    std::string const name(param.name);
    // A cluster's, not an instance's.
    if (name == "xen_cmd") continue;
    table.push_back({"hv/" + name, hv_title(name), kind_of(param.type),
                     fmt::format("The \"{}\" hypervisor parameter", name), false,
                     [](Row const&) { return unavailable(); }});
  }
  struct Be {
    std::string name;
    std::string title;
    std::string kind;
    std::string key;
  };
  for (auto const& be : {Be{"be/always_failover", "be/always_failover", "bool", "always_failover"},
                         Be{"be/auto_balance", "Auto_balance", "bool", "auto_balance"},
                         Be{"be/maxmem", "ConfigMaxMem", "unit", "maxmem"},
                         Be{"be/memory", "ConfigMaxMem", "unit", "maxmem"},
                         Be{"be/minmem", "ConfigMinMem", "unit", "minmem"},
                         Be{"be/spindle_use", "be/spindle_use", "number", "spindle_use"},
                         Be{"be/vcpus", "ConfigVCPUs", "number", "vcpus"},
                         Be{"vcpus", "ConfigVCPUs", "number", "vcpus"}}) {
    table.push_back(
        {be.name, be.title, be.kind, fmt::format("The \"{}\" backend parameter", be.key), false,
         [key = be.key](Row const& row) {
           auto const all = model::filled_beparams(row.cluster->settings(), *row.instance);
           return plain(known_at(all, key));
         }});
  }
  return table;
}

FieldTable plain_fields() {
  auto const text = [](std::string const& value) { return text_cell(value); };
  auto const seconds = [](double value) { return plain(value); };
  using R = Row const&;
  return {
      {"name", "Instance", "text", "Instance name", false,
       [=](R r) { return text(r.instance->name); }},
      {"uuid", "UUID", "text", "Instance UUID", false,
       [=](R r) { return text(r.instance->uuid.text()); }},
      {"hypervisor", "Hypervisor", "text", "Hypervisor name", false,
       [](R r) { return text_cell(schema::name_of(r.instance->hypervisor)); }},
      {"os", "OS", "text", "Operating system", false, [=](R r) { return text(r.instance->os); }},
      {"pnode", "Primary_node", "text", "Primary node", false,
       [](R r) { return r.primary ? text_cell(r.primary->name) : unavailable(); }},
      {"pnode.group", "PrimaryNodeGroup", "text", "Primary node's group", false,
       [](R r) {
         if (!r.primary) return unavailable();
         auto const group = r.cluster->group(r.primary->group.text());
         return group ? text_cell((*group)->name) : unavailable();
       }},
      {"pnode.group.uuid", "PrimaryNodeGroupUUID", "text", "Primary node's group UUID", false,
       [](R r) { return r.primary ? text_cell(r.primary->group.text()) : unavailable(); }},
      {"snodes", "Secondary_Nodes", "other", "Secondary nodes; usually this will just be one node",
       false, [](R) { return plain(json::array()); }},
      {"snodes.group", "SecondaryNodesGroups", "other", "Node groups of secondary nodes", false,
       [](R) { return plain(json::array()); }},
      {"snodes.group.uuid", "SecondaryNodesGroupsUUID", "other",
       "Node group UUIDs of secondary nodes", false, [](R) { return plain(json::array()); }},
      {"admin_state", "InstanceState", "text", "Desired state of instance", false,
       [](R r) { return text_cell(schema::name_of(r.instance->admin_state)); }},
      {"admin_state_source", "InstanceStateSource", "text",
       "Who last changed the desired state of the instance", false,
       [](R r) { return text_cell(schema::name_of(r.instance->admin_state_source)); }},
      {"admin_up", "Autostart", "bool", "Desired state of instance", false,
       [](R r) { return plain(r.instance->admin_state == model::AdminState::Up); }},
      {"status", "Status", "text",
       "Instance status; \"running\" if instance is set to be running and actually is, "
       "\"ADMIN_down\" if instance is stopped and is not running, \"ERROR_wrongnode\" if instance "
       "running, but not on its designated primary node, \"ERROR_up\" if instance should be "
       "stopped, but is actually running, \"ERROR_down\" if instance should run, but doesn't, "
       "\"ERROR_nodedown\" if instance's primary node is down, \"ERROR_nodeoffline\" if instance's "
       "primary node is marked offline, \"ADMIN_offline\" if instance is offline and does not use "
       "dynamic resources",
       true, [](R r) { return text_cell(instance_status(r)); }},
      {"oper_state", "Running", "bool", "Actual state of instance", true,
       [](R r) { return live(r, [&] { return plain(running_of(r) != nullptr); }); }},
      {"oper_ram", "Memory", "unit", "Actual memory usage as seen by hypervisor", true,
       [](R r) {
         return live(r, [&] {
           auto const* running = running_of(r);
           return running ? plain(running->memory.value) : unavailable();
         });
       }},
      {"oper_vcpus", "VCPUs", "number", "Actual number of VCPUs as seen by hypervisor", true,
       [](R r) {
         return live(r, [&] {
           auto const* running = running_of(r);
           return running ? plain(running->vcpus) : unavailable();
         });
       }},
      {"oper_vnc", "VNC", "text", "Where its display listens", true,
       [](R r) { return live(r, [&] { return running_vnc(r); }); }, /*is_own=*/true},
      {"console", "Console", "other", "Instance console information", true, console},
      {"network_port", "Network_port", "other",
       "Instance network port if available (e.g. for VNC console)", false,
       [](R r) {
         return r.instance->network_port ? plain(*r.instance->network_port) : unavailable();
       }},
      {"disk_template", "Disk_template", "text", "Instance disk template", false,
       [](R r) { return text_cell(schema::name_of(r.instance->disk_template)); }},
      {"disks_active", "DisksActive", "bool", "Desired state of instance disks", false,
       [](R r) { return plain(r.instance->disks_active); }},
      {"disk_usage", "DiskUsage", "unit",
       "Total disk space used by instance on each of its nodes; this is not the disk size visible "
       "to the instance, but the usage on the node",
       false,
       [](R r) {
         std::int64_t sum = 0;
         for (auto const& disk : r.instance->disks) sum += disk.size.value;
         return plain(sum);
       }},
      {"disk.count", "Disks", "number", "Number of disks", false,
       [](R r) { return plain(r.instance->disks.size()); }},
      {"disk.sizes", "Disk_sizes", "other", "List of disk sizes", false,
       [](R r) {
         return plain(
             each(r.instance->disks, [](auto const& d) { return json::value(d.size.value); }));
       }},
      {"disk.names", "Disk_names", "other", "List of disk names", false,
       [](R r) {
         return plain(each(r.instance->disks, [](auto const& d) { return text_or_null(d.name); }));
       }},
      {"disk.uuids", "Disk_UUIDs", "other", "List of disk UUIDs", false,
       [](R r) {
         return plain(each(r.instance->disks, [](auto const& d) {
           return json::value(json::string_view(d.uuid.text()));
         }));
       }},
      {"disk.spindles", "Disk_spindles", "other", "List of disk spindles", false,
       [](R r) {
         return plain(each(r.instance->disks, [](auto const& d) {
           return d.spindles ? json::value(*d.spindles) : json::value(nullptr);
         }));
       }},
      {"nic.count", "NICs", "number", "Number of network interfaces", false,
       [](R r) { return plain(r.instance->nics.size()); }},
      {"tags", "Tags", "other", "Tags", false,
       [](R r) { return plain(text_array(r.instance->tags)); }},
      {"serial_no", "SerialNo", "number",
       "Instance object serial number, incremented on each modification", false,
       [](R r) { return plain(r.instance->serial_no); }},
      {"ctime", "CTime", "timestamp", "Creation timestamp", false,
       [=](R r) { return seconds(r.instance->ctime); }},
      {"mtime", "MTime", "timestamp", "Modification timestamp", false,
       [=](R r) { return seconds(r.instance->mtime); }},
      {"forthcoming", "Forthcoming", "bool", "whether the Instance is forthcoming", false,
       [](R) { return plain(false); }},
      {"beparams", "BackendParameters", "other", "Backend parameters (merged)", false,
       [](R r) { return plain(model::filled_beparams(r.cluster->settings(), *r.instance)); }},
      {"custom_beparams", "CustomBackendParameters", "other", "Custom backend parameters", false,
       [](R r) { return plain(r.instance->beparams); }},
      {"hvparams", "HypervisorParameters", "other", "Hypervisor parameters (merged)", false,
       [](R r) {
         auto params = model::filled_hvparams(r.cluster->settings(), *r.instance);
         // Those that only a cluster has.
         for (auto const* name : {"migration_bandwidth", "migration_mode", "migration_port"}) {
           params.erase(name);
         }
         return plain(std::move(params));
       }},
      {"custom_hvparams", "CustomHypervisorParameters", "other", "Custom hypervisor parameters",
       false, [](R r) { return plain(r.instance->hvparams); }},
      {"osparams", "OpSysParameters", "other", "Operating system parameters (merged)", false,
       [](R r) { return plain(r.instance->osparams); }},
      {"custom_osparams", "CustomOpSysParameters", "other", "Custom operating system parameters",
       false, [](R r) { return plain(r.instance->osparams); }},
      {"custom_nicparams", "CustomNicParameters", "other", "Custom network interface parameters",
       false,
       [](R r) {
         return plain(
             each(r.instance->nics, [](auto const& n) { return json::value(n.nicparams); }));
       }},
  };
}

void add_alias(FieldTable& table, std::string_view name, std::string_view of) {
  auto const found = std::ranges::find(table, of, &Field::name);
  CHECK(found != table.end());
  auto alias = *found;
  alias.name = name;
  table.push_back(std::move(alias));
}

}  // namespace

Row row_of(model::Cluster const& cluster, Live const& live, model::Instance const& instance) {
  Row row{.cluster = &cluster, .live = &live, .instance = &instance};
  auto const node = cluster.nodes().find(instance.primary_node);
  if (node != cluster.nodes().end()) row.primary = node->second.get();
  auto const answer = live.running.find(instance.primary_node);
  if (answer == live.running.end() || !answer->second) return row;
  row.on_primary = &*answer->second;
  auto const told = row.on_primary->find(instance.name);
  if (told != row.on_primary->end()) row.told = &told->second;
  return row;
}

rpc::RunningInstance const* running_of(Row const& row) {
  return row.told && row.told->state != rpc::RunState::UserDown ? row.told : nullptr;
}

std::string_view instance_status(Row const& row) {
  auto const& instance = *row.instance;
  if (!row.primary || row.primary->offline) return "ERROR_nodeoffline";
  if (!row.on_primary) return "ERROR_nodedown";
  auto const wished = instance.admin_state;
  if (running_of(row)) {
    return wished == model::AdminState::Up ? "running" : "ERROR_up";
  }
  for (auto const& [id, running] : row.live->running) {
    if (id == instance.primary_node || !running) continue;
    if (running->contains(instance.name)) return "ERROR_wrongnode";
  }
  if (wished == model::AdminState::Up) {
    return row.told ? "USER_down" : "ERROR_down";
  }
  if (wished == model::AdminState::Offline) return "ADMIN_offline";
  return instance.admin_state_source == model::AdminStateSource::User ? "USER_down" : "ADMIN_down";
}

FieldTable const& instance_fields() {
  static FieldTable const table = [] {
    auto all = plain_fields();
    for (auto const& more : {disk_fields(), nic_fields(), parameter_fields()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    for (auto const& [name, of] :
         {std::pair{"sda_size", "disk.size/0"}, std::pair{"sdb_size", "disk.size/1"},
          std::pair{"bridge", "nic.bridge/0"}, std::pair{"mac", "nic.mac/0"},
          std::pair{"ip", "nic.ip/0"}, std::pair{"nic_mode", "nic.mode/0"},
          std::pair{"nic_link", "nic.link/0"}, std::pair{"nic_network", "nic.network/0"}}) {
      add_alias(all, name, of);
    }
    sort_naturally(all, &Field::name);
    return all;
  }();
  return table;
}

}  // namespace flotte::query
