#include "units/instance_remove.h"

#include "jobs/job_context.h"
#include "units/hooks.h"
#include "units/instance_steps.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceRemove::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()),
                       jobs::shared(jobs::LockLevel::NodeRes, instance->primary_node.text())};
}

Result<InstanceRemove::Facts> InstanceRemove::inspect(Op const&, model::Cluster const&,
                                                      jobs::NodeReader&) {
  return Facts{};
}

Result<InstanceRemove::Plan> InstanceRemove::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const&) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(cluster.node(instance->primary_node));
  if (node->offline && !op.ignore_failures) TRY(online_primary(cluster, *instance));
  return Plan{.instance = instance->uuid,
              .name = instance->name,
              .node = instance->primary_node,
              .spec = instance_spec(cluster, *instance),
              .is_node_offline = node->offline,
              .ignore_failures = op.ignore_failures,
              .timeout_s = op.shutdown_timeout};
}

Result<jobs::Hooks> InstanceRemove::hooks(Op const& op, model::Cluster const& cluster,
                                          Plan const& plan) {
  auto hooks = TRY(instance_hooks("instance-remove", cluster, plan.instance,
                                  {{"SHUTDOWN_TIMEOUT", std::to_string(op.shutdown_timeout)}}));
  hooks.pre_nodes = {cluster.settings().master_node};
  return hooks;
}

Result<json::value> InstanceRemove::apply(Plan const& plan, jobs::JobContext& job) {
  // The wish first, so that nobody starts it again.
  TRY(record_down(job, plan.instance, {}));
  if (!plan.is_node_offline) {
    TRY(tolerate(stop_instance(job, plan.node, plan.spec, plan.timeout_s), plan.ignore_failures,
                 "The instance could not be stopped", job));
  }
  // A disk that is gone can't be brought back.
  TRY(job.keep());
  if (!plan.is_node_offline) TRY(remove_disks(job, plan.node, plan.spec, plan.ignore_failures));
  TRY(forget_instance(job, plan.instance));
  return nullptr;
}

schema::Fields InstanceRemove::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::name>("name", "Its name."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is stopped and whose disks go."),
      field<&Plan::is_node_offline>("is_node_offline", "Disks stay on a node out of reach."),
      field<&Plan::ignore_failures>("ignore_failures", "Go on where a part stays behind."),
      field<&Plan::timeout_s>("timeout_s", "Seconds before the plug is pulled."),
  };
  return table;
}

}  // namespace flotte::units
