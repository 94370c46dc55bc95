#include "rapi/changes.h"

#include "rapi/instance_changes.h"
#include "rapi/node_changes.h"

namespace flotte::rapi {
namespace {

constexpr Renamed of_modification[] = {{"custom_beparams", "beparams"},
                                       {"custom_hvparams", "hvparams"}};
constexpr Renamed of_export[] = {{"destination", "target_node"}};
constexpr Renamed of_network[] = {{"name", "network_name"}};
constexpr Renamed of_group[] = {{"name", "group_name"}};
constexpr Renamed of_group_modification[] = {{"custom_ndparams", "ndparams"},
                                             {"custom_ipolicy", "ipolicy"},
                                             {"custom_diskparams", "diskparams"}};

// It names a program that the daemons run.
Granted<void> forbid_compression_tools(RemoteCall const& call, Draft& draft) {
  constexpr std::string_view forbidden = "compression_tools";
  auto const* body = draft.body.if_object();
  if (text_in(call.query, forbidden) || (body && body->contains(forbidden))) {
    return refuse(403, "The parameter {} cannot be set via RAPI", forbidden);
  }
  return {};
}

// Ganeti's client says so where it was given none.
Granted<void> drop_null_tags(RemoteCall const&, Draft& draft) {
  auto* body = draft.body.if_object();
  if (body && body->contains("tags") && body->at("tags").is_null()) body->erase("tags");
  return {};
}

constexpr char instance[] = "instance";
constexpr char node[] = "node";
constexpr char group[] = "nodegroup";
constexpr char network[] = "network";
constexpr char cluster[] = "cluster";

template <char const* kind>
Granted<void> prepare_tags(RemoteCall const& call, Draft& draft) {
  draft.fixed["kind"] = kind;
  draft.fixed["name"] = call.places.empty() ? json::value() : json::value(call.places.front());
  json::array tags;
  for (auto const& tag : texts_in(call.query, "tag")) tags.emplace_back(tag);
  draft.fixed["tags"] = std::move(tags);
  return {};
}

template <char const* kind>
constexpr Making tags{.body = Body::Ignored, .flags = {"dry-run"}, .prepare = prepare_tags<kind>};

constexpr Change table[] = {
    {"PUT",
     "/2/modify",
     "cluster.modify",
     "OP_CLUSTER_SET_PARAMS",
     "cluster_modify",
     "Changes parameters of the cluster.",
     {.prepare = forbid_compression_tools}},
    {"PUT", "/2/redistribute-config", "cluster.redistribute_config", "OP_CLUSTER_REDIST_CONF",
     "redist_config", "Writes the files of all nodes again."},
    {"PUT", "/2/tags", "tags.set", "OP_TAGS_SET", "tags", "Tags the cluster.", tags<cluster>},
    {"DELETE", "/2/tags", "tags.delete", "OP_TAGS_DEL", "tags", "Takes tags of the cluster away.",
     tags<cluster>},

    {"POST",
     "/2/instances",
     "instances.create",
     "OP_INSTANCE_CREATE",
     "instances",
     "Makes an instance.",
     {.flags = {"dry-run"}, .renamed = of_creation, .prepare = prepare_creation}},
    {"POST",
     "/2/instances-multi-alloc",
     "instances.multi_alloc",
     "OP_INSTANCE_MULTI_ALLOC",
     "instances_multi_alloc",
     "Makes several instances, each by a job of its own.",
     {.flags = {"dry-run"}, .prepare = prepare_creations}},
    {"DELETE",
     "/2/instances/{name}",
     "instances.remove",
     "OP_INSTANCE_REMOVE",
     "instances_name",
     "Removes an instance.",
     {.named = "instance_name", .flags = {"dry-run"}, .prepare = prepare_removal}},
    {"GET",
     "/2/instances/{name}/info",
     "instances.info",
     "OP_INSTANCE_QUERY_DATA",
     "instances_name_info",
     "Tells all about an instance, as the result of a job.",
     {.body = Body::Ignored, .flags = {"static"}, .prepare = prepare_info}},
    {"POST",
     "/2/instances/{name}/reboot",
     "instances.reboot",
     "OP_INSTANCE_REBOOT",
     "instances_name_reboot",
     "Reboots an instance.",
     {.named = "instance_name",
      .flags = {"dry-run", "ignore_secondaries"},
      .prepare = prepare_reboot}},
    {"PUT",
     "/2/instances/{name}/startup",
     "instances.startup",
     "OP_INSTANCE_STARTUP",
     "instances_name_startup",
     "Starts an instance.",
     {.body = Body::Ignored,
      .named = "instance_name",
      .flags = {"dry-run", "force", "no_remember"}}},
    {"PUT",
     "/2/instances/{name}/shutdown",
     "instances.shutdown",
     "OP_INSTANCE_SHUTDOWN",
     "instances_name_shutdown",
     "Shuts an instance down.",
     {.named = "instance_name", .flags = {"dry-run", "no_remember"}}},
    {"POST",
     "/2/instances/{name}/reinstall",
     "instances.reinstall",
     "OP_INSTANCE_REINSTALL",
     "instances_name_reinstall",
     "Shuts an instance down, installs its OS again and starts it.",
     {},
     reinstallation},
    {"POST",
     "/2/instances/{name}/replace-disks",
     "instances.replace_disks",
     "OP_INSTANCE_REPLACE_DISKS",
     "instances_name_replace_disks",
     "Puts disks of an instance elsewhere.",
     {.named = "instance_name", .prepare = prepare_disk_replacement}},
    {"PUT",
     "/2/instances/{name}/activate-disks",
     "instances.activate_disks",
     "OP_INSTANCE_ACTIVATE_DISKS",
     "instances_name_activate_disks",
     "Makes the disks of an instance available on its node.",
     {.body = Body::Ignored, .named = "instance_name", .flags = {"ignore_size"}}},
    {"PUT",
     "/2/instances/{name}/deactivate-disks",
     "instances.deactivate_disks",
     "OP_INSTANCE_DEACTIVATE_DISKS",
     "instances_name_deactivate_disks",
     "Lets go of the disks of an instance.",
     {.body = Body::Ignored, .named = "instance_name", .flags = {"force"}}},
    {"POST",
     "/2/instances/{name}/recreate-disks",
     "instances.recreate_disks",
     "OP_INSTANCE_RECREATE_DISKS",
     "instances_name_recreate_disks",
     "Makes disks of an instance anew, empty.",
     {.named = "instance_name"}},
    {"PUT",
     "/2/instances/{name}/prepare-export",
     "instances.export.prepare",
     "OP_BACKUP_PREPARE",
     "instances_name_prepare_export",
     "Makes what the export of an instance needs.",
     {.body = Body::Ignored, .named = "instance_name", .prepare = prepare_export_preparation}},
    {"PUT",
     "/2/instances/{name}/export",
     "instances.export.create",
     "OP_BACKUP_EXPORT",
     "instances_name_export",
     "Exports an instance.",
     {.named = "instance_name", .renamed = of_export}},
    {"DELETE",
     "/2/instances/{name}/export",
     "instances.export.remove",
     "OP_BACKUP_REMOVE",
     "instances_name_export",
     "Removes the export of an instance.",
     {.named = "instance_name"}},
    {"PUT",
     "/2/instances/{name}/migrate",
     "instances.migrate",
     "OP_INSTANCE_MIGRATE",
     "instances_name_migrate",
     "Moves a running instance to its other node.",
     {.named = "instance_name"}},
    {"PUT",
     "/2/instances/{name}/failover",
     "instances.failover",
     "OP_INSTANCE_FAILOVER",
     "instances_name_failover",
     "Shuts an instance down and starts it on its other node.",
     {.named = "instance_name"}},
    {"PUT",
     "/2/instances/{name}/rename",
     "instances.rename",
     "OP_INSTANCE_RENAME",
     "instances_name_rename",
     "Gives an instance another name.",
     {.named = "instance_name"}},
    {"PUT",
     "/2/instances/{name}/modify",
     "instances.modify",
     "OP_INSTANCE_SET_PARAMS",
     "instances_name_modify",
     "Changes parameters of an instance.",
     {.named = "instance_name", .renamed = of_modification, .prepare = prepare_modification}},
    {"POST",
     "/2/instances/{name}/disk/{disk}/grow",
     "instances.grow_disk",
     "OP_INSTANCE_GROW_DISK",
     "instances_name_disk_grow",
     "Makes a disk of an instance larger.",
     {.named = "instance_name", .prepare = prepare_disk_growth}},
    {"PUT", "/2/instances/{name}/tags", "tags.set", "OP_TAGS_SET", "instances_name_tags",
     "Tags an instance.", tags<instance>},
    {"DELETE", "/2/instances/{name}/tags", "tags.delete", "OP_TAGS_DEL", "instances_name_tags",
     "Takes tags of an instance away.", tags<instance>},

    {"POST",
     "/2/nodes/{name}/powercycle",
     "nodes.powercycle",
     "OP_NODE_POWERCYCLE",
     "nodes_name_powercycle",
     "Reboots a node the hard way.",
     {.named = "node_name", .flags = {"force"}}},
    {"PUT",
     "/2/nodes/{name}/role",
     "nodes.role.modify",
     "OP_NODE_SET_PARAMS",
     "nodes_name_role",
     "Changes the role of a node.",
     {.body = Body::Ignored,
      .named = "node_name",
      .flags = {"force", "auto-promote"},
      .prepare = prepare_role}},
    {"POST",
     "/2/nodes/{name}/evacuate",
     "nodes.evacuate",
     "OP_NODE_EVACUATE",
     "nodes_name_evacuate",
     "Moves instances away from a node.",
     {.named = "node_name", .flags = {"dry-run"}}},
    {"POST",
     "/2/nodes/{name}/migrate",
     "nodes.migrate",
     "OP_NODE_MIGRATE",
     "nodes_name_migrate",
     "Moves the running instances of a node to their other nodes.",
     {.named = "node_name", .prepare = prepare_node_migration}},
    {"POST",
     "/2/nodes/{name}/modify",
     "nodes.modify",
     "OP_NODE_SET_PARAMS",
     "nodes_name_modify",
     "Changes parameters of a node.",
     {.named = "node_name"}},
    {"GET",
     "/2/nodes/{name}/storage",
     "nodes.storage.query",
     "OP_NODE_QUERY_STORAGE",
     "nodes_name_storage",
     "Tells about the storage of a node, as the result of a job.",
     {.body = Body::Ignored, .prepare = prepare_storage_list}},
    {"PUT",
     "/2/nodes/{name}/storage/modify",
     "nodes.storage.modify",
     "OP_NODE_MODIFY_STORAGE",
     "nodes_name_storage_modify",
     "Changes a unit of a node's storage.",
     {.body = Body::Ignored, .named = "node_name", .prepare = prepare_storage_modification}},
    {"PUT",
     "/2/nodes/{name}/storage/repair",
     "nodes.storage.repair",
     "OP_REPAIR_NODE_STORAGE",
     "nodes_name_storage_repair",
     "Repairs a unit of a node's storage.",
     {.body = Body::Ignored, .named = "node_name", .prepare = prepare_storage_repair}},
    {"PUT", "/2/nodes/{name}/tags", "tags.set", "OP_TAGS_SET", "nodes_name_tags", "Tags a node.",
     tags<node>},
    {"DELETE", "/2/nodes/{name}/tags", "tags.delete", "OP_TAGS_DEL", "nodes_name_tags",
     "Takes tags of a node away.", tags<node>},

    {"POST",
     "/2/networks",
     "networks.create",
     "OP_NETWORK_ADD",
     "networks",
     "Makes a network.",
     {.flags = {"dry-run"}, .renamed = of_network, .prepare = drop_null_tags}},
    {"DELETE",
     "/2/networks/{name}",
     "networks.remove",
     "OP_NETWORK_REMOVE",
     "networks_name",
     "Removes a network.",
     {.named = "network_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/networks/{name}/connect",
     "networks.connect",
     "OP_NETWORK_CONNECT",
     "networks_name_connect",
     "Connects a network to a node group.",
     {.named = "network_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/networks/{name}/disconnect",
     "networks.disconnect",
     "OP_NETWORK_DISCONNECT",
     "networks_name_disconnect",
     "Disconnects a network from a node group.",
     {.named = "network_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/networks/{name}/rename",
     "networks.rename",
     "OP_NETWORK_RENAME",
     "networks_name_rename",
     "Gives a network another name.",
     {.named = "network_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/networks/{name}/modify",
     "networks.modify",
     "OP_NETWORK_SET_PARAMS",
     "networks_name_modify",
     "Changes parameters of a network.",
     {.named = "network_name"}},
    {"PUT", "/2/networks/{name}/tags", "tags.set", "OP_TAGS_SET", "networks_name_tags",
     "Tags a network.", tags<network>},
    {"DELETE", "/2/networks/{name}/tags", "tags.delete", "OP_TAGS_DEL", "networks_name_tags",
     "Takes tags of a network away.", tags<network>},

    {"POST",
     "/2/groups",
     "groups.create",
     "OP_GROUP_ADD",
     "groups",
     "Makes a node group.",
     {.flags = {"dry-run"}, .renamed = of_group}},
    {"DELETE",
     "/2/groups/{name}",
     "groups.delete",
     "OP_GROUP_REMOVE",
     "groups_name",
     "Removes a node group.",
     {.body = Body::Ignored, .named = "group_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/groups/{name}/modify",
     "groups.modify",
     "OP_GROUP_SET_PARAMS",
     "groups_name_modify",
     "Changes parameters of a node group.",
     {.named = "group_name", .renamed = of_group_modification}},
    {"PUT",
     "/2/groups/{name}/rename",
     "groups.rename",
     "OP_GROUP_RENAME",
     "groups_name_rename",
     "Gives a node group another name.",
     {.named = "group_name", .flags = {"dry-run"}}},
    {"PUT",
     "/2/groups/{name}/assign-nodes",
     "groups.assign_nodes",
     "OP_GROUP_ASSIGN_NODES",
     "groups_name_assign_nodes",
     "Puts nodes into a node group.",
     {.named = "group_name", .flags = {"dry-run", "force"}}},
    {"PUT", "/2/groups/{name}/tags", "tags.set", "OP_TAGS_SET", "groups_name_tags",
     "Tags a node group.", tags<group>},
    {"DELETE", "/2/groups/{name}/tags", "tags.delete", "OP_TAGS_DEL", "groups_name_tags",
     "Takes tags of a node group away.", tags<group>},
};

// Ganeti takes no notice of it at some resources, and does it.
Granted<void> keep_dry(Opcodes& opcodes, Change const& change, RemoteCall const& call) {
  if (change.method == "GET") return {};
  auto const is_dry = flag_in(call.query, "dry-run");
  if (!is_dry) return tl::unexpected(is_dry.error());
  if (!*is_dry) return {};
  for (auto& opcode : opcodes) opcode["dry_run"] = true;
  return {};
}

}  // namespace

Granted<Opcodes> Change::opcodes(RemoteCall const& call) const {
  Opcodes made;
  if (job) {
    auto several = job(call);
    if (!several) return several;
    made = std::move(*several);
  } else {
    auto one = make_opcode(op_id, making, call);
    if (!one) return tl::unexpected(one.error());
    made.push_back(std::move(*one));
  }
  if (auto const done = keep_dry(made, *this, call); !done) return tl::unexpected(done.error());
  return made;
}

std::span<Change const> changes() {
  return table;
}

void add_reason(Opcodes& opcodes, Change const& change, RemoteCall const& call,
                std::int64_t now_ns) {
  json::array trail;
  if (auto const reason = text_in(call.query, "reason")) {
    trail.push_back(json::array{"gnt:user", *reason, now_ns});
  }
  trail.push_back(json::array{fmt::format("gnt:library:rlib2:{}", change.resource), "", now_ns});
  for (auto& opcode : opcodes) opcode["reason"] = trail;
}

}  // namespace flotte::rapi
