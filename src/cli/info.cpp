#include "cli/info.h"

#include <algorithm>
#include <cstdio>

#include "base/size.h"
#include "cli/print.h"

namespace flotte::cli {
namespace {

std::string comma_joined(json::value const& list) {
  std::string out;
  for (auto const& item : list.as_array()) out += (out.empty() ? "" : ", ") + python_text(item);
  return out;
}

// Inherited ones print as "default (VALUE)".
json::value parameters(json::object const& own, json::object const& actual) {
  json::object out;
  for (auto const& [key, value] : sorted(actual)) {
    out[key] = own.contains(key) ? text_value(python_text(value))
                                 : text_value(fmt::format("default ({})", python_text(value)));
  }
  return out.empty() ? json::value("") : json::value(out);
}

json::value nics(json::array const& list, json::object const& taps, json::array const& filtered) {
  json::array out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto const& nic = list[i].as_array();
    json::object row;
    row[fmt::format("nic/{}", i)] = "";
    constexpr std::pair<char const*, std::size_t> columns[] = {
        {"MAC", 3},  {"IP", 2},      {"mode", 4}, {"link", 5},
        {"vlan", 6}, {"network", 8}, {"UUID", 1}, {"name", 0}};
    for (auto const& [key, at] : columns) row[key] = nic.at(at);
    if (auto const* network = row["network"].if_object())
      row["network"] = json::value(network->at("name"));
    // Of one that runs.
    if (auto const* tap = taps.if_contains(python_text(nic.at(1)))) row["tap"] = *tap;
    if (std::ranges::find(filtered, nic.at(1)) != filtered.end()) row["antispoof"] = "yes";
    out.push_back(std::move(row));
  }
  return out.empty() ? json::value("") : json::value(out);
}

json::value disks(json::array const& list) {
  json::array out;
  for (auto const& item : list) {
    auto const& disk = item.as_object();
    json::object row;
    row[disk.at("iv_name").as_string()] = text_value(
        fmt::format("{}, size {}", python_text(disk.at("dev_type")),
                    format_size({disk.at("size").to_number<std::int64_t>()}, Unit::Human)));
    row["access mode"] = disk.at("mode");
    if (python_text(disk.at("dev_type")) == "plain") {
      auto const& id = disk.at("logical_id").as_array();
      row["logical_id"] = text_value(python_text(id.at(0)) + "/" + python_text(id.at(1)));
    } else {
      row["logical_id"] = text_value(python_text(disk.at("logical_id")));
    }
    if (auto const* status = disk.at("pstatus").if_array()) {
      auto const number = [](json::value const& part) {
        return part.is_null() ? std::string("N/A") : python_text(part);
      };
      row["on primary"] = text_value(fmt::format("{} ({}:{})", python_text(status->at(0)),
                                                 number(status->at(1)), number(status->at(2))));
    }
    row["name"] = disk.at("name");
    row["UUID"] = disk.at("uuid");
    out.push_back(std::move(row));
  }
  return out.empty() ? json::value("") : json::value(out);
}

// "vnc to 127.0.0.1:11042 (node n) (display 5142)"
std::string vnc_of(json::object const& info) {
  auto const* bound = info.at("hv_actual").as_object().if_contains("vnc_bind_address");
  auto const address = bound ? python_text(*bound) : std::string();
  if (address.empty() || info.at("network_port").is_null()) return {};
  constexpr std::int64_t vnc_base_port = 5900;
  auto const node = python_text(info.at("pnode"));
  auto const port = info.at("network_port").to_number<std::int64_t>();
  auto const display = port - vnc_base_port;
  if (address.front() == '/') return fmt::format("vnc to {}:{}", node, address);
  return address == "0.0.0.0"
             ? fmt::format("vnc to {}:{} (display {})", node, port, display)
             : fmt::format("vnc to {}:{} (node {}) (display {})", address, port, node, display);
}

// A number of a policy without a fraction that says nothing.
json::value short_number(json::value const& value) {
  if (!value.is_number()) return value;
  auto const number = value.to_number<double>();
  auto const whole = static_cast<std::int64_t>(number);
  return number == static_cast<double>(whole) ? json::value(whole) : json::value(number);
}

// What it has of its own, and what it inherits as "default (VALUE)".
json::object policy_layout(json::object const& own, json::object const& actual, bool is_cluster) {
  json::object out;
  json::array bounds;
  auto const has_bounds = own.contains("minmax");
  auto const& pairs = (has_bounds ? own : actual).at("minmax").as_array();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    json::object row;
    for (auto const* end : {"min", "max"}) {
      auto const& spec = pairs[i].at(end).as_object();
      row[fmt::format("{}/{}", end, i)] = parameters(has_bounds ? spec : json::object(), spec);
    }
    bounds.push_back(std::move(row));
  }
  out["bounds specs"] = std::move(bounds);
  if (is_cluster) out["std"] = sorted(actual.at("std").as_object());
  auto const* templates = own.if_contains("disk-templates");
  out["allowed disk templates"] = text_value(
      templates ? comma_joined(*templates)
                : fmt::format("default ({})", comma_joined(actual.at("disk-templates"))));
  for (auto const* ratio : {"vcpu-ratio", "spindle-ratio"}) {
    auto const* custom = own.if_contains(ratio);
    out[ratio] =
        custom
            ? short_number(*custom)
            : text_value(fmt::format("default ({})", python_text(short_number(actual.at(ratio)))));
  }
  return out;
}

}  // namespace

// Also those inside.
json::object sorted(json::object const& object) {
  std::vector<std::string> keys;
  for (auto const& [key, value] : object) keys.emplace_back(std::string_view(key));
  std::ranges::sort(keys);
  json::object out;
  for (auto const& key : keys) {
    auto const& value = object.at(key);
    out[key] = value.is_object() ? json::value(sorted(value.get_object())) : value;
  }
  return out;
}

json::object group_layout(json::object const& row) {
  json::object out;
  out["Node group"] = row.at("name");
  out["Node parameters"] =
      parameters(row.at("custom_ndparams").as_object(), row.at("ndparams").as_object());
  json::object disks;
  auto const& own = row.at("custom_diskparams").as_object();
  for (auto const& [kind, params] : sorted(row.at("diskparams").as_object())) {
    auto const* custom = own.if_contains(kind);
    auto const& filled = params.as_object();
    disks[kind] = filled.empty()
                      ? json::value("default ({})")
                      : parameters(custom ? custom->as_object() : json::object(), filled);
  }
  out["Disk parameters"] = std::move(disks);
  out["Instance policy"] =
      policy_layout(row.at("custom_ipolicy").as_object(), row.at("ipolicy").as_object(), false);
  return out;
}

json::object instance_layout(json::object const& info) {
  auto const state = [&] {
    auto const wished = python_text(info.at("config_state"));
    return info.at("run_state").is_null() ? fmt::format("configured to be {}", wished)
                                          : fmt::format("configured to be {}, actual state is {}",
                                                        wished, python_text(info.at("run_state")));
  };
  json::object out;
  out["Instance name"] = info.at("name");
  out["UUID"] = info.at("uuid");
  out["Serial number"] = info.at("serial_no");
  out["Creation time"] = text_value(local_time(info.at("ctime").to_number<double>()));
  out["Modification time"] = text_value(local_time(info.at("mtime").to_number<double>()));
  out["State"] = text_value(state());
  json::object primary;
  primary["primary"] = info.at("pnode");
  primary["group"] =
      text_value(fmt::format("{} (UUID {})", python_text(info.at("pnode_group_name")),
                             python_text(info.at("pnode_group_uuid"))));
  json::object secondaries;
  secondaries["secondaries"] = "";
  out["Nodes"] = json::array{std::move(primary), std::move(secondaries)};
  out["Operating system"] = info.at("os");
  out["Operating system parameters"] =
      parameters(info.at("os_instance").as_object(), info.at("os_actual").as_object());
  out["Allocated network port"] = info.at("network_port");
  out["Hypervisor"] = info.at("hypervisor");
  auto hv = info.at("hv_actual").as_object();
  if (auto const vnc = vnc_of(info); !vnc.empty()) out["console connection"] = text_value(vnc);
  if (python_text(info.at("hypervisor")) == "fake") hv.clear();
  out["Hypervisor parameters"] = parameters(info.at("hv_instance").as_object(), hv);
  out["Back-end parameters"] =
      parameters(info.at("be_instance").as_object(), info.at("be_actual").as_object());
  out["NICs"] = nics(info.at("nics").as_array(), info.at("taps").as_object(),
                     info.at("filtered_nics").as_array());
  out["Disk template"] = info.at("disk_template");
  out["Disks"] = disks(info.at("disks").as_array());
  auto const& pending = info.at("pending").as_object();
  if (!pending.empty()) out["Takes effect at the next start"] = sorted(pending);
  return out;
}

json::object cluster_layout(json::object const& info) {
  auto const text = [&](char const* key) { return info.at(key); };
  auto const none = [](json::value const& value) {
    auto const is_empty = (value.is_string() && value.get_string().empty());
    return is_empty ? json::value("None") : value;
  };
  auto const joined = [&](char const* key) {
    auto const& list = info.at(key).as_array();
    return list.empty() ? json::value("(none)") : text_value(comma_joined(list));
  };
  auto const each_sorted = [](json::object const& object) -> json::value {
    json::object out;
    for (auto const& [key, value] : sorted(object)) {
      auto const* inner = value.if_object();
      out[key] = inner && !inner->empty() ? json::value(sorted(*inner)) : json::value("");
    }
    return out.empty() ? json::value("") : json::value(out);
  };
  json::object out;
  out["Cluster name"] = text("name");
  out["Cluster UUID"] = text("uuid");
  out["Creation time"] = text_value(local_time(info.at("ctime").to_number<double>()));
  out["Modification time"] = text_value(local_time(info.at("mtime").to_number<double>()));
  out["Master node"] = text("master");
  out["Architecture (this node)"] = "64bits (x86_64)";
  out["Tags"] = joined("tags");
  out["Default hypervisor"] = text("default_hypervisor");
  out["Enabled hypervisors"] = joined("enabled_hypervisors");
  out["Hypervisor parameters"] = each_sorted(info.at("hvparams").as_object());
  out["OS-specific hypervisor parameters"] = each_sorted(info.at("os_hvp").as_object());
  out["OS parameters"] = each_sorted(info.at("osparams").as_object());
  out["Hidden OSes"] = text_value(comma_joined(info.at("hidden_os")));
  out["Blacklisted OSes"] = text_value(comma_joined(info.at("blacklisted_os")));
  json::object cluster;
  cluster["candidate pool size"] = text("candidate_pool_size");
  cluster["maximal number of jobs running simultaneously"] = text("max_running_jobs");
  cluster["maximal number of jobs simultaneously tracked by the scheduler"] =
      text("max_tracked_jobs");
  cluster["mac prefix"] = text("mac_prefix");
  cluster["master netdev"] = text("master_netdev");
  cluster["master netmask"] = text("master_netmask");
  cluster["use external master IP address setup script"] = text("use_external_mip_script");
  cluster["lvm volume group"] = none(text("volume_group_name"));
  cluster["lvm reserved volumes"] = joined("reserved_lvs");
  cluster["drbd usermode helper"] = none(text("drbd_usermode_helper"));
  cluster["file storage path"] = none(text("file_storage_dir"));
  cluster["shared file storage path"] = none(text("shared_file_storage_dir"));
  cluster["gluster storage path"] = text("gluster_storage_dir");
  cluster["maintenance of node health"] = text("maintain_node_health");
  cluster["uid pool"] = "";
  cluster["default instance allocator"] = text("default_iallocator");
  cluster["default instance allocator parameters"] = "";
  cluster["primary ip version"] = text("primary_ip_version");
  cluster["preallocation wipe disks"] = text("prealloc_wipe_disks");
  cluster["OS search path"] =
      "/srv/ganeti/os, /usr/local/lib/ganeti/os, /usr/lib/ganeti/os, /usr/share/ganeti/os";
  cluster["ExtStorage Providers search path"] =
      "/srv/ganeti/extstorage, /usr/local/lib/ganeti/extstorage, /usr/lib/ganeti/extstorage, "
      "/usr/share/ganeti/extstorage";
  cluster["enabled disk templates"] = joined("enabled_disk_templates");
  cluster["install image"] = text("install_image");
  cluster["instance communication network"] = text("instance_communication_network");
  cluster["zeroing image"] = text("zeroing_image");
  cluster["compression tools"] = info.at("compression_tools");
  cluster["enabled user shutdown"] = text("enabled_user_shutdown");
  cluster["modify ssh setup"] = text("modify_ssh_setup");
  cluster["ssh_key_type"] = text("ssh_key_type");
  cluster["ssh_key_bits"] = text("ssh_key_bits");
  out["Cluster parameters"] = std::move(cluster);
  auto nd = sorted(info.at("ndparams").as_object());
  // Ganeti prints this one without its fraction.
  if (nd.at("cpu_speed") == json::value(1.0)) nd["cpu_speed"] = 1;
  out["Default node parameters"] = std::move(nd);
  out["Default instance parameters"] = each_sorted(info.at("beparams").as_object());
  out["Default nic parameters"] = each_sorted(info.at("nicparams").as_object());
  out["Default disk parameters"] = each_sorted(info.at("diskparams").as_object());
  auto const& policy = info.at("ipolicy").as_object();
  out["Instance policy - limits for instances"] = policy_layout(policy, policy, true);
  json::object collectors;
  for (auto const* name :
       {"cpu-avg-load", "diskstats", "drbd", "inst-status-xen", "lv", "xen-cpu-avg-load"}) {
    collectors[name] = json::object{{"active", true}, {"interval", "5.000s"}};
  }
  out["Data collectors"] = std::move(collectors);
  return out;
}

json::object job_layout(json::object const& row) {
  auto const stamp = [&](char const* key) { return stamp_text(row.at(key)); };
  auto const seconds = [](json::value const& value) {
    return value.is_array()
               ? value.at(0).to_number<double>() + value.at(1).to_number<double>() / 1e6
               : 0.0;
  };
  auto const delta = [&](char const* from, char const* to) {
    if (!row.at(from).is_array() || !row.at(to).is_array()) return std::string("N/A");
    return fmt::format("{} (delta {:.6f}s)", stamp(to),
                       seconds(row.at(to)) - seconds(row.at(from)));
  };
  json::object out;
  out["Job ID"] = row.at("id");
  out["Status"] = row.at("status");
  out["Received"] = text_value("        " + stamp("received_ts"));
  out["Processing start"] = text_value(delta("received_ts", "start_ts"));
  out["Processing end"] = text_value("  " + delta("start_ts", "end_ts"));
  out["Total processing time"] =
      row.at("end_ts").is_array()
          ? text_value(fmt::format("{:.6f} seconds",
                                   seconds(row.at("end_ts")) - seconds(row.at("received_ts"))))
          : json::value("N/A");
  json::array ops;
  auto const& inputs = row.at("ops").as_array();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    json::object op;
    op["Opcode"] = inputs[i].at("OP_ID");
    op["Status"] = row.at("opstatus").at(i);
    op["Processing start"] = text_value(stamp_text(row.at("opstart").at(i)));
    op["Execution start"] = text_value(" " + stamp_text(row.at("opexec").at(i)));
    op["Processing end"] = text_value("  " + stamp_text(row.at("opend").at(i)));
    op["Input fields"] = sorted(inputs[i].as_object());
    op["Result"] = row.at("opresult").at(i);
    json::array log;
    for (auto const& entry : row.at("oplog").at(i).as_array()) {
      log.push_back(
          json::object{{"Time", text_value(stamp_text(entry.at(1)))}, {"Content", entry.at(3)}});
    }
    op["Execution log"] = log.empty() ? json::value("") : json::value(log);
    ops.push_back(std::move(op));
  }
  out["Opcodes"] = std::move(ops);
  auto const* by = row.if_contains("submitted_by");
  if (by && by->is_string()) out["Submitted by"] = *by;
  auto const* journal = row.if_contains("journal");
  if (journal && journal->is_array() && !journal->get_array().empty()) out["Journal"] = *journal;
  auto const* aside = row.if_contains("set_aside");
  if (aside && aside->is_string()) out["Set aside"] = *aside;
  return out;
}

}  // namespace flotte::cli
