#include "units/instance_reboot.h"

#include "jobs/job_context.h"
#include "model/hypervisor_rules.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"
#include "units/start_checks.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceReboot::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceReboot::Facts> InstanceReboot::inspect(Op const& op, model::Cluster const& cluster,
                                                      jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  TRY(check_online(*instance));
  auto const node = TRY(online_primary(cluster, *instance));
  Facts facts{.running = TRY(find_running(cluster, *instance, nodes)),
              .node = TRY(nodes.ask(*node, rpc::NodeInfo{}))};
  // Before it is stopped; one that doesn't run is started.
  if (op.reboot_type != "soft" || !facts.running) {
    TRY(check_nics(cluster, *instance, nodes));
    facts.unknown = TRY(check_start(cluster, *instance, {}, nodes));
  }
  return facts;
}

Result<InstanceReboot::Plan> InstanceReboot::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  if (op.reboot_type != "soft" && op.reboot_type != "hard" && op.reboot_type != "full") {
    return fail(ErrorCode::WrongInput, "Reboot type must be one of soft, hard, full, not '{}'",
                op.reboot_type);
  }
  TRY(check_online(*instance));
  if (facts.unknown && facts.running) return not_stopped(*instance, *facts.unknown);
  Plan plan{.instance = instance->uuid,
            .node = instance->primary_node,
            .spec = instance_spec(cluster, *instance),
            .is_running = facts.running.has_value(),
            .is_soft = op.reboot_type == "soft" && facts.running,
            .timeout_s = op.shutdown_timeout,
            .warning = facts.unknown};
  if (!plan.is_soft) {
    TRY(model::check_start(instance->hypervisor, plan.spec.hvparams, plan.spec.beparams));
  }
  plan.spec.epoch = instance->epoch + 1;
  if (!plan.is_running && facts.node) {
    auto const node = TRY(cluster.node(instance->primary_node));
    TRY(check_memory(*node, *facts.node, plan.spec,
                     fmt::format("rebooting instance {}", instance->name)));
  }
  return plan;
}

Result<jobs::Hooks> InstanceReboot::hooks(Op const& op, model::Cluster const& cluster,
                                          Plan const& plan) {
  return instance_hooks("instance-reboot", cluster, plan.instance,
                        {{"IGNORE_SECONDARIES", hook_text(op.ignore_secondaries)},
                         {"REBOOT_TYPE", op.reboot_type},
                         {"SHUTDOWN_TIMEOUT", std::to_string(op.shutdown_timeout)}});
}

Result<json::value> InstanceReboot::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Recording that it should run", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    instance.admin_state = model::AdminState::Up;
    instance.admin_state_source = model::AdminStateSource::Admin;
    instance.disks_active = true;
    if (!plan.is_soft && !plan.is_running) instance.epoch = plan.spec.epoch;
    edit.put(std::move(instance));
    return {};
  }));
  if (plan.warning) job.warn(*plan.warning);
  if (plan.is_soft) {
    TRY(job.step(fmt::format("Resetting {}", plan.spec.name), plan.node,
                 rpc::InstanceSoftReboot{plan.spec.name, plan.spec.hypervisor}));
    return nullptr;
  }
  if (plan.is_running) {
    TRY(stop_instance(job, plan.node, plan.spec, plan.timeout_s));
    TRY(record_next_start(job, plan.instance, plan.spec.epoch));
  } else {
    job.info(fmt::format("Instance {} was already stopped, starting now", plan.spec.name));
  }
  TRY(start_instance(job, plan.node, plan.spec, false));
  return nullptr;
}

schema::Fields InstanceReboot::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is started again."),
      field<&Plan::is_running>("is_running", "Whether it has to be stopped first."),
      field<&Plan::is_soft>("is_soft", "Reset by the hypervisor."),
      field<&Plan::timeout_s>("timeout_s", "Seconds before the plug is pulled."),
      field<&Plan::warning>("warning", "Why nobody can tell whether it starts."),
  };
  return table;
}

}  // namespace flotte::units
