#include "units/instance_rename.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/devices.h"
#include "units/hooks.h"
#include "units/instance_names.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

constexpr std::chrono::hours os_timeout{24};

model::Instance renamed(model::Instance instance, std::string const& name) {
  for (auto& disk : instance.disks) give_to(disk, instance.name, name);
  instance.name = name;
  return instance;
}

// The old name is whose turn it is, in both directions: what comes too late is refused.
Result<void> rename_disks(InstanceRename::Plan const& plan, jobs::JobContext& job) {
  auto const& before = plan.before;
  auto const& after = plan.after;
  for (std::size_t i = 0; i < before.disks.size(); ++i) {
    rpc::BlockdevRename const call{.instance = before.name,
                                   .disk = before.disks[i],
                                   .owner = before.name,
                                   .new_disk = after.disks[i],
                                   .new_owner = after.name,
                                   .epoch = after.epoch};
    TRY(job.step(fmt::format("Renaming disk {}", i), plan.node, call,
                 {.undo = jobs::undo_call(plan.node, undo_of(call, before.epoch))}));
  }
  return {};
}

Result<void> record_name(InstanceRename::Plan const& plan, jobs::JobContext& job) {
  return job.commit(
      "Recording its name",
      [&](store::ClusterEdit& edit) -> Result<void> {
        auto instance = renamed(TRY(edit.get(plan.instance)), plan.after.name);
        instance.disks_active = false;
        edit.put(std::move(instance));
        return {};
      },
      put_back(job, plan.instance));
}

Result<void> run_script(InstanceRename::Plan const& plan, jobs::JobContext& job) {
  TRY(activate_disks(job, plan.node, plan.after));
  auto const done =
      job.step(fmt::format("Running the rename script of {}", plan.after.os), plan.node,
               rpc::OsRename{plan.after, plan.before.name}, {.timeout = os_timeout});
  if (!done && done.error().error_class == ErrorClass::Unreachable) return Failure(done.error());
  if (!done) {
    job.warn(
        fmt::format("Could not run OS rename script for instance {} on node {} (but the "
                    "instance has been renamed in Ganeti): {}",
                    plan.after.name, plan.after.primary_node, done.error().message));
  }
  return deactivate_disks(job, plan.node, plan.after);
}

}  // namespace

Result<jobs::LockSet> InstanceRename::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  jobs::LockSet locks{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                      jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()),
                      jobs::shared(jobs::LockLevel::NodeRes, instance->primary_node.text())};
  auto const new_name = TRY(normalized_name(op.new_name));
  if (new_name != instance->name) {
    locks.push_back(jobs::exclusive(jobs::LockLevel::Instance, new_name));
  }
  return locks;
}

Result<InstanceRename::Facts> InstanceRename::inspect(Op const& op, model::Cluster const& cluster,
                                                      jobs::NodeReader& nodes) {
  auto const checks =
      TRY(name_checks(op.name_check, op.ip_check, "IP address check requires a name check"));
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(online_primary(cluster, *instance));
  Facts facts;
  auto const running =
      TRY(nodes.ask(*node, rpc::AllInstancesInfo{{instance->hypervisor}, {instance->name}}));
  for (auto const& one : running.instances) {
    if (one.name == instance->name) facts.running = one;
  }
  facts.disks =
      TRY(nodes.ask(*node, rpc::BlockdevFind{instance->name, disk_specs(cluster, *instance)}));
  facts.resolved = TRY(look_up_name(op.new_name, checks, cluster, nodes));
  return facts;
}

Result<InstanceRename::Plan> InstanceRename::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const was_switched_off = facts.running && facts.running->state == rpc::RunState::UserDown;
  TRY(check_not_running(*instance, facts.running && !was_switched_off, "cannot rename"));
  auto const name = TRY(free_name(op.new_name, facts.resolved, cluster));
  for (std::size_t i = 0; i < instance->disks.size(); ++i) {
    if (i < facts.disks.devices.size() && facts.disks.devices[i]) continue;
    return fail(ErrorCode::WrongState,
                "Disk {} of {} is missing; make it anew first with 'gnt-instance recreate-disks "
                "--disk={} {}'",
                i, instance->name, i, instance->name);
  }
  Plan plan{.instance = instance->uuid,
            .node = instance->primary_node,
            .before = instance_spec(cluster, *instance),
            .after = instance_spec(cluster, renamed(*instance, name)),
            .was_switched_off = was_switched_off,
            .runs_script = !instance->os.empty()};
  plan.before.osparams.clear();
  return plan;
}

jobs::LockSet InstanceRename::plan_locks(Plan const& plan) {
  return {jobs::exclusive(jobs::LockLevel::Instance, plan.after.name)};
}

// Told of the instance by its UUID: afterwards it has the new name.
Result<jobs::Hooks> InstanceRename::hooks(Op const& /*op*/, model::Cluster const& cluster,
                                          Plan const& plan) {
  return instance_hooks("instance-rename", cluster, plan.instance,
                        {{"INSTANCE_NEW_NAME", plan.after.name}});
}

Result<json::value> InstanceRename::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.was_switched_off) {
    TRY(job.step("Forgetting that its guest switched it off", plan.node,
                 rpc::InstanceShutdown{plan.before.name, plan.before.hypervisor, 0}));
  }
  TRY(rename_disks(plan, job));
  TRY(record_name(plan, job));
  if (plan.runs_script) TRY(run_script(plan, job));
  return json::value(json::string_view(plan.after.name));
}

schema::Fields InstanceRename::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::before>("before", "As it is."),
      field<&Plan::after>("after", "As it will be, for the OS script, too."),
      field<&Plan::was_switched_off>("was_switched_off", "Whether its guest switched it off."),
      field<&Plan::runs_script>("runs_script", "Whether the OS definition is told."),
  };
  return table;
}

}  // namespace flotte::units
