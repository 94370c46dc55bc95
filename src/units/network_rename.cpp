#include "units/network_rename.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/network_rules.h"

namespace flotte::units {

Result<jobs::LockSet> NetworkRename::locks(Op const& op, model::Cluster const& cluster) {
  TRY(cluster.network(op.network_name));
  // The new name is nobody's yet: who takes it meanwhile waits.
  return jobs::LockSet{jobs::all_exclusive(jobs::LockLevel::Network)};
}

Result<NetworkRename::Facts> NetworkRename::inspect(Op const&, model::Cluster const&,
                                                    jobs::NodeReader&) {
  return Facts{};
}

Result<NetworkRename::Plan> NetworkRename::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const&) {
  auto const network = TRY(cluster.network(op.network_name));
  TRY(check_network_name(op.new_name));
  if (auto const other = cluster.network(op.new_name)) {
    return fail(ErrorCode::AlreadyExists,
                "Desired new name '{}' clashes with existing network (UUID: {})", op.new_name,
                (*other)->uuid.text());
  }
  return Plan{.network = network->uuid, .name = op.new_name};
}

// Also on the nodes of the groups that it is connected to.
Result<jobs::Hooks> NetworkRename::hooks(Op const& op, model::Cluster const& cluster,
                                         Plan const& plan) {
  auto hooks = network_hooks("network-rename", cluster,
                             {{"OLD_NAME", op.network_name}, {"NEW_NAME", op.new_name}});
  for (auto const& [id, node] : cluster.nodes()) {
    auto const group = cluster.find(node->group);
    if (id == cluster.settings().master_node || !group || !group->connection(plan.network)) {
      continue;
    }
    hooks.pre_nodes.push_back(id);
    hooks.post_nodes.push_back(id);
  }
  return hooks;
}

Result<json::value> NetworkRename::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Renaming the network", [&](store::ClusterEdit& edit) -> Result<void> {
    auto network = TRY(edit.get(plan.network));
    network.name = plan.name;
    edit.put(std::move(network));
    return {};
  }));
  return json::value(json::string_view(plan.name));
}

schema::Fields NetworkRename::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::network>("network", "UUID of the network."),
      schema::field<&Plan::name>("name", "Its new name.")};
  return table;
}

}  // namespace flotte::units
