#include "units/instance_grow_disk.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "store/config_store.h"
#include "units/hooks.h"
#include "units/instance_steps.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceGrowDisk::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()),
                       jobs::shared(jobs::LockLevel::NodeRes, instance->primary_node.text())};
}

Result<InstanceGrowDisk::Facts> InstanceGrowDisk::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(online_primary(cluster, *instance));
  return Facts{.running = TRY(find_running(cluster, *instance, nodes)),
               .node = TRY(nodes.ask(*node, rpc::NodeInfo{cluster.settings().file_storage_dir}))};
}

Result<InstanceGrowDisk::Plan> InstanceGrowDisk::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const& facts) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const count = static_cast<std::int64_t>(instance->disks.size());
  if (op.disk < 0 || op.disk >= count) {
    // Ganeti's own words, its missing letter and bracket too: scripts compare them.
    return fail(ErrorCode::WrongInput, "Invalid disk index: {} (instace has disks 0 to {}", op.disk,
                count - 1);
  }
  auto const index = static_cast<std::size_t>(op.disk);
  auto const& disk = instance->disks[index];
  if (op.amount > 0) TRY(parse_size(std::to_string(op.amount)));  // not larger than a text may say
  auto const size = op.absolute ? MiB{op.amount} : disk.size + MiB{op.amount};
  auto const amount = size - disk.size;
  if (op.amount < 0 || amount.value < 0) {
    return fail(ErrorCode::WrongState, "Requested size ({}) is smaller than current disk size ({})",
                format_size(size, Unit::Human), format_size(disk.size, Unit::Human));
  }
  if (!op.ignore_ipolicy) {
    auto grown = *instance;
    grown.disks[index].size = size;
    // What was beyond the policy before is not this command's concern.
    auto const policy = model::filled_ipolicy(cluster, grown.primary_node);
    auto const filled = model::filled_beparams(cluster.settings(), grown);
    auto const before = model::policy_violations(policy, *instance, filled);
    auto violations = model::policy_violations(policy, grown, filled);
    std::erase_if(violations, [&](std::string const& violation) {
      return std::ranges::find(before, violation) != before.end();
    });
    if (!violations.empty()) {
      return fail(ErrorCode::WrongInput,
                  "Growing disk {} violates policy: {}; --ignore-ipolicy does it anyway", op.disk,
                  fmt::join(violations, ", "));
    }
  }
  if (model::is_volume(disk.dev_type) && facts.node) {
    for (auto const& vg : facts.node->volume_groups) {
      if (vg.name == disk.logical_id[0] && vg.free < amount) {
        return fail(ErrorCode::InsufficientResources,
                    "Not enough disk space in volume group {}: required {} MiB, available {} MiB",
                    vg.name, amount.value, vg.free.value);
      }
    }
  }
  return Plan{.instance = instance->uuid,
              .name = instance->name,
              .hypervisor = instance->hypervisor,
              .node = instance->primary_node,
              .disk = disk_spec(cluster, *instance, index),
              .amount = amount,
              .size = size,
              .is_running = facts.running.has_value(),
              .wait_for_sync = op.wait_for_sync,
              .wipes = cluster.settings().prealloc_wipe_disks};
}

Result<jobs::Hooks> InstanceGrowDisk::hooks(Op const& op, model::Cluster const& cluster,
                                            Plan const& plan) {
  return instance_hooks("disk-grow", cluster, plan.instance,
                        {{"DISK", std::to_string(op.disk)},
                         {"AMOUNT", std::to_string(op.amount)},
                         {"ABSOLUTE", hook_text(op.absolute)}});
}

namespace {

// No disk shrinks again. A larger one than configured does no harm, so the deed comes first.
Result<void> grow(InstanceGrowDisk::Plan const& plan, jobs::JobContext& job) {
  TRY(job.keep());
  TRY(job.step(fmt::format("Growing disk {}", plan.disk.index), plan.node,
               rpc::BlockdevGrow{plan.name, plan.disk, plan.size}));
  return {};
}

// What is not wiped yet has been seen by nobody, and is given back by growing without wiping.
Result<void> grow_and_wipe(InstanceGrowDisk::Plan const& plan, jobs::JobContext& job) {
  auto const before = plan.size - plan.amount;
  TRY(job.step(fmt::format("Growing disk {}", plan.disk.index), plan.node,
               rpc::BlockdevGrowUnwiped{plan.name, plan.disk, plan.size},
               {.undo = jobs::undo_call(plan.node, rpc::BlockdevGrow{.instance = plan.name,
                                                                     .disk = plan.disk,
                                                                     .size = before,
                                                                     .is_undo = true})}));
  // A start in between has given the new space back.
  auto grown = plan.disk;
  grown.disk.size = plan.size;
  TRY(wipe_disk(job, plan.node, plan.name, grown,
                fmt::format("(from {} to {})", format_size(before, Unit::Human),
                            format_size(plan.size, Unit::Human))));
  return job.keep();
}

}  // namespace

Result<json::value> InstanceGrowDisk::apply(Plan const& plan, jobs::JobContext& job) {
  job.log(fmt::format("Growing disk {} of instance '{}' by {} to {}", plan.disk.index, plan.name,
                      format_size(plan.amount, Unit::Human), format_size(plan.size, Unit::Human)));
  TRY(plan.wipes ? grow_and_wipe(plan, job) : grow(plan, job));
  TRY(job.commit("Recording its size", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    instance.disks[static_cast<std::size_t>(plan.disk.index)].size = plan.size;
    edit.put(std::move(instance));
    return {};
  }));
  if (plan.is_running) {
    TRY(job.step(fmt::format("Telling {} of its larger disk", plan.name), plan.node,
                 rpc::InstanceResizeDisk{plan.name, plan.hypervisor, plan.disk, plan.size}));
  }
  if (plan.wait_for_sync) {
    job.info(fmt::format("Waiting for instance {} to sync disks", plan.name));
    job.info(fmt::format("Instance {}'s disks are in sync", plan.name));
  }
  return nullptr;
}

schema::Fields InstanceGrowDisk::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::name>("name", "Its name."),
      field<&Plan::hypervisor>("hypervisor", "Its hypervisor."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::disk>("disk", "The disk."),
      field<&Plan::amount>("amount", "MiB more."),
      field<&Plan::size>("size", "MiB afterwards."),
      field<&Plan::is_running>("is_running", "Whether a guest must be told."),
      field<&Plan::wait_for_sync>("wait_for_sync", "Whether mirrors are waited for."),
      field<&Plan::wipes>("wipes", "Whether what is new is overwritten first."),
  };
  return table;
}

}  // namespace flotte::units
