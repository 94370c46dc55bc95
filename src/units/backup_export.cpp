#include "units/backup_export.h"

#include <algorithm>
#include <map>

#include "model/disk_templates.h"
#include "model/export_config.h"
#include "model/hypervisor_rules.h"
#include "units/hooks.h"
#include "units/remote_transfer.h"
#include "units/start_checks.h"

namespace flotte::units {
namespace {

constexpr std::chrono::hours copy_timeout{24};

using Plan = BackupExport::Plan;

// A snapshot that is as large as its disk can't fill up, but for what LVM notes beside it. Where
// there is less room a tenth is asked for at least.
constexpr std::int64_t snapshot_extra_mib = 16;
constexpr std::int64_t snapshot_part_min = 10;

Result<void> plan_snapshots(model::Node const& node, rpc::NodeFacts const& facts, Plan& plan) {
  std::map<std::string, MiB> free;
  std::map<std::string, std::size_t> disks_left;
  for (auto const& group : facts.volume_groups) free[group.name] = group.free;
  for (auto const& disk : plan.spec.disks) ++disks_left[disk.disk.logical_id.front()];
  for (auto const& disk : plan.spec.disks) {
    auto const& vg = disk.disk.logical_id.front();
    auto const found = std::ranges::find(facts.volume_groups, vg, &rpc::VolumeGroup::name);
    auto const extent =
        std::max<std::int64_t>(found == facts.volume_groups.end() ? 0 : found->extent.value, 4);
    auto const rounded = [&](std::int64_t size) { return (size + extent - 1) / extent * extent; };
    auto const whole = rounded(disk.disk.size.value + snapshot_extra_mib);
    auto const least = rounded(disk.disk.size.value / snapshot_part_min + snapshot_extra_mib);
    auto const share = free[vg].value / static_cast<std::int64_t>(disks_left[vg]) / extent * extent;
    auto const size = std::min(whole, share);
    if (size < least) {
      return fail(ErrorCode::InsufficientResources,
                  "Not enough room on node {} vg {} for a snapshot of disk {}: required {} MiB, "
                  "available {} MiB; an instance that is shut down is exported without one",
                  node.name, vg, disk.index, least, share);
    }
    if (size < whole) {
      plan.warnings.push_back(
          fmt::format("The snapshot of disk {} has room for {} MiB of changes; should more be "
                      "written until it is copied, the export fails",
                      disk.index, size));
    }
    plan.snapshots.push_back(MiB{size});
    free[vg] = free[vg] - MiB{size};
    --disks_left[vg];
  }
  return {};
}

Result<void> check_asked(opcodes::BackupExport const& op) {
  if (op.mode != "local" && op.mode != "remote") {
    return fail(ErrorCode::WrongInput, "Exports are of mode 'local' or 'remote', not '{}'",
                op.mode);
  }
  if (op.mode == "remote" && op.target_node_uuid) {
    return fail(ErrorCode::WrongInput, "target_node_uuid is for exports of mode 'local'");
  }
  if (op.mode == "local" && (op.x509_key_name || op.destination_x509_ca)) {
    return fail(ErrorCode::WrongInput,
                "x509_key_name and destination_x509_ca are for exports of mode 'remote'");
  }
  if (op.zero_free_space) {
    return fail(ErrorCode::WrongInput,
                "Zeroing the free space of an instance is not built yet; leave out "
                "--zero-free-space");
  }
  if (op.zeroing_timeout_fixed || op.zeroing_timeout_per_mib) {
    return fail(ErrorCode::WrongInput,
                "Zeroing timeout options can only be used only with the --zero-free-space option");
  }
  if (op.long_sleep && !op.shutdown) {
    return fail(ErrorCode::WrongInput,
                "The long sleep option only makes sense when the instance can be shut down.");
  }
  return {};
}

// Of what is sent to another cluster.
Result<void> plan_sending(opcodes::BackupExport const& op, BackupExport::Facts const& facts,
                          Plan& plan) {
  auto const asked = TRY(read_destination(op));
  if (asked.disks.size() != plan.spec.disks.size()) {
    return fail(ErrorCode::WrongInput,
                "Received destination information for {} disks, but instance {} has {} disks",
                asked.disks.size(), plan.spec.name, plan.spec.disks.size());
  }
  plan.key_name = asked.key_name;
  plan.peers = asked.disks;
  plan.peer_certificate = facts.peer_certificate;
  return {};
}

Result<model::NodePtr> target_of(opcodes::BackupExport const& op, model::Cluster const& cluster,
                                 model::Instance const& instance) {
  if (!op.target_node.is_string()) {
    return fail(ErrorCode::WrongInput, "Target node must be specified: the name of a node");
  }
  auto const name = std::string_view(op.target_node.get_string());
  auto const target = TRY(cluster.node(name));
  TRY(jobs::check_expected("node", name, op.target_node_uuid, Result<model::NodePtr>(target)));
  if (target->offline || target->drained) {
    return fail(ErrorCode::WrongState, "Can't use {} node {}",
                target->offline ? "offline" : "drained", target->name);
  }
  if (target->uuid != instance.primary_node) {
    return fail(ErrorCode::WrongInput,
                "Exporting to another node than the instance's own is not built yet; -n {}",
                TRY(cluster.node(instance.primary_node))->name);
  }
  return target;
}

// Once it was stopped, its disks and its guest are of the next start. Of one that goes there is
// none.
rpc::InstanceSpec current_spec(Plan const& plan) {
  auto spec = plan.spec;
  if (plan.stops && !plan.removes) ++spec.epoch;
  return spec;
}

// What should run and was stopped runs again, whatever fails or is canceled from here on.
std::optional<jobs::Undo> start_again(Plan const& plan) {
  if (!plan.was_wished) return std::nullopt;
  auto undo = jobs::undo_call(plan.node, rpc::InstanceStart{current_spec(plan), false});
  undo.is_seen_to = true;
  return undo;
}

Result<void> stop(Plan const& plan, jobs::JobContext& job) {
  // The wish first, so that nobody starts it again.
  if (plan.removes) TRY(record_down(job, plan.instance, {}));
  if (!plan.stops) return {};
  job.log(fmt::format("Shutting down instance {}", plan.spec.name));
  // Not its disks: they are read, and opened again.
  if (plan.removes) {
    return shut_down(job, plan.node, plan.spec, plan.timeout_s, start_again(plan));
  }
  // It can't be told how to start it again before it has stopped.
  job.hold_cancel(true);
  auto stopped = shut_down(job, plan.node, plan.spec, plan.timeout_s);
  if (stopped) {
    stopped = record_next_start(job, plan.instance, current_spec(plan).epoch, start_again(plan));
  }
  job.hold_cancel(false);
  return stopped;
}

// Somebody else's that are active stay so, whatever becomes of the export.
Result<void> activate(Plan const& plan, jobs::JobContext& job) {
  job.log(fmt::format("Activating disks for {}", plan.spec.name));
  if (!plan.leaves_active) return activate_disks(job, plan.node, plan.spec);
  for (auto const& disk : plan.spec.disks) {
    TRY(job.step(fmt::format("Activating disk {} of {}", disk.index, plan.spec.name), plan.node,
                 rpc::BlockdevAssemble{plan.spec.name, disk, plan.spec.epoch}));
  }
  return {};
}

Result<void> take_snapshots(Plan const& plan, std::string const& node, jobs::JobContext& job) {
  for (std::size_t i = 0; i < plan.snapshots.size(); ++i) {
    auto const& disk = plan.spec.disks[i];
    job.log(fmt::format("Creating a snapshot of disk/{} on node {}", i, node));
    TRY(job.step(
        fmt::format("Taking a snapshot of disk {}", i), plan.node,
        rpc::BlockdevSnapshot{plan.spec.name, disk, plan.snapshots[i]},
        {.undo = jobs::undo_call(plan.node, rpc::BlockdevSnapshotRemove{plan.spec.name, disk})}));
  }
  return {};
}

// Whatever fails later does not stop it again.
Result<void> restart(Plan const& plan, jobs::JobContext& job) {
  job.log(fmt::format("Starting instance {}", plan.spec.name));
  TRY(job.step(fmt::format("Starting {}", plan.spec.name), plan.node,
               rpc::InstanceStart{current_spec(plan), false}, {.timeout = start_timeout}));
  return {};
}

// A script that does nothing succeeds, too. Whose disks go afterwards has nothing else, and the
// export of before may be a good one.
Result<void> check_written(Plan const& plan, std::vector<Bytes> const& sizes,
                           jobs::JobContext& job) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (plan.spec.os.empty() || sizes[i] > Bytes{0}) continue;
    auto const says =
        fmt::format("The export script of {} wrote nothing of disk {}", plan.spec.os, i);
    if (plan.removes) {
      return fail(ErrorCode::WrongState,
                  "{}: the instance is not removed, and what there was before stays", says);
    }
    job.warn(fmt::format("{}: it will be empty after an import", says));
  }
  return {};
}

Result<void> send(Plan const& plan, jobs::JobContext& job) {
  for (std::size_t i = 0; i < plan.peers.size(); ++i) {
    job.log(fmt::format("Sending disk/{} to {}:{}", i, plan.peers[i].host, plan.peers[i].port));
  }
  auto const sent =
      TRY(job.step("Sending the disks", plan.node,
                   rpc::TransferSend{current_spec(plan), !plan.snapshots.empty(), plan.key_name,
                                     plan.peer_certificate, plan.compress, plan.peers},
                   {.undo = jobs::undo_call(plan.node, rpc::TransferKeyRemove{plan.key_name}),
                    .timeout = copy_timeout,
                    .logs_output = true}));
  for (std::size_t i = 0; i < plan.peers.size(); ++i) {
    job.log(fmt::format("disk/{} finished sending data", i));
  }
  TRY(check_written(plan, sent.sizes, job));
  TRY(job.step("Removing the key", plan.node, rpc::TransferKeyRemove{plan.key_name}));
  return {};
}

Result<void> copy(Plan const& plan, std::string const& node, jobs::JobContext& job) {
  if (!plan.key_name.empty()) return send(plan, job);
  auto const spec = current_spec(plan);
  std::vector<rpc::Dump> dumps;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    auto const what = fmt::format("{}/{}", plan.snapshots.empty() ? "disk" : "snapshot", i);
    job.log(fmt::format("Exporting {} from {} to {}", what, node, node));
    dumps.push_back(
        TRY(job.step(fmt::format("Exporting disk {}", i), plan.node,
                     rpc::ExportDisk{spec, static_cast<std::int64_t>(i), !plan.snapshots.empty()},
                     {.undo = jobs::undo_call(plan.node, rpc::ExportDiscard{spec.name}),
                      .timeout = copy_timeout,
                      .logs_output = true})));
    job.log(fmt::format("{} finished sending data", what));
  }
  std::vector<Bytes> sizes;
  for (auto const& dump : dumps) sizes.push_back(dump.size);
  TRY(check_written(plan, sizes, job));
  job.log(fmt::format("Finalizing export on {}", node));
  TRY(job.step("Finishing the export", plan.node,
               rpc::ExportFinish{spec.name, plan.config, std::move(dumps)}, {.logs_output = true}));
  return {};
}

Result<void> remove_snapshots(Plan const& plan, std::string const& node, jobs::JobContext& job) {
  for (std::size_t i = 0; i < plan.snapshots.size(); ++i) {
    job.log(fmt::format("Removing snapshot of disk/{} on node {}", i, node));
    TRY(job.step(fmt::format("Removing the snapshot of disk {}", i), plan.node,
                 rpc::BlockdevSnapshotRemove{plan.spec.name, plan.spec.disks[i]}));
  }
  return {};
}

Result<void> remove(Plan const& plan, jobs::JobContext& job) {
  job.log(fmt::format("Removing instance {}", plan.spec.name));
  TRY(job.keep());
  TRY(remove_disks(job, plan.node, plan.spec, plan.ignore_failures));
  return forget_instance(job, plan.instance);
}

Result<void> export_stopped(Plan const& plan, jobs::JobContext& job) {
  auto const node = plan.spec.primary_node;
  if (plan.activates) TRY(activate(plan, job));
  auto ready = take_snapshots(plan, node, job);
  // It runs again as soon as it can, also where its disks could not be copied.
  if (plan.snapshots.empty()) ready = copy(plan, node, job);
  if (plan.restarts) TRY(restart(plan, job));
  TRY(ready);
  if (!plan.snapshots.empty()) TRY(copy(plan, node, job));
  TRY(remove_snapshots(plan, node, job));
  auto const is_left_active = plan.leaves_active && !plan.removes;
  if ((plan.activates && !is_left_active) || (plan.stops && !plan.restarts)) {
    job.log(fmt::format("Deactivating disks for {}", plan.spec.name));
    TRY(deactivate_disks(job, plan.node, plan.spec));
  }
  return {};
}

// What is cheap to find out before it is stopped: its disks are there. What is to be asked of the
// place for its export.
Result<rpc::ExportCheck> check_disks(model::Cluster const& cluster, model::Instance const& instance,
                                     bool is_running, jobs::NodeReader& nodes) {
  auto const node = TRY(cluster.node(instance.primary_node));
  auto const disks = disk_specs(cluster, instance);
  auto const found = TRY(nodes.ask(*node, rpc::BlockdevFind{instance.name, disks})).devices;
  rpc::ExportCheck check{instance.name};
  for (std::size_t i = 0; i < disks.size(); ++i) {
    auto const is_there = i < found.size() && found[i] && (found[i]->is_active || !is_running);
    if (!is_there) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of instance {} isn't there on node {}, or not where it is started from; "
                  "'gnt-cluster verify' says more",
                  i, instance.name, node->name);
    }
    if (instance.os.empty()) check.copied.push_back(found[i]->path);
  }
  return check;
}

}  // namespace

Result<jobs::LockSet> BackupExport::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()),
                       jobs::shared(jobs::LockLevel::NodeRes, instance->primary_node.text())};
}

Result<BackupExport::Facts> BackupExport::inspect(Op const& op, model::Cluster const& cluster,
                                                  jobs::NodeReader& nodes) {
  TRY(check_asked(op));
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(online_primary(cluster, *instance));
  Facts facts{.running = TRY(find_running(cluster, *instance, nodes)),
              .node = TRY(nodes.ask(*node, rpc::NodeInfo{})),
              .now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count()};
  auto const check = TRY(check_disks(cluster, *instance, facts.running.has_value(), nodes));
  if (op.mode == "remote") {
    facts.peer_certificate = TRY(nodes.ask(*node, TRY(read_destination(op)))).certificate;
  } else {
    TRY(nodes.ask(*node, check));
  }
  // Before it is stopped.
  if (facts.running && op.shutdown && !op.remove_instance) {
    TRY(check_nics(cluster, *instance, nodes));
    facts.unknown = TRY(check_start(cluster, *instance, {}, nodes));
  }
  return facts;
}

Result<BackupExport::Plan> BackupExport::plan(Op const& op, model::Cluster const& cluster,
                                              Facts const& facts) {
  TRY(check_asked(op));
  auto const instance = TRY(cluster.instance(op.instance_name));
  if (op.mode == "local") TRY(target_of(op, cluster, *instance));
  auto const is_up = instance->admin_state == model::AdminState::Up;
  auto const is_running = facts.running.has_value();
  if (instance->disks.empty()) {
    return fail(ErrorCode::WrongState, "Instance {} has no disks, and so nothing to export",
                instance->name);
  }
  TRY(check_compression(cluster.settings(), op.compress));
  if (op.remove_instance && !op.shutdown && (is_running || is_up)) {
    return fail(ErrorCode::WrongState, "Can not remove instance without shutting it down before");
  }
  Plan plan{.instance = instance->uuid,
            .node = instance->primary_node,
            .spec = instance_spec(cluster, *instance),
            .stops = is_running && op.shutdown,
            .was_wished = is_running && op.shutdown && is_up,
            .activates = !is_running,
            .leaves_active = !is_running && instance->disks_active,
            .removes = op.remove_instance,
            .ignore_failures = op.ignore_remove_failures,
            .timeout_s = op.shutdown_timeout};
  plan.compress = op.compress;
  if (op.mode == "remote") TRY(plan_sending(op, facts, plan));
  plan.restarts = plan.stops && is_up && !plan.removes;
  std::vector<std::string> dumps;
  for (auto const& disk : instance->disks) dumps.push_back(disk.uuid.text());
  plan.config =
      model::write_export(cluster, *instance, dumps, static_cast<std::int64_t>(facts.now));
  if (!is_running || plan.removes || (plan.stops && !plan.restarts)) return plan;
  if (plan.restarts && facts.unknown) {
    return not_stopped(*instance, *facts.unknown);
  }
  if (plan.restarts) {
    TRY(model::check_start(instance->hypervisor, plan.spec.hvparams, plan.spec.beparams));
  }
  auto const has_snapshots = std::ranges::all_of(instance->disks, [](model::Disk const& disk) {
    return model::traits_of(disk.dev_type).has_snapshots;
  });
  if (has_snapshots) {
    TRY(plan_snapshots(*TRY(cluster.node(instance->primary_node)), facts.node, plan));
    return plan;
  }
  if (!op.shutdown) {
    return fail(ErrorCode::WrongState,
                "Not all disks could be snapshotted, and you requested a live export; aborting. "
                "Without --noshutdown, and with --long-sleep, it is shut down for the copy");
  }
  if (!op.long_sleep) {
    return fail(ErrorCode::WrongState,
                "Not all disks could be snapshotted, and you did not allow the instance to remain "
                "offline for a longer time through the --long-sleep option; aborting");
  }
  return plan;
}

Result<jobs::Hooks> BackupExport::hooks(Op const& op, model::Cluster const& cluster,
                                        Plan const& plan) {
  auto const target =
      op.target_node.is_string() ? std::string(std::string_view(op.target_node.get_string())) : "";
  return instance_hooks("instance-export", cluster, plan.instance,
                        {{"EXPORT_MODE", op.mode},
                         {"EXPORT_NODE", target},
                         {"EXPORT_DO_SHUTDOWN", hook_text(op.shutdown)},
                         {"SHUTDOWN_TIMEOUT", std::to_string(op.shutdown_timeout)},
                         {"REMOVE_INSTANCE", hook_text(op.remove_instance)}});
}

Result<json::value> BackupExport::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  TRY(stop(plan, job));
  auto const exported = export_stopped(plan, job);
  if (!exported) {
    if (plan.was_wished) {
      job.log(fmt::format("Instance {} is started again where it does not run", plan.spec.name));
    }
    return Failure(exported.error());
  }
  if (plan.removes) TRY(remove(plan, job));
  return json::array{true, json::array(plan.spec.disks.size(), json::value(true))};
}

schema::Fields BackupExport::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::spec>("spec", "What is read."),
      field<&Plan::config>("config", "What the export says of it."),
      field<&Plan::key_name>("key_name", "What it is sent to another cluster with."),
      field<&Plan::peer_certificate>("peer_certificate", "Of where it is sent to."),
      field<&Plan::peers>("peers", "Where each disk goes."),
      field<&Plan::compress>("compress", "How they are compressed."),
      field<&Plan::stops>("stops", "Whether it is stopped first."),
      field<&Plan::restarts>("restarts", "Whether it is started again."),
      field<&Plan::was_wished>("was_wished", "Whether it was to run."),
      field<&Plan::leaves_active>("leaves_active", "Whether its disks were in use before."),
      field<&Plan::activates>("activates", "Whether its disks are not in use."),
      field<&Plan::snapshots>("snapshots", "Room of each disk's snapshot."),
      field<&Plan::removes>("removes", "Whether it is removed afterwards."),
      field<&Plan::ignore_failures>("ignore_failures", "Go on where a part stays behind."),
      field<&Plan::timeout_s>("timeout_s", "Seconds before the plug is pulled."),
      field<&Plan::warnings>("warnings", "What is warned of before."),
  };
  return table;
}

}  // namespace flotte::units
