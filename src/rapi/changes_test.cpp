#include "rapi/changes.h"

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>
#include <sstream>

#include "opcodes/opcode.h"

namespace flotte::rapi {
namespace {

using ::testing::ElementsAreArray;

std::vector<std::string> parts_of(std::string_view path) {
  std::istringstream stream{std::string(path)};
  std::vector<std::string> parts;
  for (std::string part; std::getline(stream, part, '/');) parts.push_back(part);
  return parts;
}

bool is_place(std::string_view part) {
  return part.starts_with('{');
}

std::optional<std::vector<std::string>> places_in(std::string_view pattern, std::string_view path) {
  auto const wanted = parts_of(pattern);
  auto const given = parts_of(path);
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> places;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_place(wanted[i])) {
      places.push_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return places;
}

struct AskedFor {
  Change const* change = nullptr;
  RemoteCall call;
};

// "PUT /2/instances/web1/startup?force=1", and its body; "": there is none.
AskedFor asked(std::string_view request, std::string_view body = {}) {
  auto const blank = request.find(' ');
  auto const method = request.substr(0, blank);
  auto const target = request.substr(blank + 1);
  auto const mark = std::min(target.find('?'), target.size());
  AskedFor found;
  found.call.query = net::parse_query(target.substr(std::min(mark + 1, target.size()))).value();
  if (!body.empty()) found.call.body = schema::parse(body).value();
  for (auto const& row : changes()) {
    auto const places = places_in(row.path, target.substr(0, mark));
    if (row.method != method || !places) continue;
    found.change = &row;
    found.call.places = *places;
  }
  return found;
}

struct Golden {
  std::string_view request;
  std::string_view body;
  std::string_view answer;  // the opcodes, or the status and the sentence of the refusal
};

std::string answer_of(Change const& change, RemoteCall const& call) {
  auto const opcodes = change.opcodes(call);
  if (!opcodes) return fmt::format("{} {}", opcodes.error().status, opcodes.error().message);
  json::array list(opcodes->begin(), opcodes->end());
  return json::serialize(list);
}

bool is_same(std::string_view answer, std::string_view wanted) {
  auto const left = schema::parse(answer);
  auto const right = schema::parse(wanted);
  return left && right ? *left == *right : answer == wanted;
}

void expect_golden(Golden const& golden) {
  auto const [change, call] = asked(golden.request, golden.body);
  ASSERT_TRUE(change) << golden.request;
  auto const answer = answer_of(*change, call);
  if (is_same(answer, golden.answer)) return;
  EXPECT_EQ(answer, golden.answer) << golden.request << " " << golden.body;
}

constexpr Golden successes[] = {
    {"PUT /2/modify", R"({"candidate_pool_size": 3})",
     R"([{"OP_ID": "OP_CLUSTER_SET_PARAMS", "candidate_pool_size": 3}])"},
    {"PUT /2/modify", "", R"([{"OP_ID": "OP_CLUSTER_SET_PARAMS"}])"},
    {"PUT /2/modify", "null", R"([{"OP_ID": "OP_CLUSTER_SET_PARAMS"}])"},
    {"PUT /2/redistribute-config", "", R"([{"OP_ID": "OP_CLUSTER_REDIST_CONF"}])"},
    {"PUT /2/redistribute-config", R"({"depends": [[-1, []]], "priority": 10})",
     R"([{"OP_ID": "OP_CLUSTER_REDIST_CONF", "depends": [[-1, []]], "priority": 10}])"},
    {"PUT /2/tags?tag=b&tag=&tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_SET", "kind": "cluster", "name": null, "tags": ["b", "a"],
          "dry_run": false}])"},
    {"DELETE /2/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_DEL", "kind": "cluster", "name": null, "tags": ["a"],
          "dry_run": false}])"},

    {"POST /2/instances?dry-run=1",
     R"({"__version__": 1, "mode": "create", "name": "web1", "os": "noop", "disk_template": "plain",
         "disks": [{"size": 1024}], "nics": [{}], "hvparams": {"usb_devices": "1 2"}})",
     R"([{"OP_ID": "OP_INSTANCE_CREATE", "mode": "create", "instance_name": "web1",
          "os_type": "noop", "disk_template": "plain", "disks": [{"size": 1024}], "nics": [{}],
          "hvparams": {"usb_devices": "1,2"}, "dry_run": true}])"},
    {"POST /2/instances?reason=why",
     R"({"__version__": 1, "mode": "create", "instance_name": "web1", "os_type": "noop"})",
     R"([{"OP_ID": "OP_INSTANCE_CREATE", "mode": "create", "instance_name": "web1",
          "os_type": "noop", "dry_run": false}])"},
    {"POST /2/instances-multi-alloc",
     R"({"instances": [{"mode": "create", "name": "web1", "os": "noop"},
                       {"mode": "create", "instance_name": "web2", "dry_run": true}],
         "iallocator": "hail"})",
     R"([{"OP_ID": "OP_INSTANCE_MULTI_ALLOC", "iallocator": "hail", "dry_run": false,
          "instances": [
            {"OP_ID": "OP_INSTANCE_CREATE", "mode": "create", "instance_name": "web1",
             "os_type": "noop"},
            {"OP_ID": "OP_INSTANCE_CREATE", "mode": "create", "instance_name": "web2",
             "dry_run": true}]}])"},
    {"DELETE /2/instances/web1", R"({"shutdown_timeout": 7})",
     R"([{"OP_ID": "OP_INSTANCE_REMOVE", "instance_name": "web1", "ignore_failures": false,
          "shutdown_timeout": 7, "dry_run": false}])"},
    {"GET /2/instances/web1/info?static=1&dry-run=x", R"({"instances": ["web2"]})",
     R"([{"OP_ID": "OP_INSTANCE_QUERY_DATA", "instances": ["web1"], "static": true}])"},
    {"GET /2/instances/web1/info", "",
     R"([{"OP_ID": "OP_INSTANCE_QUERY_DATA", "instances": ["web1"], "static": false}])"},
    {"POST /2/instances/web1/reboot", "",
     R"([{"OP_ID": "OP_INSTANCE_REBOOT", "instance_name": "web1", "reboot_type": "hard",
          "ignore_secondaries": false, "dry_run": false}])"},
    {"POST /2/instances/web1/reboot?type=soft&ignore_secondaries=1&dry-run=1",
     R"({"shutdown_timeout": 5})",
     R"([{"OP_ID": "OP_INSTANCE_REBOOT", "instance_name": "web1", "reboot_type": "soft",
          "ignore_secondaries": true, "dry_run": true, "shutdown_timeout": 5}])"},
    {"PUT /2/instances/web1/startup?force=1&no_remember=1&dry-run=1",
     R"({"startup_paused": true, "nosuch": 1})",
     R"([{"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": "web1", "force": true,
          "no_remember": true, "dry_run": true}])"},
    {"PUT /2/instances/web1/startup?force=&no_remember=0", "[1]",
     R"([{"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": "web1", "force": false,
          "no_remember": false, "dry_run": false}])"},
    {"PUT /2/instances/web1/startup", R"({"depends": [[7, ["success"]]]})",
     R"([{"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": "web1", "force": false,
          "no_remember": false, "dry_run": false, "depends": [[7, ["success"]]]}])"},
    {"PUT /2/instances/web1/startup", R"({"depends": []})",
     R"([{"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": "web1", "force": false,
          "no_remember": false, "dry_run": false}])"},
    {"PUT /2/instances/web1/shutdown?no_remember=1", R"({"timeout": 30})",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1", "no_remember": true,
          "dry_run": false, "timeout": 30}])"},
    {"POST /2/instances/web1/reinstall", "",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1"},
         {"OP_ID": "OP_INSTANCE_REINSTALL", "instance_name": "web1", "os_type": null,
          "osparams": null},
         {"OP_ID": "OP_INSTANCE_STARTUP", "instance_name": "web1", "force": false}])"},
    {"POST /2/instances/web1/reinstall?reason=why",
     R"({"os": "noop", "start": false, "osparams": {"a": "b"}, "nosuch": 1,
         "depends": [[7, []]]})",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1", "depends": [[7, []]]},
         {"OP_ID": "OP_INSTANCE_REINSTALL", "instance_name": "web1", "os_type": "noop",
          "osparams": {"a": "b"}}])"},
    {"POST /2/instances/web1/reinstall?os=noop&nostartup=1", "{}",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1"},
         {"OP_ID": "OP_INSTANCE_REINSTALL", "instance_name": "web1", "os_type": "noop",
          "osparams": null}])"},
    {"POST /2/instances/web1/reinstall?os=noop&nostartup=1", "false",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1"},
         {"OP_ID": "OP_INSTANCE_REINSTALL", "instance_name": "web1", "os_type": "noop",
          "osparams": null}])"},
    {"POST /2/instances/web1/reinstall?dry-run=1", R"({"start": false, "depends": []})",
     R"([{"OP_ID": "OP_INSTANCE_SHUTDOWN", "instance_name": "web1", "dry_run": true},
         {"OP_ID": "OP_INSTANCE_REINSTALL", "instance_name": "web1", "os_type": null,
          "osparams": null, "dry_run": true}])"},
    {"POST /2/instances/web1/replace-disks?mode=x",
     R"({"mode": "replace_on_primary", "disks": [0, 1], "early_release": true})",
     R"([{"OP_ID": "OP_INSTANCE_REPLACE_DISKS", "instance_name": "web1",
          "mode": "replace_on_primary", "disks": [0, 1], "early_release": true}])"},
    {"POST /2/instances/web1/replace-disks", R"({"mode": "replace_auto", "disks": []})",
     R"([{"OP_ID": "OP_INSTANCE_REPLACE_DISKS", "instance_name": "web1",
          "mode": "replace_auto"}])"},
    {"POST /2/instances/web1/replace-disks", R"({"mode": "replace_auto", "disks": ""})",
     R"([{"OP_ID": "OP_INSTANCE_REPLACE_DISKS", "instance_name": "web1",
          "mode": "replace_auto"}])"},
    {"POST /2/instances/web1/replace-disks"
     "?remote_node=n2&mode=replace_new_secondary&disks=1%20,%202&iallocator=hail&reason=why",
     "{}",
     R"([{"OP_ID": "OP_INSTANCE_REPLACE_DISKS", "instance_name": "web1", "remote_node": "n2",
          "mode": "replace_new_secondary", "disks": [1, 2], "iallocator": "hail"}])"},
    {"PUT /2/instances/web1/activate-disks?ignore_size=1", R"({"wait_for_sync": true})",
     R"([{"OP_ID": "OP_INSTANCE_ACTIVATE_DISKS", "instance_name": "web1", "ignore_size": true}])"},
    {"PUT /2/instances/web1/deactivate-disks?force=1", R"({"nosuch": 1})",
     R"([{"OP_ID": "OP_INSTANCE_DEACTIVATE_DISKS", "instance_name": "web1", "force": true}])"},
    {"POST /2/instances/web1/recreate-disks", R"({"disks": [0]})",
     R"([{"OP_ID": "OP_INSTANCE_RECREATE_DISKS", "instance_name": "web1", "disks": [0]}])"},
    {"PUT /2/instances/web1/prepare-export?mode=remote", R"({"mode": "local"})",
     R"([{"OP_ID": "OP_BACKUP_PREPARE", "instance_name": "web1", "mode": "remote"}])"},
    {"PUT /2/instances/web1/export", R"({"mode": "local", "destination": "n1"})",
     R"([{"OP_ID": "OP_BACKUP_EXPORT", "instance_name": "web1", "mode": "local",
          "target_node": "n1"}])"},
    {"DELETE /2/instances/web1/export", "{}",
     R"([{"OP_ID": "OP_BACKUP_REMOVE", "instance_name": "web1"}])"},
    {"PUT /2/instances/web1/migrate", R"({"mode": "live"})",
     R"([{"OP_ID": "OP_INSTANCE_MIGRATE", "instance_name": "web1", "mode": "live"}])"},
    {"PUT /2/instances/web1/failover", R"({"ignore_consistency": true})",
     R"([{"OP_ID": "OP_INSTANCE_FAILOVER", "instance_name": "web1",
          "ignore_consistency": true}])"},
    {"PUT /2/instances/web1/failover?dry-run=1", "",
     R"([{"OP_ID": "OP_INSTANCE_FAILOVER", "instance_name": "web1", "dry_run": true}])"},
    {"PUT /2/instances/web1/rename", R"({"new_name": "web2", "ip_check": true})",
     R"([{"OP_ID": "OP_INSTANCE_RENAME", "instance_name": "web1", "new_name": "web2",
          "ip_check": true}])"},
    {"PUT /2/instances/web1/modify",
     R"({"custom_beparams": {"vcpus": 2}, "custom_hvparams": {"acpi": true}})",
     R"([{"OP_ID": "OP_INSTANCE_SET_PARAMS", "instance_name": "web1", "beparams": {"vcpus": 2},
          "hvparams": {"acpi": true}}])"},
    {"PUT /2/instances/web1/modify", R"({"hvparams": {"usb_devices": "1 2 3"}})",
     R"([{"OP_ID": "OP_INSTANCE_SET_PARAMS", "instance_name": "web1",
          "hvparams": {"usb_devices": "1,2,3"}}])"},
    {"PUT /2/instances/web1/modify", "",
     R"([{"OP_ID": "OP_INSTANCE_SET_PARAMS", "instance_name": "web1"}])"},
    {"POST /2/instances/web1/disk/2/grow", R"({"amount": 1024, "wait_for_sync": false})",
     R"([{"OP_ID": "OP_INSTANCE_GROW_DISK", "instance_name": "web1", "disk": 2, "amount": 1024,
          "wait_for_sync": false}])"},
    {"PUT /2/instances/web1/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_SET", "kind": "instance", "name": "web1", "tags": ["a"],
          "dry_run": false}])"},
    {"DELETE /2/instances/web1/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_DEL", "kind": "instance", "name": "web1", "tags": ["a"],
          "dry_run": false}])"},

    {"POST /2/nodes/n1/powercycle?force=1", R"({"comment": "c"})",
     R"([{"OP_ID": "OP_NODE_POWERCYCLE", "node_name": "n1", "force": true, "comment": "c"}])"},
    {"PUT /2/nodes/n1/role?force=1&auto-promote=1", R"("regular")",
     R"([{"OP_ID": "OP_NODE_SET_PARAMS", "node_name": "n1", "force": true, "auto_promote": true,
          "master_candidate": false, "offline": false, "drained": false}])"},
    {"PUT /2/nodes/n1/role", R"("master-candidate")",
     R"([{"OP_ID": "OP_NODE_SET_PARAMS", "node_name": "n1", "force": false, "auto_promote": false,
          "master_candidate": true, "offline": null, "drained": null}])"},
    {"PUT /2/nodes/n1/role", R"("drained")",
     R"([{"OP_ID": "OP_NODE_SET_PARAMS", "node_name": "n1", "force": false, "auto_promote": false,
          "master_candidate": null, "offline": null, "drained": true}])"},
    {"PUT /2/nodes/n1/role", R"("offline")",
     R"([{"OP_ID": "OP_NODE_SET_PARAMS", "node_name": "n1", "force": false, "auto_promote": false,
          "master_candidate": null, "offline": true, "drained": null}])"},
    {"POST /2/nodes/n1/evacuate", R"({"mode": "primary-only", "iallocator": "hail"})",
     R"([{"OP_ID": "OP_NODE_EVACUATE", "node_name": "n1", "dry_run": false, "mode": "primary-only",
          "iallocator": "hail"}])"},
    {"POST /2/nodes/n1/migrate?reason=why", R"({"mode": "live", "target_node": "n2"})",
     R"([{"OP_ID": "OP_NODE_MIGRATE", "node_name": "n1", "mode": "live", "target_node": "n2"}])"},
    {"POST /2/nodes/n1/migrate?live=1", R"({"target_node": "n2", "depends": [[7, []]]})",
     R"([{"OP_ID": "OP_NODE_MIGRATE", "node_name": "n1", "mode": "live", "depends": [[7, []]]}])"},
    {"POST /2/nodes/n1/migrate?live=0", "",
     R"([{"OP_ID": "OP_NODE_MIGRATE", "node_name": "n1", "mode": "non-live"}])"},
    {"POST /2/nodes/n1/migrate?mode=non-live", "",
     R"([{"OP_ID": "OP_NODE_MIGRATE", "node_name": "n1", "mode": "non-live"}])"},
    {"POST /2/nodes/n1/modify", R"({"vm_capable": true})",
     R"([{"OP_ID": "OP_NODE_SET_PARAMS", "node_name": "n1", "vm_capable": true}])"},
    {"GET /2/nodes/n1/storage?storage_type=lvm-vg&output_fields=name,size", "",
     R"([{"OP_ID": "OP_NODE_QUERY_STORAGE", "nodes": ["n1"], "storage_type": "lvm-vg",
          "output_fields": ["name", "size"]}])"},
    {"GET /2/nodes/n1/storage?output_fields=name", R"({"nodes": ["n2"]})",
     R"([{"OP_ID": "OP_NODE_QUERY_STORAGE", "nodes": ["n1"], "storage_type": null,
          "output_fields": ["name"]}])"},
    {"PUT /2/nodes/n1/storage/modify?storage_type=lvm-pv&name=%2Fdev%2Fsda&allocatable=0",
     R"({"nosuch": 1})",
     R"([{"OP_ID": "OP_NODE_MODIFY_STORAGE", "node_name": "n1", "storage_type": "lvm-pv",
          "name": "/dev/sda", "changes": {"allocatable": false}}])"},
    {"PUT /2/nodes/n1/storage/modify?storage_type=lvm-pv&name=a", "",
     R"([{"OP_ID": "OP_NODE_MODIFY_STORAGE", "node_name": "n1", "storage_type": "lvm-pv",
          "name": "a", "changes": {}}])"},
    {"PUT /2/nodes/n1/storage/repair?storage_type=lvm-vg&name=xenvg", R"({"nosuch": 1})",
     R"([{"OP_ID": "OP_REPAIR_NODE_STORAGE", "node_name": "n1", "storage_type": "lvm-vg",
          "name": "xenvg"}])"},
    {"PUT /2/nodes/n1/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_SET", "kind": "node", "name": "n1", "tags": ["a"],
          "dry_run": false}])"},
    {"DELETE /2/nodes/n1/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_DEL", "kind": "node", "name": "n1", "tags": ["a"],
          "dry_run": false}])"},

    {"POST /2/networks", R"({"name": "lan", "network": "10.0.0.0/24", "tags": null})",
     R"([{"OP_ID": "OP_NETWORK_ADD", "network_name": "lan", "network": "10.0.0.0/24",
          "dry_run": false}])"},
    {"DELETE /2/networks/lan", R"({"force": true})",
     R"([{"OP_ID": "OP_NETWORK_REMOVE", "network_name": "lan", "force": true, "dry_run": false}])"},
    {"PUT /2/networks/lan/connect",
     R"({"group_name": "g", "network_mode": "bridged", "network_link": "br0",
         "network_vlan": ""})",
     R"([{"OP_ID": "OP_NETWORK_CONNECT", "network_name": "lan", "group_name": "g",
          "network_mode": "bridged", "network_link": "br0", "network_vlan": "",
          "dry_run": false}])"},
    {"PUT /2/networks/lan/disconnect", R"({"group_name": "g"})",
     R"([{"OP_ID": "OP_NETWORK_DISCONNECT", "network_name": "lan", "group_name": "g",
          "dry_run": false}])"},
    {"PUT /2/networks/lan/rename", R"({"new_name": "wan"})",
     R"([{"OP_ID": "OP_NETWORK_RENAME", "network_name": "lan", "new_name": "wan",
          "dry_run": false}])"},
    {"PUT /2/networks/lan/modify", R"({"gateway": "10.0.0.1"})",
     R"([{"OP_ID": "OP_NETWORK_SET_PARAMS", "network_name": "lan", "gateway": "10.0.0.1"}])"},
    {"PUT /2/networks/lan/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_SET", "kind": "network", "name": "lan", "tags": ["a"],
          "dry_run": false}])"},
    {"DELETE /2/networks/lan/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_DEL", "kind": "network", "name": "lan", "tags": ["a"],
          "dry_run": false}])"},

    {"POST /2/groups", R"({"name": "g", "alloc_policy": "last_resort"})",
     R"([{"OP_ID": "OP_GROUP_ADD", "group_name": "g", "alloc_policy": "last_resort",
          "dry_run": false}])"},
    {"DELETE /2/groups/g", R"({"nosuch": 1})",
     R"([{"OP_ID": "OP_GROUP_REMOVE", "group_name": "g", "dry_run": false}])"},
    {"PUT /2/groups/g/modify",
     R"({"custom_ndparams": {"a": 1}, "custom_ipolicy": {}, "custom_diskparams": {"plain": {}}})",
     R"([{"OP_ID": "OP_GROUP_SET_PARAMS", "group_name": "g", "ndparams": {"a": 1}, "ipolicy": {},
          "diskparams": {"plain": {}}}])"},
    {"PUT /2/groups/g/rename", R"({"new_name": "h"})",
     R"([{"OP_ID": "OP_GROUP_RENAME", "group_name": "g", "new_name": "h", "dry_run": false}])"},
    {"PUT /2/groups/g/assign-nodes?force=1", R"({"nodes": ["n1"]})",
     R"([{"OP_ID": "OP_GROUP_ASSIGN_NODES", "group_name": "g", "nodes": ["n1"], "force": true,
          "dry_run": false}])"},
    {"PUT /2/groups/g/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_SET", "kind": "nodegroup", "name": "g", "tags": ["a"],
          "dry_run": false}])"},
    {"DELETE /2/groups/g/tags?tag=a", R"(["b"])",
     R"([{"OP_ID": "OP_TAGS_DEL", "kind": "nodegroup", "name": "g", "tags": ["a"],
          "dry_run": false}])"},
};

constexpr Golden refusals[] = {
    // Bodies.
    {"PUT /2/instances/web1/prepare-export", "",
     "400 Invalid body parameters: OP_BACKUP_PREPARE: Parameter 'mode' must be str, not null"},
    {"PUT /2/modify", "[]", "400 Body contents: Type is 'list', but 'dict' is expected"},
    {"PUT /2/instances/web1/rename", R"("web2")",
     "400 Body contents: Type is 'str', but 'dict' is expected"},
    {"PUT /2/instances/web1/migrate", "1",
     "400 Body contents: Type is 'int', but 'dict' is expected"},
    {"PUT /2/instances/web1/migrate", "18446744073709551615",
     "400 Body contents: Type is 'int', but 'dict' is expected"},
    {"PUT /2/instances/web1/migrate", "1.5",
     "400 Body contents: Type is 'float', but 'dict' is expected"},
    {"PUT /2/instances/web1/modify", "true",
     "400 Body contents: Type is 'bool', but 'dict' is expected"},
    {"POST /2/instances", "", "400 Body contents: Type is 'NoneType', but 'dict' is expected"},
    {"PUT /2/nodes/n1/role", R"({"role": "offline"})",
     "400 Body contents: Type is 'dict', but 'str' is expected"},
    {"PUT /2/nodes/n1/role", "", "400 Body contents: Type is 'NoneType', but 'str' is expected"},
    // What stands fixed.
    {"PUT /2/instances/web1/shutdown",
     R"({"no_remember": true, "instance_name": "web2", "dry_run": true})",
     "400 Can't overwrite static parameters {'dry_run', 'instance_name', 'no_remember'}"},
    {"DELETE /2/instances/web1", R"({"ignore_failures": true})",
     "400 Can't overwrite static parameters {'ignore_failures'}"},
    {"PUT /2/redistribute-config", R"({"reason": []})",
     "400 Can't overwrite static parameters {'reason'}"},
    {"PUT /2/redistribute-config", R"({"OP_ID": "OP_TEST_DELAY"})",
     "400 Can't overwrite static parameters {'OP_ID'}"},
    {"POST /2/instances/web1/disk/0/grow", R"({"disk": 1})",
     "400 Can't overwrite static parameters {'disk'}"},
    // Two names.
    {"PUT /2/instances/web1/export", R"({"destination": "n1", "target_node": "n1"})",
     "400 Parameter 'destination' was renamed to 'target_node', but both are specified"},
    // What the opcodes' own tables refuse.
    {"PUT /2/redistribute-config", R"({"nosuch": 1})",
     "400 Invalid body parameters: OP_CLUSTER_REDIST_CONF: Unknown parameter 'nosuch'"},
    {"PUT /2/instances/web1/rename", "",
     "400 Invalid body parameters: OP_INSTANCE_RENAME: Required parameter 'new_name' is "
     "missing"},
    {"PUT /2/instances/web1/startup", R"({"depends": 5})",
     "400 Invalid body parameters: OP_INSTANCE_STARTUP: Parameter 'depends' must be list, "
     "not 5"},
    {"POST /2/instances/web1/reinstall", R"({"os": 5})",
     "400 Invalid body parameters: OP_INSTANCE_REINSTALL: Parameter 'os_type' must be str, "
     "not 5"},
    // Flags.
    {"PUT /2/instances/web1/startup?force=yes", "", "400 Invalid value for the 'force' parameter"},
    {"PUT /2/instances/web1/modify?dry-run=yes", "{}",
     "400 Invalid value for the 'dry-run' parameter"},
    {"PUT /2/nodes/n1/storage/modify?name=a&allocatable=x", "",
     "400 Invalid value for the 'allocatable' parameter"},
    {"POST /2/instances/web1/reinstall?nostartup=x", "",
     "400 Invalid value for the 'nostartup' parameter"},
    {"POST /2/nodes/n1/migrate?live=x", "", "400 Invalid value for the 'live' parameter"},
    // What is special.
    {"POST /2/instances", R"({"mode": "create", "name": "web1"})",
     "400 Instance creation request version 0 is no longer supported"},
    {"POST /2/instances", R"({"__version__": 0})",
     "400 Instance creation request version 0 is no longer supported"},
    {"POST /2/instances", R"({"__version__": 2})", "400 Unsupported request data version 2"},
    {"POST /2/instances-multi-alloc", R"({"iallocator": "hail"})",
     "400 Request is missing required 'instances' field in body"},
    {"POST /2/instances-multi-alloc", "[]",
     "400 Request is missing required 'instances' field in body"},
    {"POST /2/instances-multi-alloc", R"({"instances": {}})",
     "400 'instances' parameter: Type is 'dict', but 'list' is expected"},
    {"POST /2/instances-multi-alloc", R"({"instances": ["web1"]})",
     "400 Body contents: Type is 'str', but 'dict' is expected"},
    {"POST /2/instances-multi-alloc", R"({"instances": [{"name": "a", "mode": "create",
                                                 "nosuch": 1}]})",
     "400 Invalid body parameters: OP_INSTANCE_CREATE: Unknown parameter 'nosuch'"},
    {"POST /2/instances/web1/reinstall?os=noop", R"({"start": false})",
     "400 Can't combine query and body parameters"},
    {"POST /2/instances/web1/reinstall?nostartup=0", R"({"os": "noop"})",
     "400 Can't combine query and body parameters"},
    {"POST /2/instances/web1/reinstall", "[1]", "400 Invalid body contents, not a dictionary"},
    {"POST /2/instances/web1/reinstall", R"({"start": 1})",
     "400 'start' parameter: Type is 'int', but 'bool' is expected"},
    {"POST /2/instances/web1/replace-disks?disks=0,x", "", "400 Invalid disk index passed: 'x'"},
    {"POST /2/instances/web1/replace-disks?disks=0,", "", "400 Invalid disk index passed: ''"},
    {"POST /2/instances/web1/replace-disks", R"({"disks": ["0"]})",
     "400 Invalid disk index passed: 0"},
    {"POST /2/instances/web1/replace-disks", R"({"disks": 7})", "400 Invalid disk index passed: 7"},
    {"POST /2/instances/web1/disk/x/grow", R"({"amount": 1})", "404 "},
    {"POST /2/instances/web1/disk/99999999999999999999/grow", R"({"amount": 1})", "404 "},
    {"POST /2/instances/web1/disk/+1/grow", R"({"amount": 1})", "404 "},
    {"PUT /2/nodes/n1/role", R"("master")", "400 Can't set 'master' role"},
    {"POST /2/nodes/n1/migrate?live=1&mode=live", "",
     "400 Only one of 'live' and 'mode' should be passed"},
    {"GET /2/nodes/n1/storage?storage_type=lvm-vg", "",
     "400 Missing the required 'output_fields' parameter"},
    {"PUT /2/nodes/n1/storage/modify?storage_type=lvm-pv&name=", "",
     "400 Missing the required 'name' parameter"},
    {"PUT /2/nodes/n1/storage/repair?storage_type=lvm-vg", "",
     "400 Missing the required 'name' parameter"},
    {"PUT /2/modify", R"({"compression_tools": []})",
     "403 The parameter compression_tools cannot be set via RAPI"},
    {"PUT /2/modify?compression_tools=x", "{}",
     "403 The parameter compression_tools cannot be set via RAPI"},
};

TEST(Changes, become_opcodes) {
  for (auto const& golden : successes) expect_golden(golden);
}

TEST(Changes, are_opcodes_of_their_row_that_would_be_taken) {
  std::set<Change const*> seen;
  for (auto const& golden : successes) {
    auto const [change, call] = asked(golden.request, golden.body);
    ASSERT_TRUE(change) << golden.request;
    seen.insert(change);
    auto opcodes = change->opcodes(call).value();
    add_reason(opcodes, *change, call, 1);
    bool is_of_row = false;
    for (auto const& opcode : opcodes) {
      auto const op_id = opcodes::op_id_of(opcode);
      is_of_row |= op_id == change->op_id;
      if (!opcodes::find(op_id)) continue;
      auto const complete = opcodes::normalise(opcode);
      EXPECT_TRUE(complete) << golden.request << ": " << complete.error().message;
    }
    EXPECT_TRUE(is_of_row) << golden.request;
  }
  EXPECT_EQ(seen.size(), changes().size()) << "a row without an example";
}

// The row without one of the things that it says.
std::vector<Change> worse_rows(Change const& row) {
  std::vector<Change> worse;
  auto const without = [&](auto const& part, auto const& nothing) {
    auto changed = row;
    changed.making.*part = nothing;
    worse.push_back(changed);
  };
  auto const& [body, named, flags, renamed, prepare] = row.making;
  if (body == Body::Ignored) without(&Making::body, Body::Parameters);
  if (!named.empty()) without(&Making::named, "");
  if (prepare) without(&Making::prepare, nullptr);
  for (std::size_t i = 0; i < flags.size() && !flags[i].empty(); ++i) {
    auto fewer = flags;
    fewer[i] = {};
    without(&Making::flags, fewer);
  }
  for (std::size_t i = 0; i < renamed.size(); ++i) {
    without(&Making::renamed, renamed.first(i));
    without(&Making::renamed, renamed.subspan(i + 1));
  }
  return worse;
}

TEST(Changes, are_told_apart_from_worse_ones_by_their_examples) {
  for (auto const& row : changes()) {
    for (auto const& worse : worse_rows(row)) {
      auto const tells = [&](Golden const& golden) {
        auto const [change, call] = asked(golden.request, golden.body);
        return change == &row && !is_same(answer_of(worse, call), golden.answer);
      };
      auto const is_seen =
          std::ranges::any_of(successes, tells) || std::ranges::any_of(refusals, tells);
      EXPECT_TRUE(is_seen) << row.method << " " << row.path << " has a part without an example";
    }
  }
}

TEST(Changes, refuse_what_no_opcode_could_be) {
  for (auto const& golden : refusals) expect_golden(golden);
}

// What Ganeti has, by its rights.
TEST(Changes, are_all_of_those_that_submit_jobs) {
  std::vector<std::string> rows;
  for (auto const& row : changes()) {
    rows.push_back(fmt::format("{} {} {} {}", row.method, row.path, row.permission, row.resource));
    EXPECT_TRUE(row.sentence.ends_with('.')) << row.path;
  }
  EXPECT_THAT(
      rows,
      ElementsAreArray({
          "PUT /2/modify cluster.modify cluster_modify",
          "PUT /2/redistribute-config cluster.redistribute_config redist_config",
          "PUT /2/tags tags.set tags",
          "DELETE /2/tags tags.delete tags",
          "POST /2/instances instances.create instances",
          "POST /2/instances-multi-alloc instances.multi_alloc instances_multi_alloc",
          "DELETE /2/instances/{name} instances.remove instances_name",
          "GET /2/instances/{name}/info instances.info instances_name_info",
          "POST /2/instances/{name}/reboot instances.reboot instances_name_reboot",
          "PUT /2/instances/{name}/startup instances.startup instances_name_startup",
          "PUT /2/instances/{name}/shutdown instances.shutdown instances_name_shutdown",
          "POST /2/instances/{name}/reinstall instances.reinstall instances_name_reinstall",
          "POST /2/instances/{name}/replace-disks instances.replace_disks "
          "instances_name_replace_disks",
          "PUT /2/instances/{name}/activate-disks instances.activate_disks "
          "instances_name_activate_disks",
          "PUT /2/instances/{name}/deactivate-disks instances.deactivate_disks "
          "instances_name_deactivate_disks",
          "POST /2/instances/{name}/recreate-disks instances.recreate_disks "
          "instances_name_recreate_disks",
          "PUT /2/instances/{name}/prepare-export instances.export.prepare "
          "instances_name_prepare_export",
          "PUT /2/instances/{name}/export instances.export.create instances_name_export",
          "DELETE /2/instances/{name}/export instances.export.remove instances_name_export",
          "PUT /2/instances/{name}/migrate instances.migrate instances_name_migrate",
          "PUT /2/instances/{name}/failover instances.failover instances_name_failover",
          "PUT /2/instances/{name}/rename instances.rename instances_name_rename",
          "PUT /2/instances/{name}/modify instances.modify instances_name_modify",
          "POST /2/instances/{name}/disk/{disk}/grow instances.grow_disk instances_name_disk_grow",
          "PUT /2/instances/{name}/tags tags.set instances_name_tags",
          "DELETE /2/instances/{name}/tags tags.delete instances_name_tags",
          "POST /2/nodes/{name}/powercycle nodes.powercycle nodes_name_powercycle",
          "PUT /2/nodes/{name}/role nodes.role.modify nodes_name_role",
          "POST /2/nodes/{name}/evacuate nodes.evacuate nodes_name_evacuate",
          "POST /2/nodes/{name}/migrate nodes.migrate nodes_name_migrate",
          "POST /2/nodes/{name}/modify nodes.modify nodes_name_modify",
          "GET /2/nodes/{name}/storage nodes.storage.query nodes_name_storage",
          "PUT /2/nodes/{name}/storage/modify nodes.storage.modify nodes_name_storage_modify",
          "PUT /2/nodes/{name}/storage/repair nodes.storage.repair nodes_name_storage_repair",
          "PUT /2/nodes/{name}/tags tags.set nodes_name_tags",
          "DELETE /2/nodes/{name}/tags tags.delete nodes_name_tags",
          "POST /2/networks networks.create networks",
          "DELETE /2/networks/{name} networks.remove networks_name",
          "PUT /2/networks/{name}/connect networks.connect networks_name_connect",
          "PUT /2/networks/{name}/disconnect networks.disconnect networks_name_disconnect",
          "PUT /2/networks/{name}/rename networks.rename networks_name_rename",
          "PUT /2/networks/{name}/modify networks.modify networks_name_modify",
          "PUT /2/networks/{name}/tags tags.set networks_name_tags",
          "DELETE /2/networks/{name}/tags tags.delete networks_name_tags",
          "POST /2/groups groups.create groups",
          "DELETE /2/groups/{name} groups.delete groups_name",
          "PUT /2/groups/{name}/modify groups.modify groups_name_modify",
          "PUT /2/groups/{name}/rename groups.rename groups_name_rename",
          "PUT /2/groups/{name}/assign-nodes groups.assign_nodes groups_name_assign_nodes",
          "PUT /2/groups/{name}/tags tags.set groups_name_tags",
          "DELETE /2/groups/{name}/tags tags.delete groups_name_tags",
      }));
}

TEST(Changes, begin_the_trail_of_reasons) {
  auto const trail_of = [](std::string_view request) {
    auto const [change, call] = asked(request);
    auto opcodes = change->opcodes(call).value();
    add_reason(opcodes, *change, call, 17);
    std::vector<std::string> trails;
    for (auto const& opcode : opcodes) trails.push_back(json::serialize(opcode.at("reason")));
    return trails;
  };
  EXPECT_THAT(trail_of("PUT /2/instances/web1/startup?reason=as+asked"),
              ElementsAreArray({R"([["gnt:user","as asked",17],)"
                                R"(["gnt:library:rlib2:instances_name_startup","",17]])"}));
  std::string const untold = R"([["gnt:library:rlib2:instances_name_reinstall","",17]])";
  EXPECT_THAT(trail_of("POST /2/instances/web1/reinstall?reason="),
              ElementsAreArray({untold, untold, untold}));
}

}  // namespace
}  // namespace flotte::rapi
