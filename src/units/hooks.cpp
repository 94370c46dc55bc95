#include "units/hooks.h"

#include "model/disk_templates.h"
#include "model/params.h"
#include "units/network_rules.h"

namespace flotte::units {
namespace {

namespace json = boost::json;
using jobs::HookVariables;

void tell_nic(HookVariables& told, model::Cluster const& cluster, model::Nic const& nic,
              std::size_t index) {
  auto const prefix = fmt::format("INSTANCE_NIC{}_", index);
  auto const params = model::filled_nicparams(cluster.settings(), nic);
  auto const mode = model::text_of(params, "mode");
  auto const link = model::text_of(params, "link");
  if (nic.name) told[prefix + "NAME"] = *nic.name;
  told[prefix + "UUID"] = nic.uuid.text();
  told[prefix + "IP"] = nic.ip.value_or("");
  told[prefix + "MAC"] = nic.mac;
  told[prefix + "MODE"] = mode;
  told[prefix + "LINK"] = link;
  told[prefix + "VLAN"] = model::text_of(params, "vlan");
  if (mode == "bridged" || mode == "openvswitch") told[prefix + "BRIDGE"] = link;
  auto const network = nic.network ? cluster.find(*nic.network) : nullptr;
  if (!network) return;
  for (auto const& [name, value] : network_variables(*network)) told[prefix + name] = value;
}

void tell_disk(HookVariables& told, model::Disk const& disk, std::size_t index) {
  auto const prefix = fmt::format("INSTANCE_DISK{}_", index);
  if (disk.name) told[prefix + "NAME"] = *disk.name;
  told[prefix + "UUID"] = disk.uuid.text();
  told[prefix + "SIZE"] = std::to_string(disk.size.value);
  told[prefix + "MODE"] = schema::name_of(disk.mode);
  told[prefix + "DEV_TYPE"] = schema::name_of(disk.dev_type);
  constexpr std::size_t id_parts = 2;
  if (disk.logical_id.size() != id_parts) return;
  told[fmt::format("{}{}", prefix, model::traits_of(disk.dev_type).id_title)] = disk.logical_id[0];
  told[prefix + "ID"] = disk.logical_id[1];
}

void tell_params(HookVariables& told, std::string_view kind, json::object const& params) {
  for (auto const& [name, value] : params) {
    told[fmt::format("INSTANCE_{}_{}", kind, std::string_view(name))] = model::python_text(value);
  }
}

HookVariables told_of(model::Cluster const& cluster, model::Instance const& instance) {
  auto const& settings = cluster.settings();
  auto const backend = model::filled_beparams(settings, instance);
  auto const node = cluster.node(instance.primary_node);
  auto const memory = model::number_of(backend, "maxmem");
  HookVariables told{
      {"OP_TARGET", instance.name},
      {"INSTANCE_NAME", instance.name},
      {"INSTANCE_PRIMARY", node ? (*node)->name : ""},
      {"INSTANCE_SECONDARIES", ""},
      {"INSTANCE_OS_TYPE", instance.os},
      {"INSTANCE_STATUS", std::string(schema::name_of(instance.admin_state))},
      {"INSTANCE_MINMEM", std::to_string(model::number_of(backend, "minmem"))},
      {"INSTANCE_MAXMEM", std::to_string(memory)},
      {"INSTANCE_MEMORY", std::to_string(memory)},
      {"INSTANCE_VCPUS", std::to_string(model::number_of(backend, "vcpus"))},
      {"INSTANCE_DISK_TEMPLATE", std::string(schema::name_of(instance.disk_template))},
      {"INSTANCE_HYPERVISOR", std::string(schema::name_of(instance.hypervisor))},
      {"INSTANCE_NIC_COUNT", std::to_string(instance.nics.size())},
      {"INSTANCE_DISK_COUNT", std::to_string(instance.disks.size())},
      {"INSTANCE_TAGS", fmt::format("{}", fmt::join(instance.tags, " "))}};
  for (std::size_t i = 0; i < instance.nics.size(); ++i) {
    tell_nic(told, cluster, instance.nics[i], i);
  }
  for (std::size_t i = 0; i < instance.disks.size(); ++i) tell_disk(told, instance.disks[i], i);
  tell_params(told, "BE", backend);
  tell_params(told, "HV", model::filled_hvparams(settings, instance));
  return told;
}

}  // namespace

jobs::Hooks instance_hooks(std::string directory, model::Cluster const& cluster,
                           model::Instance const& instance, HookVariables const& extra) {
  std::vector<NodeId> const nodes{cluster.settings().master_node, instance.primary_node};
  jobs::Hooks hooks{.directory = std::move(directory),
                    .object_type = "INSTANCE",
                    .instance = instance.name,
                    .variables = told_of(cluster, instance),
                    .pre_nodes = nodes,
                    .post_nodes = nodes};
  for (auto const& [name, value] : extra) hooks.variables[name] = value;
  return hooks;
}

Result<jobs::Hooks> instance_hooks(std::string directory, model::Cluster const& cluster,
                                   InstanceId const& id, HookVariables const& extra) {
  auto const instance = TRY(cluster.instance(id));
  return instance_hooks(std::move(directory), cluster, *instance, extra);
}

jobs::Hooks cluster_hooks(std::string directory, model::Cluster const& cluster,
                          HookVariables variables) {
  auto const& master = cluster.settings().master_node;
  return {.directory = std::move(directory),
          .object_type = "CLUSTER",
          .instance = {},
          .variables = std::move(variables),
          .pre_nodes = {master},
          .post_nodes = {master}};
}

jobs::Hooks group_hooks(std::string directory, model::Cluster const& cluster,
                        HookVariables variables, GroupId const& group) {
  auto hooks = cluster_hooks(std::move(directory), cluster, std::move(variables));
  hooks.object_type = "GROUP";
  for (auto const& [id, node] : cluster.nodes()) {
    if (node->group != group || id == cluster.settings().master_node) continue;
    hooks.pre_nodes.push_back(id);
    hooks.post_nodes.push_back(id);
  }
  return hooks;
}

std::string hook_text(bool value) {
  return value ? "True" : "False";
}

}  // namespace flotte::units
