#include "units/instance_shutdown.h"

#include "base/seeded_fault.h"
#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

bool is_by_guest(opcodes::InstanceShutdown const& op) {
  return op.admin_state_source == model::AdminStateSource::User &&
         !has_fault(SeededFault::WishNotLookedAtAgain);
}

}  // namespace

Result<jobs::LockSet> InstanceShutdown::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<InstanceShutdown::Facts> InstanceShutdown::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  Facts facts{.is_node_offline = TRY(cluster.node(instance->primary_node))->offline};
  if (is_by_guest(op) && !facts.is_node_offline) {
    facts.is_running = TRY(find_running(cluster, *instance, nodes)).has_value();
  }
  return facts;
}

Result<InstanceShutdown::Plan> InstanceShutdown::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const is_marked_offline = instance->admin_state == model::AdminState::Offline;
  if (!op.force) TRY(check_online(*instance));
  if (facts.is_node_offline && !op.ignore_offline_nodes) {
    TRY(online_primary(cluster, *instance));
  }
  if (op.timeout < 0) {
    return fail(ErrorCode::WrongInput,
                "Parameter 'OP_INSTANCE_SHUTDOWN.timeout' fails validation; {} is less than 0 "
                "seconds",
                op.timeout);
  }
  // What the watcher saw may be over: somebody started it, or has shut it down himself.
  auto const is_outdated = is_by_guest(op) && !facts.is_node_offline &&
                           (facts.is_running || instance->admin_state != model::AdminState::Up);
  return Plan{.instance = instance->uuid,
              .node = instance->primary_node,
              .spec = instance_spec(cluster, *instance),
              .is_node_offline = facts.is_node_offline,
              .is_outdated = is_outdated,
              .is_forced = op.force,
              // The mark would be gone.
              .remember = !op.no_remember && !is_marked_offline,
              .source = op.admin_state_source.value_or(model::AdminStateSource::Admin),
              .timeout_s = op.timeout};
}

Result<jobs::Hooks> InstanceShutdown::hooks(Op const& op, model::Cluster const& cluster,
                                            Plan const& plan) {
  return instance_hooks("instance-stop", cluster, plan.instance,
                        {{"TIMEOUT", std::to_string(op.timeout)}});
}

Result<json::value> InstanceShutdown::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.is_outdated) {
    job.info("It did not switch itself off, or no longer: nothing to do");
    return nullptr;
  }
  if (plan.is_forced) job.warn("Ignoring offline instance check");
  if (plan.remember) TRY(record_down(job, plan.instance, plan.source));
  if (plan.is_node_offline) {
    job.warn("Primary node offline, marked instance as stopped");
    return nullptr;
  }
  TRY(stop_instance(job, plan.node, plan.spec, plan.timeout_s));
  return nullptr;
}

schema::Fields InstanceShutdown::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is stopped."),
      field<&Plan::is_node_offline>("is_node_offline", "Only the wish can be recorded."),
      field<&Plan::is_outdated>("is_outdated", "It did not switch itself off, or no longer."),
      field<&Plan::is_forced>("is_forced", "Also where it is marked offline."),
      field<&Plan::remember>("remember", "Whether the wish is recorded."),
      field<&Plan::source>("source", "Who wishes it."),
      field<&Plan::timeout_s>("timeout_s", "Seconds before the plug is pulled."),
  };
  return table;
}

}  // namespace flotte::units
