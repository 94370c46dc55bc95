#include "units/instance_reinstall.h"

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"
#include "units/os_names.h"
#include "units/start_checks.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceReinstall::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceReinstall::Facts> InstanceReinstall::inspect(Op const& op,
                                                            model::Cluster const& cluster,
                                                            jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(online_primary(cluster, *instance));
  if (op.os_type) {
    // Another OS may have other hypervisor parameters.
    auto after = *instance;
    after.os = *op.os_type;
    TRY(check_start_changes(device_spec(cluster, *instance), device_spec(cluster, after), *node,
                            nodes));
  }
  return Facts{.running = TRY(find_running(cluster, *instance, nodes)),
               .operating_systems = TRY(nodes.ask(*node, rpc::OsDiagnose{}))};
}

Result<InstanceReinstall::Plan> InstanceReinstall::plan(Op const& op, model::Cluster const& cluster,
                                                        Facts const& facts) {
  auto instance = *TRY(cluster.instance(op.instance_name));
  if (!model::has_disks(instance.disk_template)) {
    return fail(ErrorCode::WrongInput, "Instance '{}' has no disks", instance.name);
  }
  TRY(check_down(instance, facts.running.has_value(), "cannot reinstall"));
  auto const node = TRY(cluster.node(instance.primary_node));
  instance.os = op.os_type.value_or(instance.os);
  if (instance.os.empty()) {
    return fail(ErrorCode::WrongInput, "Instance '{}' has no OS; name one with -o", instance.name);
  }
  auto const os = TRY(find_os(facts.operating_systems, instance.os, node->name, op.force_variant));
  auto const open = os_parameter_changes(op.osparams.value_or(json::object()));
  auto const hidden = os_parameter_changes(op.osparams_private.value_or(json::object()));
  auto const secret = op.osparams_secret.value_or(json::object());
  TRY(check_given_once(open, hidden, secret));
  instance.osparams = model::overlay(std::move(instance.osparams), open);
  instance.osparams_private = model::overlay(std::move(instance.osparams_private), hidden);
  Plan plan{.instance = instance.uuid,
            .node = instance.primary_node,
            .spec = instance_spec(cluster, instance),
            .new_osparams = instance.osparams,
            .new_osparams_private = instance.osparams_private,
            .force_variant = op.force_variant};
  if (op.os_type) plan.new_os = *op.os_type;
  plan.spec.osparams = model::overlay(std::move(plan.spec.osparams), secret);
  TRY(check_os_image(plan.spec.osparams));
  TRY(check_os_parameters(os, plan.spec.osparams, node->name));
  return plan;
}

Result<jobs::Hooks> InstanceReinstall::hooks(Op const&, model::Cluster const& cluster,
                                             Plan const& plan) {
  return instance_hooks("instance-reinstall", cluster, plan.instance);
}

Result<json::value> InstanceReinstall::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.new_os) job.log(fmt::format("Changing OS to '{}'...", *plan.new_os));
  TRY(job.commit("Recording the OS", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    if (plan.new_os) instance.os = *plan.new_os;
    instance.osparams = plan.new_osparams;
    instance.osparams_private = plan.new_osparams_private;
    edit.put(std::move(instance));
    return {};
  }));
  TRY(activate_disks(job, plan.node, plan.spec));
  job.info("Running instance OS create scripts...");
  TRY(job.step(fmt::format("Installing {} on {}", plan.spec.os, plan.spec.name), plan.node,
               rpc::OsCreate{plan.spec, true, plan.force_variant, plan.debug_level},
               {.timeout = std::chrono::hours(24), .logs_output = true}));
  TRY(deactivate_disks(job, plan.node, plan.spec));
  return nullptr;
}

schema::Fields InstanceReinstall::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is installed."),
      field<&Plan::new_os>("new_os", "The OS, where it changes."),
      field<&Plan::new_osparams>("new_osparams", "OS parameters from now on."),
      schema::secret<&Plan::new_osparams_private>("new_osparams_private", "Those kept from lists."),
      field<&Plan::force_variant>("force_variant", "Accept an unlisted variant."),
      field<&Plan::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

}  // namespace flotte::units
