#include "units/group_rename.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/group_rules.h"
#include "units/hooks.h"

namespace flotte::units {
namespace {

Result<void> check_is_free(std::string const& name, model::Cluster const& cluster) {
  auto const known = cluster.group(name);
  if (!known) return {};
  return fail(ErrorCode::AlreadyExists,
              "Desired new name '{}' clashes with existing node group (UUID: {})", name,
              (*known)->uuid.text());
}

}  // namespace

Result<jobs::LockSet> GroupRename::locks(Op const& op, model::Cluster const& cluster) {
  TRY(cluster.group(op.group_name));
  // The new name is nobody's yet: who takes it meanwhile waits.
  return jobs::LockSet{jobs::all_exclusive(jobs::LockLevel::NodeGroup)};
}

Result<GroupRename::Facts> GroupRename::inspect(Op const&, model::Cluster const&,
                                                jobs::NodeReader&) {
  return Facts{};
}

Result<GroupRename::Plan> GroupRename::plan(Op const& op, model::Cluster const& cluster,
                                            Facts const&) {
  auto const group = TRY(cluster.group(op.group_name));
  TRY(check_object_name("group", op.new_name));
  TRY(check_is_free(op.new_name, cluster));
  return Plan{.group = group->uuid, .name = op.new_name};
}

Result<jobs::Hooks> GroupRename::hooks(Op const& op, model::Cluster const& cluster,
                                       Plan const& plan) {
  return group_hooks("group-rename", cluster,
                     {{"OLD_NAME", op.group_name}, {"NEW_NAME", op.new_name}}, plan.group);
}

Result<json::value> GroupRename::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Renaming the group", [&](store::ClusterEdit& edit) -> Result<void> {
    TRY(check_is_free(plan.name, edit.cluster()));
    auto group = TRY(edit.get(plan.group));
    group.name = plan.name;
    edit.put(std::move(group));
    return {};
  }));
  return json::value(json::string_view(plan.name));
}

schema::Fields GroupRename::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::group>("group", "UUID of the group."),
      schema::field<&Plan::name>("name", "Its new name.")};
  return table;
}

}  // namespace flotte::units
