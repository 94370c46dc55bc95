// OP_INSTANCE_STARTUP. The four functions are called in the order in which they stand here; only
// apply() changes anything, so `gnt-instance startup --dry-run` is everything above it.
#include "units/instance_startup.h"

#include "base/seeded_fault.h"
#include "jobs/job_context.h"
#include "model/hypervisor_rules.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"
#include "units/start_checks.h"

namespace flotte::units {
namespace {

// The watcher asks for what it saw to be missing. Until its job has the lock, somebody may have
// shut the instance down.
bool is_unwished(opcodes::InstanceStartup const& op, model::Instance const& instance) {
  return op.only_if_wished && instance.admin_state != model::AdminState::Up &&
         !has_fault(SeededFault::WishNotLookedAtAgain);
}

Result<Overrides> overrides_of(opcodes::InstanceStartup const& op,
                               model::Instance const& instance) {
  return Overrides{TRY(model::enforce_hypervisor(instance.hypervisor, op.hvparams)),
                   TRY(model::enforce_backend_of_start(op.beparams))};
}

}  // namespace

Result<jobs::LockSet> InstanceStartup::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  // The node lock is shared: many instances may start on one node at once, but none while it is
  // drained or removed.
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceStartup::Facts> InstanceStartup::inspect(Op const& op, model::Cluster const& cluster,
                                                        jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(cluster.node(instance->primary_node));
  if (is_unwished(op, *instance)) return Facts{};
  TRY(check_online(*instance));
  if (node->offline) return Facts{};
  Facts facts{.node = TRY(nodes.ask(*node, rpc::NodeInfo{})),
              .running = TRY(find_running(cluster, *instance, nodes))};
  if (!facts.running) {
    TRY(check_nics(cluster, *instance, nodes));
    TRY(model::check_hypervisor_types(op.hvparams));
    facts.unknown = TRY(check_start(cluster, *instance, TRY(overrides_of(op, *instance)), nodes));
  }
  return facts;
}

Result<InstanceStartup::Plan> InstanceStartup::plan(Op const& op, model::Cluster const& cluster,
                                                    Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(cluster.node(instance->primary_node));
  if (is_unwished(op, *instance)) {
    return Plan{.instance = instance->uuid, .node = node->uuid, .is_unwished = true};
  }
  TRY(check_online(*instance));
  Plan plan{.instance = instance->uuid,
            .node = node->uuid,
            .remember = !op.no_remember,
            .startup_paused = op.startup_paused,
            .warning = facts.unknown};
  if (!facts.node) {
    if (!op.ignore_offline_nodes) {
      return fail(ErrorCode::WrongState, "Primary node {} is offline", node->name);
    }
    plan.is_node_offline = true;
    return plan;
  }
  plan.spec = instance_spec(cluster, *instance, TRY(overrides_of(op, *instance)));
  TRY(model::check_start(instance->hypervisor, plan.spec.hvparams, plan.spec.beparams));
  plan.spec.epoch = instance->epoch + 1;
  plan.is_running = facts.running.has_value();
  if (!plan.is_running) {
    TRY(check_memory(*node, *facts.node, plan.spec,
                     fmt::format("starting instance {}", instance->name)));
  }
  return plan;
}

Result<jobs::Hooks> InstanceStartup::hooks(Op const& op, model::Cluster const& cluster,
                                           Plan const& plan) {
  return instance_hooks("instance-start", cluster, plan.instance, {{"FORCE", hook_text(op.force)}});
}

Result<json::value> InstanceStartup::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.is_unwished) {
    job.info("It should no longer run: nothing to do");
    return nullptr;
  }
  if (plan.warning) job.warn(*plan.warning);
  // The wish is recorded before the deed: if the controller dies between the two, the watcher sees
  // an instance that should run and does not, and starts it. It stays recorded when the start
  // fails, for the same reason.
  if (has_fault(SeededFault::WishAfterDeed) && !plan.is_running && !plan.is_node_offline) {
    TRY(start_instance(job, plan.node, plan.spec, plan.startup_paused));
  }
  TRY(job.commit("Recording that it should run", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    if (plan.remember) {
      instance.admin_state = model::AdminState::Up;
      instance.admin_state_source = model::AdminStateSource::Admin;
    }
    if (!plan.is_running && !plan.is_node_offline) {
      instance.epoch = plan.spec.epoch;
      instance.disks_active = true;
    }
    edit.put(std::move(instance));
    return {};
  }));
  if (plan.is_node_offline) {
    job.warn("Primary node offline, marked instance as started");
    return nullptr;
  }
  if (!plan.is_running) TRY(start_instance(job, plan.node, plan.spec, plan.startup_paused));
  return nullptr;
}

schema::Fields InstanceStartup::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is started."),
      field<&Plan::is_running>("is_running", "It runs already."),
      field<&Plan::is_node_offline>("is_node_offline", "Only the wish can be recorded."),
      field<&Plan::is_unwished>("is_unwished", "It should no longer run."),
      field<&Plan::remember>("remember", "Whether the wish is recorded."),
      field<&Plan::startup_paused>("startup_paused", "Whether it stays paused."),
      field<&Plan::warning>("warning", "Why nobody can tell whether it starts."),
  };
  return table;
}

}  // namespace flotte::units
