#include "units/group_remove.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/hooks.h"

namespace flotte::units {

Result<jobs::LockSet> GroupRemove::locks(Op const& op, model::Cluster const& cluster) {
  return jobs::LockSet{
      jobs::exclusive(jobs::LockLevel::NodeGroup, TRY(cluster.group(op.group_name))->uuid.text())};
}

Result<GroupRemove::Facts> GroupRemove::inspect(Op const&, model::Cluster const&,
                                                jobs::NodeReader&) {
  return Facts{};
}

Result<GroupRemove::Plan> GroupRemove::plan(Op const& op, model::Cluster const& cluster,
                                            Facts const&) {
  auto const group = TRY(cluster.group(op.group_name));
  std::vector<std::string> members;
  for (auto const& [id, node] : cluster.nodes()) {
    if (node->group == group->uuid) members.push_back(id.text());
  }
  if (!members.empty()) {
    return fail(ErrorCode::WrongState, "Group '{}' not empty, has the following nodes: {}",
                op.group_name, fmt::join(members, ", "));
  }
  if (cluster.groups().size() == 1) {
    return fail(ErrorCode::WrongState, "Group '{}' is the only group, cannot be removed",
                op.group_name);
  }
  return Plan{.group = group->uuid};
}

Result<jobs::Hooks> GroupRemove::hooks(Op const& op, model::Cluster const& cluster, Plan const&) {
  return group_hooks("group-remove", cluster, {{"GROUP_NAME", op.group_name}});
}

Result<json::value> GroupRemove::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Removing the group", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.remove(plan.group);
    return {};
  }));
  return nullptr;
}

schema::Fields GroupRemove::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::group>("group", "UUID of the group.")};
  return table;
}

}  // namespace flotte::units
