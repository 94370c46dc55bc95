#include "units/group_assign_nodes.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "store/config_store.h"

namespace flotte::units {
namespace {

// No name stands for all of them, as in Ganeti.
Result<std::vector<model::NodePtr>> wanted_nodes(std::vector<std::string> const& names,
                                                 model::Cluster const& cluster) {
  if (names.empty()) return cluster.nodes_by_name();
  std::vector<model::NodePtr> nodes;
  for (auto const& name : names) {
    auto const node = TRY(cluster.node(std::string_view(name)));
    if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
  }
  return nodes;
}

// What NICs of their instances are in.
Result<void> check_networks(GroupAssignNodes::Plan const& plan, model::Cluster const& cluster) {
  auto const group = TRY(cluster.group(plan.group.text()));
  for (auto const& instance : cluster.instances_by_name()) {
    if (std::ranges::find(plan.nodes, instance->primary_node) == plan.nodes.end()) continue;
    for (auto const& nic : instance->nics) {
      auto const network = nic.network ? cluster.find(*nic.network) : nullptr;
      if (!network || group->connection(*nic.network)) continue;
      return fail(
          ErrorCode::WrongState,
          "Instance {} has a NIC in the network {}, to which the group {} is not connected; "
          "'gnt-network connect {} {}' connects it",
          instance->name, network->name, group->name, network->name, group->name);
    }
  }
  return {};
}

}  // namespace

Result<jobs::LockSet> GroupAssignNodes::locks(Op const& op, model::Cluster const& cluster) {
  using namespace jobs;
  auto const group = TRY(cluster.group(op.group_name));
  LockSet locks{exclusive(LockLevel::NodeGroup, group->uuid.text())};
  for (auto const& node : TRY(wanted_nodes(op.nodes, cluster))) {
    auto const left = exclusive(LockLevel::NodeGroup, node->group.text());
    if (std::ranges::find(locks, left) == locks.end()) locks.push_back(left);
    locks.push_back(exclusive(LockLevel::Node, node->uuid.text()));
  }
  return locks;
}

Result<GroupAssignNodes::Facts> GroupAssignNodes::inspect(Op const&, model::Cluster const&,
                                                          jobs::NodeReader&) {
  return Facts{};
}

Result<GroupAssignNodes::Plan> GroupAssignNodes::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const&) {
  Plan plan{.group = TRY(cluster.group(op.group_name))->uuid, .nodes = {}};
  // An instance lives on one node: nothing is split by this as long as there are no mirrors.
  for (auto const& node : TRY(wanted_nodes(op.nodes, cluster))) plan.nodes.push_back(node->uuid);
  TRY(check_networks(plan, cluster));
  return plan;
}

Result<json::value> GroupAssignNodes::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Assigning the nodes", [&](store::ClusterEdit& edit) -> Result<void> {
    for (auto const& id : plan.nodes) {
      auto node = TRY(edit.get(id));
      node.group = plan.group;
      edit.put(std::move(node));
    }
    return {};
  }));
  return nullptr;
}

schema::Fields GroupAssignNodes::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::group>("group", "UUID of the group."),
      schema::field<&Plan::nodes>("nodes", "UUIDs of the nodes.")};
  return table;
}

}  // namespace flotte::units
