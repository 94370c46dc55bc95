#include "units/group_add.h"

#include "base/random.h"
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
              "Desired group name '{}' already exists as a node group (UUID: {})", name,
              (*known)->uuid.text());
}

}  // namespace

Result<jobs::LockSet> GroupAdd::locks(Op const&, model::Cluster const&) {
  // Two of one name at the same time: the second waits and is refused.
  return jobs::LockSet{jobs::all_exclusive(jobs::LockLevel::NodeGroup)};
}

Result<GroupAdd::Facts> GroupAdd::inspect(Op const&, model::Cluster const&,
                                          jobs::NodeReader& nodes) {
  return Facts{.uuid = GroupId(nodes.random().uuid()),
               .now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count()};
}

Result<GroupAdd::Plan> GroupAdd::plan(Op const& op, model::Cluster const& cluster,
                                      Facts const& facts) {
  TRY(check_object_name("group", op.group_name));
  TRY(check_is_free(op.group_name, cluster));
  model::Group group{.uuid = facts.uuid, .name = op.group_name};
  group.ctime = group.mtime = facts.now;
  // The first commit raises it.
  group.serial_no = 0;
  if (op.alloc_policy) {
    TRY(check_alloc_policy(*op.alloc_policy));
    group.alloc_policy = *op.alloc_policy;
  }
  if (op.ndparams) {
    group.ndparams = model::overlay({}, TRY(model::enforce(model::node_params(), *op.ndparams)));
  }
  if (op.diskparams) group.diskparams = TRY(changed_diskparams({}, *op.diskparams));
  if (op.ipolicy) {
    group.ipolicy = TRY(model::changed_ipolicy({}, *op.ipolicy, model::PolicyLevel::Group));
  }
  return Plan{.group = std::move(group)};
}

Result<jobs::Hooks> GroupAdd::hooks(Op const& op, model::Cluster const& cluster, Plan const&) {
  return group_hooks("group-add", cluster, {{"GROUP_NAME", op.group_name}});
}

Result<json::value> GroupAdd::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Adding the group", [&](store::ClusterEdit& edit) -> Result<void> {
    TRY(check_is_free(plan.group.name, edit.cluster()));
    edit.put(plan.group);
    return {};
  }));
  return nullptr;
}

schema::Fields GroupAdd::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::group>("group", "The group as it will be.")};
  return table;
}

}  // namespace flotte::units
