#include "units/instance_deactivate_disks.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/instance_steps.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceDeactivateDisks::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceDeactivateDisks::Facts> InstanceDeactivateDisks::inspect(
    Op const& op, model::Cluster const& cluster, jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return Facts{.is_running = TRY(find_running(cluster, *instance, nodes)).has_value()};
}

Result<InstanceDeactivateDisks::Plan> InstanceDeactivateDisks::plan(Op const& op,
                                                                    model::Cluster const& cluster,
                                                                    Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  if (!op.force) TRY(check_down(*instance, facts.is_running, "cannot shutdown disks"));
  // Not even by force: the guest would go on writing to what is no longer looked after.
  if (facts.is_running) {
    return fail(ErrorCode::WrongState,
                "Instance {} is running, cannot shutdown disks; stop it first with 'gnt-instance "
                "shutdown {}'",
                instance->name, instance->name);
  }
  return Plan{.instance = instance->uuid,
              .node = instance->primary_node,
              .spec = instance_spec(cluster, *instance)};
}

Result<json::value> InstanceDeactivateDisks::apply(Plan const& plan, jobs::JobContext& job) {
  // Disks that are not active do no harm: nothing is undone.
  TRY(job.keep());
  TRY(deactivate_disks(job, plan.node, plan.spec));
  TRY(job.commit("Recording that its disks are not active",
                 [&](store::ClusterEdit& edit) -> Result<void> {
                   auto instance = TRY(edit.get(plan.instance));
                   instance.disks_active = false;
                   edit.put(std::move(instance));
                   return {};
                 }));
  return nullptr;
}

schema::Fields InstanceDeactivateDisks::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "Whose disks they are."),
  };
  return table;
}

}  // namespace flotte::units
