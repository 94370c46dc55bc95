// Fields of nodes, groups, exports, jobs and locks.
#include <algorithm>

#include "base/lookup.h"
#include "base/text.h"
#include "model/params.h"
#include "query/field.h"

namespace flotte::query {
namespace {

std::vector<std::string> instances_on(Row const& row) {
  std::vector<std::string> list;
  for (auto const& instance : row.cluster->instances_by_name()) {
    if (instance->primary_node == row.node->uuid) list.push_back(instance->name);
  }
  return list;
}

// What only the node could tell, and didn't.
Cell untold(model::Node const& node) {
  return {node.offline ? Status::Offline : Status::NoData, nullptr};
}

// A live cell of a node.
template <class Get>
Cell live(Row const& row, Get get) {
  auto const answer = row.live->facts.find(row.node->uuid);
  if (answer == row.live->facts.end() || !answer->second || row.node->offline) {
    return untold(*row.node);
  }
  return get(*answer->second);
}

std::string role(Row const& row) {
  auto const& node = *row.node;
  if (node.uuid == row.cluster->settings().master_node) return "M";
  if (node.offline) return "O";
  if (node.drained) return "D";
  return node.master_candidate ? "C" : "R";
}

MiB disk_total(Row const& row, rpc::NodeFacts const& facts, bool only_free) {
  auto const& vg = row.cluster->settings().volume_group_name;
  for (auto const& group : facts.volume_groups) {
    if (!vg.empty() && group.name == vg) return only_free ? group.free : group.size;
  }
  return only_free ? facts.file_free : facts.file_total;
}

Field live_field(std::string name, std::string title, std::string kind, std::string doc,
                 std::function<json::value(Row const&, rpc::NodeFacts const&)> get) {
  return {std::move(name),
          std::move(title),
          std::move(kind),
          std::move(doc),
          true,
          [get = std::move(get)](Row const& row) {
            return live(row, [&](rpc::NodeFacts const& facts) { return plain(get(row, facts)); });
          }};
}

FieldTable ndparam_fields(std::function<json::object(Row const&)> filled) {
  FieldTable table;
  for (auto const& [key, title, kind] :
       {std::tuple{"cpu_speed", "ndp/cpu_speed", "float"},
        std::tuple{"exclusive_storage", "ExclusiveStorage", "bool"},
        std::tuple{"oob_program", "OutOfBandProgram", "other"},
        std::tuple{"ovs", "OpenvSwitch", "bool"},
        std::tuple{"ovs_link", "OpenvSwitchLink", "other"},
        std::tuple{"ovs_name", "OpenvSwitchName", "other"},
        std::tuple{"spindle_count", "SpindleCount", "number"},
        std::tuple{"ssh_port", "ndp/ssh_port", "number"}}) {
    table.push_back({fmt::format("ndp/{}", key), title, kind,
                     fmt::format("The \"{}\" node parameter", key), false,
                     [filled, key = std::string(key)](Row const& row) {
                       auto const all = filled(row);
                       return plain(known_at(all, key));
                     }});
  }
  return table;
}

FieldTable make_node_fields() {
  using R = Row const&;
  using F = rpc::NodeFacts const&;
  FieldTable table{
      {"name", "Node", "text", "Node name", false, [](R r) { return text_cell(r.node->name); }},
      {"uuid", "UUID", "text", "Node UUID", false,
       [](R r) { return text_cell(r.node->uuid.text()); }},
      {"pip", "PrimaryIP", "text", "Primary IP address", false,
       [](R r) { return text_cell(r.node->primary_ip); }},
      {"sip", "SecondaryIP", "text", "Secondary IP address", false,
       [](R r) { return text_cell(r.node->secondary_ip); }},
      {"role", "Role", "text",
       "Node role; \"M\" for master, \"C\" for master candidate, \"R\" for regular, \"D\" for "
       "drained, \"O\" for offline",
       false, [](R r) { return text_cell(role(r)); }},
      {"master", "IsMaster", "bool", "Whether node is master", false,
       [](R r) { return plain(r.node->uuid == r.cluster->settings().master_node); }},
      {"master_candidate", "MasterC", "bool", "Whether node is a master candidate", false,
       [](R r) { return plain(r.node->master_candidate); }},
      {"offline", "Offline", "bool", "Whether node is marked offline", false,
       [](R r) { return plain(r.node->offline); }},
      {"drained", "Drained", "bool", "Whether node is drained", false,
       [](R r) { return plain(r.node->drained); }},
      {"master_capable", "MasterCapable", "bool", "Whether node can become a master candidate",
       false, [](R r) { return plain(r.node->master_capable); }},
      {"vm_capable", "VMCapable", "bool", "Whether node can host instances", false,
       [](R r) { return plain(r.node->vm_capable); }},
      {"powered", "Powered", "bool", "Whether node is thought to be powered on", false,
       [](R r) {
         // Who has no program for it does not know.
         auto const params = model::filled_ndparams(*r.cluster, *r.node);
         if (model::text_of(params, "oob_program").empty()) return unavailable();
         return plain(r.node->powered);
       }},
      {"group", "Group", "text", "Node group", false,
       [](R r) {
         auto const group = r.cluster->group(r.node->group.text());
         return group ? text_cell((*group)->name) : unavailable();
       }},
      {"group.uuid", "GroupUUID", "text", "UUID of node group", false,
       [](R r) { return text_cell(r.node->group.text()); }},
      {"pinst_cnt", "Pinst", "number", "Number of instances with this node as primary", false,
       [](R r) { return plain(instances_on(r).size()); }},
      {"pinst_list", "PriInstances", "other", "List of instances with this node as primary", false,
       [](R r) { return plain(text_array(instances_on(r))); }},
      {"sinst_cnt", "Sinst", "number", "Number of instances with this node as secondary", false,
       [](R) { return plain(0); }},
      {"sinst_list", "SecInstances", "other", "List of instances with this node as secondary",
       false, [](R) { return plain(json::array()); }},
      {"tags", "Tags", "other", "Tags", false, [](R r) { return plain(text_array(r.node->tags)); }},
      {"ndparams", "NodeParameters", "other", "Merged node parameters", false,
       [](R r) { return plain(model::filled_ndparams(*r.cluster, *r.node)); }},
      {"custom_ndparams", "CustomNodeParameters", "other", "Custom node parameters", false,
       [](R r) { return plain(r.node->ndparams); }},
      {"serial_no", "SerialNo", "number",
       "Node object serial number, incremented on each modification", false,
       [](R r) { return plain(r.node->serial_no); }},
      {"ctime", "CTime", "timestamp", "Creation timestamp", false,
       [](R r) { return plain(r.node->ctime); }},
      {"mtime", "MTime", "timestamp", "Modification timestamp", false,
       [](R r) { return plain(r.node->mtime); }},
      {"hv_state", "HypervisorState", "other", "Hypervisor state", false,
       [](R) { return unavailable(); }},
      {"disk_state", "DiskState", "other", "Disk state", false, [](R) { return unavailable(); }},
      live_field("mtotal", "MTotal", "unit", "Total amount of memory of physical machine",
                 [](R, F f) { return json::value(f.memory_total.value); }),
      live_field("mfree", "MFree", "unit", "Memory available for instance allocations",
                 [](R, F f) { return json::value(f.memory_free.value); }),
      live_field("mnode", "MNode", "unit", "Amount of memory used by node (dom0 for Xen)",
                 [](R, F f) { return json::value(f.memory_node.value); }),
      live_field("dtotal", "DTotal", "unit",
                 "Total storage space on storage unit for instance disk allocation",
                 [](R r, F f) { return json::value(disk_total(r, f, false).value); }),
      live_field("dfree", "DFree", "unit", "Available storage space on storage unit",
                 [](R r, F f) { return json::value(disk_total(r, f, true).value); }),
      live_field("ctotal", "CTotal", "number", "Number of logical processors",
                 [](R, F f) { return json::value(f.cpu_total); }),
      live_field("cnodes", "CNodes", "number",
                 "Number of NUMA domains on node (if exported by hypervisor)",
                 [](R, F f) { return json::value(f.cpu_nodes); }),
      live_field("csockets", "CSockets", "number",
                 "Number of physical CPU sockets (if exported by hypervisor)",
                 [](R, F f) { return json::value(f.cpu_sockets); }),
      live_field("cnos", "CNOs", "number",
                 "Number of logical processors used by the node OS (dom0 for Xen)",
                 [](R, F f) { return json::value(f.cpu_node); }),
      live_field("bootid", "BootID", "text",
                 "Random UUID renewed for each system reboot, can be used for detecting reboots by "
                 "tracking changes",
                 [](R, F f) { return json::value(json::string_view(f.boot_id)); }),
      live_field("spfree", "SpFree", "number",
                 "Available spindles in volume group (exclusive storage only)",
                 [](R, F) { return json::value(0); }),
      live_field("sptotal", "SpTotal", "number",
                 "Total spindles in volume group (exclusive storage only)",
                 [](R, F) { return json::value(0); }),
  };
  auto const more = ndparam_fields([](R r) { return model::filled_ndparams(*r.cluster, *r.node); });
  table.insert(table.end(), more.begin(), more.end());
  sort_naturally(table, &Field::name);
  return table;
}

template <class Keep>
std::vector<std::string> of_group(Row const& row, Keep keep) {
  std::vector<std::string> list;
  for (auto const& node : row.cluster->nodes_by_name()) {
    if (node->group == row.group->uuid) keep(*node, list);
  }
  return list;
}

std::vector<std::string> group_nodes(Row const& row) {
  return of_group(row, [](model::Node const& node, auto& list) { list.push_back(node.name); });
}

std::vector<std::string> group_instances(Row const& row) {
  return of_group(row, [&](model::Node const& node, auto& list) {
    for (auto const& instance : row.cluster->instances_by_name()) {
      if (instance->primary_node == node.uuid) list.push_back(instance->name);
    }
  });
}

json::object group_ndparams(Row const& row) {
  return model::filled_ndparams(*row.cluster, *row.group);
}

json::object group_diskparams(Row const& row) {
  json::object all;
  for (auto const& [kind, name] : schema::EnumNames<model::DiskTemplate>::names) {
    all[name] = model::filled_diskparams(row.cluster->settings(), *row.group, kind);
  }
  return all;
}

FieldTable make_group_fields() {
  using R = Row const&;
  FieldTable table{
      {"name", "Group", "text", "Group name", false, [](R r) { return text_cell(r.group->name); }},
      {"uuid", "UUID", "text", "Group UUID", false,
       [](R r) { return text_cell(r.group->uuid.text()); }},
      {"alloc_policy", "AllocPolicy", "text", "Allocation policy for group", false,
       [](R r) { return text_cell(r.group->alloc_policy); }},
      {"node_cnt", "Nodes", "number", "Number of nodes", false,
       [](R r) { return plain(group_nodes(r).size()); }},
      {"node_list", "NodeList", "other", "List of nodes", false,
       [](R r) { return plain(text_array(group_nodes(r))); }},
      {"pinst_cnt", "Instances", "number", "Number of primary instances", false,
       [](R r) { return plain(group_instances(r).size()); }},
      {"pinst_list", "InstanceList", "other", "List of primary instances", false,
       [](R r) { return plain(text_array(group_instances(r))); }},
      {"ndparams", "NDParams", "other", "Node parameters", false,
       [](R r) { return plain(group_ndparams(r)); }},
      {"custom_ndparams", "CustomNDParams", "other", "Custom node parameters", false,
       [](R r) { return plain(r.group->ndparams); }},
      {"diskparams", "DiskParameters", "other", "Disk parameters (merged)", false,
       [](R r) { return plain(group_diskparams(r)); }},
      {"custom_diskparams", "CustomDiskParameters", "other", "Custom disk parameters", false,
       [](R r) { return plain(r.group->diskparams); }},
      {"ipolicy", "InstancePolicy", "other", "Instance policy limitations (merged)", false,
       [](R r) { return plain(model::filled_ipolicy(r.cluster->settings(), *r.group)); }},
      {"custom_ipolicy", "CustomInstancePolicy", "other", "Custom instance policy limitations",
       false, [](R r) { return plain(r.group->ipolicy); }},
      {"tags", "Tags", "other", "Tags", false,
       [](R r) { return plain(text_array(r.group->tags)); }},
      {"serial_no", "SerialNo", "number",
       "Group object serial number, incremented on each modification", false,
       [](R r) { return plain(r.group->serial_no); }},
      {"ctime", "CTime", "timestamp", "Creation timestamp", false,
       [](R r) { return plain(r.group->ctime); }},
      {"mtime", "MTime", "timestamp", "Modification timestamp", false,
       [](R r) { return plain(r.group->mtime); }},
  };
  auto const more = ndparam_fields(group_ndparams);
  table.insert(table.end(), more.begin(), more.end());
  sort_naturally(table, &Field::name);
  return table;
}

using Descriptions =
    std::initializer_list<std::tuple<char const*, char const*, char const*, char const*>>;

FieldTable of_object(Descriptions rows, Descriptions own = {}) {
  FieldTable table;
  auto const add = [&](Descriptions descriptions, bool is_own) {
    for (auto const& [name, title, kind, doc] : descriptions) {
      auto const cell = [key = std::string(name)](Row const& row) {
        auto const* value = row.object->if_contains(key);
        return value ? plain(*value) : unavailable();
      };
      table.push_back({name, title, kind, doc, false, cell, is_own});
    }
  };
  add(rows, false);
  add(own, true);
  return table;
}

}  // namespace

json::array Cell::wire(json::storage_ptr storage) && {
  json::array pair(std::move(storage));
  pair.reserve(2);
  pair.emplace_back(static_cast<int>(status));
  pair.emplace_back(std::move(value));
  return pair;
}

json::object Field::wire() const {
  json::object out;
  out["name"] = json::value(json::string_view(name));
  out["title"] = json::value(json::string_view(title));
  out["kind"] = json::value(json::string_view(kind));
  out["doc"] = json::value(json::string_view(doc));
  return out;
}

FieldTable const& node_fields() {
  static FieldTable const table = make_node_fields();
  return table;
}

FieldTable const& group_fields() {
  static FieldTable const table = make_group_fields();
  return table;
}

// What a node doesn't know of makes no row, so that its name needs the node, too.
FieldTable const& export_fields() {
  using R = Row const&;
  static FieldTable const table{
      {"export", "Export", "text", "Export name", true,
       [](R r) { return r.export_name ? text_cell(*r.export_name) : untold(*r.node); }},
      {"node", "Node", "text", "Node name", true, [](R r) { return text_cell(r.node->name); }}};
  return table;
}

FieldTable const& job_fields() {
  static FieldTable const table = of_object(
      {
          {"archived", "Archived", "bool", "Whether job is archived"},
          {"end_ts", "End", "other",
           "Timestamp of job end (tuple containing seconds and microseconds)"},
          {"id", "ID", "number", "Job ID"},
          {"opend", "OpCode_end", "other", "List of opcode execution end timestamps"},
          {"opexec", "OpCode_exec", "other",
           "List of opcode execution start timestamps (after acquiring locks)"},
          {"oplog", "OpCode_log", "other", "List of opcode output logs"},
          {"oppriority", "OpCode_prio", "other", "List of opcode priorities"},
          {"opresult", "OpCode_result", "other", "List of opcodes results"},
          {"ops", "OpCodes", "other", "List of all opcodes"},
          {"opstart", "OpCode_start", "other",
           "List of opcode start timestamps (before acquiring locks)"},
          {"opstatus", "OpCode_status", "other", "List of opcodes status"},
          {"priority", "Priority", "number", "Current job priority (19 to -20)"},
          {"received_ts", "Received", "other",
           "Timestamp of when job was received (tuple containing seconds and microseconds)"},
          {"start_ts", "Start", "other",
           "Timestamp of job start (tuple containing seconds and microseconds)"},
          {"status", "Status", "text", "Job status"},
          {"summary", "Summary", "other", "List of per-opcode summaries"},
      },
      {
          {"journal", "Journal", "other", "What it did and how that is undone"},
          {"set_aside", "Set_aside", "text", "Why it could neither go on nor be undone"},
          {"submitted_by", "Submitted_by", "text", "Whose wish it was"},
      });
  return table;
}

FieldTable const& lock_fields() {
  static FieldTable const table =
      of_object({{"mode", "Mode", "other",
                  "Mode in which the lock is currently acquired (exclusive or shared)"},
                 {"name", "Name", "text", "Lock name"},
                 {"owner", "Owner", "other", "Current lock owner(s)"},
                 {"pending", "Pending", "other", "Jobs waiting for the lock"}});
  return table;
}

}  // namespace flotte::query
