#include "units/group_set_params.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/group_rules.h"
#include "units/hooks.h"

namespace flotte::units {
namespace {

// Those that fit now and will not any more.
std::vector<std::string> new_violations(model::Cluster const& cluster, model::Group const& before,
                                        model::Group const& after) {
  auto const& settings = cluster.settings();
  auto const old_policy = model::filled_ipolicy(settings, before);
  auto const new_policy = model::filled_ipolicy(settings, after);
  std::vector<std::string> names;
  for (auto const& instance : cluster.instances_by_name()) {
    auto const group = cluster.group_of(instance->primary_node);
    if (!group || group->uuid != before.uuid) continue;
    auto const filled = model::filled_beparams(settings, *instance);
    if (model::policy_violations(new_policy, *instance, filled).empty()) continue;
    if (!model::policy_violations(old_policy, *instance, filled).empty()) continue;
    names.push_back(instance->name);
  }
  return names;
}

}  // namespace

Result<jobs::LockSet> GroupSetParams::locks(Op const& op, model::Cluster const& cluster) {
  return jobs::LockSet{
      jobs::all_shared(jobs::LockLevel::Instance),
      jobs::exclusive(jobs::LockLevel::NodeGroup, TRY(cluster.group(op.group_name))->uuid.text())};
}

Result<GroupSetParams::Facts> GroupSetParams::inspect(Op const&, model::Cluster const&,
                                                      jobs::NodeReader&) {
  return Facts{};
}

Result<GroupSetParams::Plan> GroupSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const&) {
  if (!op.alloc_policy && !op.ndparams && !op.diskparams && !op.ipolicy) {
    return fail(ErrorCode::WrongInput, "Please pass at least one modification");
  }
  auto const before = TRY(cluster.group(op.group_name));
  Plan plan{.group = *before, .told = {}, .warnings = {}};
  auto& group = plan.group;
  if (op.alloc_policy) {
    TRY(check_alloc_policy(*op.alloc_policy));
    group.alloc_policy = *op.alloc_policy;
  }
  if (op.ndparams && !op.ndparams->empty()) {
    group.ndparams =
        model::overlay(group.ndparams, TRY(model::enforce(model::node_params(), *op.ndparams)));
    plan.told.push_back({"ndparams", group.ndparams});
  }
  if (op.diskparams && !op.diskparams->empty()) {
    group.diskparams = TRY(changed_diskparams(group.diskparams, *op.diskparams));
    plan.told.push_back({"diskparams", group.diskparams});
  }
  if (op.ipolicy) {
    group.ipolicy =
        TRY(model::changed_ipolicy(group.ipolicy, *op.ipolicy, model::PolicyLevel::Group));
    if (auto const names = new_violations(cluster, *before, group); !names.empty()) {
      plan.warnings.push_back(
          fmt::format("After the ipolicy change the following instances violate them: {}",
                      fmt::join(names, ", ")));
    }
  }
  return plan;
}

Result<jobs::Hooks> GroupSetParams::hooks(Op const& op, model::Cluster const& cluster,
                                          Plan const&) {
  return group_hooks(
      "group-modify", cluster,
      {{"GROUP_NAME", op.group_name}, {"NEW_ALLOC_POLICY", op.alloc_policy.value_or("None")}});
}

Result<json::value> GroupSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  TRY(job.commit("Changing the group", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.put(plan.group);
    return {};
  }));
  json::array told;
  for (auto const& one : plan.told) told.push_back(one);
  return told;
}

schema::Fields GroupSetParams::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::group>("group", "The group from now on."),
      schema::field<&Plan::told>("told", "What is told of it."),
      schema::field<&Plan::warnings>("warnings", "What is told before.")};
  return table;
}

}  // namespace flotte::units
