#include "query/info.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "model/params.h"

namespace flotte::query {
namespace {

json::value text(std::string const& value) {
  return json::value(json::string_view(value));
}

json::value text_or_null(std::optional<std::string> const& value) {
  return value ? text(*value) : json::value(nullptr);
}

json::array texts(std::vector<std::string> const& list) {
  json::array out;
  for (auto const& item : list) out.push_back(text(item));
  return out;
}

// What a NIC is in, and what is known of that; null twice where it is in none.
std::pair<json::value, json::value> network_of(model::Cluster const& cluster,
                                               model::Nic const& nic) {
  auto const network = nic.network ? cluster.find(*nic.network) : nullptr;
  if (!network) return {};
  // As long as the network is large, and no NIC's matter.
  auto brief = *network;
  brief.ext_reservations.clear();
  auto known = schema::encode(brief);
  known.erase("ext_reservations");
  return {text(network->uuid.text()), std::move(known)};
}

json::array nics_of(model::Cluster const& cluster, model::Instance const& instance) {
  json::array out;
  for (auto const& nic : instance.nics) {
    auto const params = model::filled_nicparams(cluster.settings(), nic);
    auto [network, known] = network_of(cluster, nic);
    out.push_back(json::array{
        text_or_null(nic.name), text(nic.uuid.text()), text_or_null(nic.ip), text(nic.mac),
        text(model::text_of(params, "mode")), text(model::text_of(params, "link")),
        text(model::text_of(params, "vlan")), std::move(network), std::move(known)});
  }
  return out;
}

// Ganeti's rows have no place for it.
json::array filtered_nics(model::Cluster const& cluster, model::Instance const& instance) {
  json::array out;
  for (auto const& nic : instance.nics) {
    auto const params = model::filled_nicparams(cluster.settings(), nic);
    if (model::is_true(params, "antispoof")) out.push_back(text(nic.uuid.text()));
  }
  return out;
}

json::array disks_of(model::Instance const& instance, InstanceObserved const& observed) {
  json::array out;
  for (std::size_t i = 0; i < instance.disks.size(); ++i) {
    auto const& disk = instance.disks[i];
    json::object row;
    row["iv_name"] = fmt::format("disk/{}", i);
    row["dev_type"] = schema::name_of(disk.dev_type);
    row["logical_id"] = texts(disk.logical_id);
    row["physical_id"] = texts(disk.logical_id);
    row["pstatus"] = nullptr;
    if (i < observed.devices.size() && observed.devices[i]) {
      auto const& device = *observed.devices[i];
      auto const colon = device.device_number.find(':');
      auto const is_block =
          device.device_number.find_first_not_of("0123456789:") == std::string::npos &&
          colon != std::string::npos;
      json::value major = nullptr;
      json::value minor = nullptr;
      if (is_block) {
        major = whole_number(std::string_view(device.device_number).substr(0, colon)).value_or(0);
        minor = whole_number(std::string_view(device.device_number).substr(colon + 1)).value_or(0);
      }
      row["pstatus"] =
          json::array{text(device.path), major, minor, nullptr, nullptr, false, nullptr};
    }
    row["sstatus"] = nullptr;
    row["mode"] = schema::name_of(disk.mode);
    row["size"] = disk.size.value;
    row["spindles"] = disk.spindles ? json::value(*disk.spindles) : json::value(nullptr);
    row["name"] = text_or_null(disk.name);
    row["uuid"] = text(disk.uuid.text());
    row["children"] = json::array();
    row["params"] = disk.params;
    out.push_back(std::move(row));
  }
  return out;
}

std::string shown(json::value const& value) {
  if (value.is_null() || (value.is_string() && value.get_string().empty())) return "nothing";
  return value.is_string() ? std::string(std::string_view(value.get_string()))
                           : json::serialize(value);
}

// What a running guest has otherwise than its next start will give it: "64 now, 96 after the next
// start".
class Pending {
 public:
  Pending(model::Settings const& settings, model::Instance const& instance,
          rpc::RunningInstance const& running)
      : settings_(settings), instance_(instance), running_(running) {}

  json::object find() {
    parameters("hv/", running_.hvparams, model::start_hvparams(settings_, instance_));
    // Nothing else is known of how it was started.
    if (running_.memory_max.value == 0) return std::move(out_);
    auto const be = model::filled_beparams(settings_, instance_);
    differs("be/maxmem", running_.memory_max.value, model::number_of(be, "maxmem"));
    differs("be/vcpus", running_.vcpus, model::number_of(be, "vcpus"));
    nics();
    disks();
    return std::move(out_);
  }

 private:
  void say(std::string const& what, std::string const& now, std::string const& then) {
    out_[what] = text(fmt::format("{} now, {} after the next start", now, then));
  }

  void differs(std::string const& what, json::value const& now, json::value const& then) {
    if (now != then) say(what, shown(now), shown(then));
  }

  void parameters(std::string const& prefix, json::object const& now, json::object const& then) {
    for (auto const& [name, value] : then) {
      if (auto const* has = now.if_contains(name)) differs(prefix + std::string(name), *has, value);
    }
  }

  void nics() {
    for (std::size_t i = 0; i < instance_.nics.size(); ++i) {
      auto const& nic = instance_.nics[i];
      auto const has = std::ranges::find(running_.nics, nic.uuid, &rpc::RunningNic::uuid);
      auto const what = fmt::format("nic/{}", i);
      if (has == running_.nics.end()) {
        say(what, "not there", "there");
      } else {
        auto const then = model::filled_nicparams(settings_, nic);
        parameters(what + "/", has->params, then);
        // Only there where it is on.
        differs(what + "/antispoof", model::is_true(has->params, "antispoof"),
                model::is_true(then, "antispoof"));
      }
    }
    for (auto const& nic : running_.nics) {
      if (std::ranges::find(instance_.nics, nic.uuid, &model::Nic::uuid) == instance_.nics.end()) {
        say(fmt::format("nic {}", nic.uuid.text()), "there", "gone");
      }
    }
  }

  void disks() {
    for (std::size_t i = 0; i < instance_.disks.size(); ++i) {
      if (std::ranges::find(running_.disks, instance_.disks[i].uuid) == running_.disks.end()) {
        say(fmt::format("disk/{}", i), "not there", "there");
      }
    }
    for (auto const& uuid : running_.disks) {
      if (std::ranges::find(instance_.disks, uuid, &model::Disk::uuid) == instance_.disks.end()) {
        say(fmt::format("disk {}", uuid.text()), "there", "gone");
      }
    }
  }

  model::Settings const& settings_;
  model::Instance const& instance_;
  rpc::RunningInstance const& running_;
  json::object out_;
};

json::object taps_of(rpc::RunningInstance const& running) {
  json::object out;
  for (auto const& nic : running.nics) out[nic.uuid.text()] = text(nic.tap);
  return out;
}

}  // namespace

json::object instance_info(model::Cluster const& cluster, model::Instance const& instance,
                           InstanceObserved const& observed) {
  auto const& settings = cluster.settings();
  auto const node = cluster.node(instance.primary_node);
  auto const group =
      node ? cluster.group((*node)->group.text()) : Result<model::GroupPtr>(Failure(node.error()));
  auto const hv = model::without_globals(model::filled_hvparams(settings, instance));
  auto be = model::filled_beparams(settings, instance);
  be["memory"] = be["maxmem"];
  json::object out;
  out["name"] = text(instance.name);
  out["uuid"] = text(instance.uuid.text());
  out["serial_no"] = instance.serial_no;
  out["ctime"] = instance.ctime;
  out["mtime"] = instance.mtime;
  out["config_state"] = schema::name_of(instance.admin_state);
  out["run_state"] =
      observed.is_known ? json::value(observed.running ? "up" : "down") : json::value(nullptr);
  out["pnode"] = node ? text((*node)->name) : json::value(nullptr);
  out["pnode_group_name"] = group ? text((*group)->name) : json::value(nullptr);
  out["pnode_group_uuid"] = group ? text((*group)->uuid.text()) : json::value(nullptr);
  out["snodes"] = json::array();
  out["snodes_group_names"] = json::array();
  out["snodes_group_uuids"] = json::array();
  out["os"] = text(instance.os);
  out["os_instance"] = instance.osparams;
  out["os_actual"] = model::filled_osparams(cluster.settings(), instance);
  out["hypervisor"] = schema::name_of(instance.hypervisor);
  out["network_port"] =
      instance.network_port ? json::value(*instance.network_port) : json::value(nullptr);
  out["hv_instance"] = instance.hvparams;
  out["hv_actual"] = hv;
  out["be_instance"] = instance.beparams;
  out["be_actual"] = std::move(be);
  out["nics"] = nics_of(cluster, instance);
  out["disk_template"] = schema::name_of(instance.disk_template);
  out["disks"] = disks_of(instance, observed);
  out["tags"] = texts(instance.tags);
  // Ours, beyond Ganeti.
  auto const& running = observed.running;
  out["pending"] = running ? Pending(settings, instance, *running).find() : json::object();
  out["taps"] = running ? taps_of(*running) : json::object();
  out["filtered_nics"] = filtered_nics(cluster, instance);
  return out;
}

namespace {

// What is kept for hypervisors that are not enabled isn't told.
json::object enabled_os_hvp(model::Settings const& settings) {
  json::object out;
  for (auto const& [os, by_kind] : settings.os_hvp) {
    json::object enabled;
    auto const* kinds = by_kind.if_object();
    for (auto const kind : settings.enabled_hypervisors) {
      auto const* params = kinds ? kinds->if_contains(schema::name_of(kind)) : nullptr;
      if (params) enabled[schema::name_of(kind)] = *params;
    }
    out[os] = std::move(enabled);
  }
  return out;
}

}  // namespace

json::object cluster_info(model::Cluster const& cluster, bool is_drained,
                          std::optional<std::int64_t> watcher_paused_until) {
  auto const& settings = cluster.settings();
  auto out = schema::encode(settings);
  json::object hv;
  for (auto const kind : settings.enabled_hypervisors) {
    hv[schema::name_of(kind)] = model::filled_hvparams(settings, kind);
  }
  json::object disk;
  std::map<std::string_view, model::DiskTemplate> kinds;
  for (auto const& [kind, name] : schema::EnumNames<model::DiskTemplate>::names) kinds[name] = kind;
  for (auto const& [name, kind] : kinds) disk[name] = model::filled_diskparams(settings, kind);
  auto const master = cluster.node(settings.master_node);
  auto ipolicy = model::filled_ipolicy(settings);
  out["name"] = text(settings.cluster_name);
  out["master"] = master ? text((*master)->name) : json::value(nullptr);
  out["hvparams"] = std::move(hv);
  out["os_hvp"] = enabled_os_hvp(settings);
  out["beparams"] = json::object{{"default", model::filled_beparams(settings)}};
  out["nicparams"] = json::object{{"default", model::filled_nicparams(settings)}};
  out["ndparams"] = model::filled_ndparams(cluster);
  out["diskparams"] = std::move(disk);
  out["ipolicy"] = std::move(ipolicy);
  out["default_hypervisor"] = settings.enabled_hypervisors.empty()
                                  ? json::value(nullptr)
                                  : json::value(schema::name_of(settings.enabled_hypervisors[0]));
  out["uid_pool"] = json::array();
  out["software_version"] = "3.0.2";
  out["protocol_version"] = 3000000;
  out["config_version"] = 3000000;
  out["os_api_version"] = 20;
  out["export_version"] = 0;
  out["vcs_version"] = "(flotte) version 0.1.0";
  out["architecture"] = json::array{"64bits", "x86_64"};
  out["drain_flag"] = is_drained;
  out["watcher_pause"] =
      watcher_paused_until ? json::value(*watcher_paused_until) : json::value(nullptr);
  return out;
}

}  // namespace flotte::query
