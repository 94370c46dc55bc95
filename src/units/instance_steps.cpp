#include "units/instance_steps.h"

#include <algorithm>

#include "model/disk_templates.h"
#include "store/config_store.h"
#include "units/devices.h"

namespace flotte::units {
namespace {

using namespace std::chrono_literals;

// A stop waits for the guest's own timeout and some more.
constexpr auto stop_slack = 60s;
constexpr auto wipe_timeout = 24h;

Result<void> check_marked_online(model::Instance const& instance, std::string_view what) {
  if (instance.admin_state != model::AdminState::Offline) return {};
  return fail(ErrorCode::WrongState,
              "Instance '{}' is marked to be offline, {}; 'gnt-instance modify --online {}' ends "
              "that",
              instance.name, what, instance.name);
}

}  // namespace

rpc::DiskSpec disk_spec(model::Cluster const& cluster, model::Instance const& instance,
                        std::size_t index) {
  auto const& disk = instance.disks[index];
  auto filled = model::filled_diskparams(cluster, instance.primary_node, disk.dev_type);
  return {.disk = disk,
          .index = static_cast<std::int64_t>(index),
          .params = model::overlay(std::move(filled), disk.params)};
}

std::vector<rpc::DiskSpec> disk_specs(model::Cluster const& cluster,
                                      model::Instance const& instance) {
  std::vector<rpc::DiskSpec> specs;
  for (std::size_t i = 0; i < instance.disks.size(); ++i) {
    specs.push_back(disk_spec(cluster, instance, i));
  }
  return specs;
}

std::string group_title(model::Cluster const& cluster, NodeId const& node) {
  auto const group = cluster.group_of(node);
  return group ? fmt::format("{} ({})", group->uuid.text(), group->name) : std::string("(none)");
}

rpc::InstanceSpec instance_spec(model::Cluster const& cluster, model::Instance const& instance,
                                Overrides const& overrides) {
  auto const& settings = cluster.settings();
  rpc::InstanceSpec spec;
  spec.name = instance.name;
  spec.uuid = instance.uuid;
  spec.hypervisor = instance.hypervisor;
  spec.os = instance.os;
  spec.hvparams = model::overlay(model::start_hvparams(settings, instance), overrides.hvparams);
  spec.beparams = model::overlay(model::filled_beparams(settings, instance), overrides.beparams);
  spec.osparams = model::script_osparams(settings, instance);
  spec.disks = disk_specs(cluster, instance);
  for (auto const& nic : instance.nics) {
    spec.nics.push_back(nic_spec(cluster, nic));
  }
  spec.network_port = instance.network_port;
  spec.tags = instance.tags;
  if (auto const node = cluster.node(instance.primary_node)) spec.primary_node = (*node)->name;
  spec.cluster_name = settings.cluster_name;
  spec.epoch = instance.epoch;
  spec.ctime = instance.ctime;
  spec.mtime = instance.mtime;
  return spec;
}

Result<void> create_disk(jobs::JobContext& job, NodeId const& node, std::string const& instance,
                         rpc::DiskSpec const& disk, bool wipes) {
  auto const says = fmt::format("Creating disk {} of {}", disk.index, instance);
  jobs::StepOptions const options{.undo =
                                      jobs::undo_call(node, rpc::BlockdevRemove{instance, disk})};
  if (wipes) {
    TRY(job.step(says, node, rpc::BlockdevCreateUnwiped{instance, disk}, options));
  } else {
    TRY(job.step(says, node, rpc::BlockdevCreate{instance, disk}, options));
  }
  return {};
}

Result<void> wipe_disk(jobs::JobContext& job, NodeId const& node, std::string const& instance,
                       rpc::DiskSpec const& disk, std::string const& part) {
  job.info(fmt::format("* Wiping disk {}{}{}", disk.index, part.empty() ? "" : " ", part));
  TRY(job.step(fmt::format("Wiping disk {}", disk.index), node, rpc::BlockdevWipe{instance, disk},
               {.timeout = wipe_timeout}));
  return {};
}

Result<void> activate_disks(jobs::JobContext& job, NodeId const& node,
                            rpc::InstanceSpec const& spec) {
  for (auto const& disk : spec.disks) {
    TRY(job.step(fmt::format("Activating disk {} of {}", disk.index, spec.name), node,
                 rpc::BlockdevAssemble{spec.name, disk, spec.epoch},
                 {.undo = jobs::undo_call(node, rpc::BlockdevShutdown{spec.name, disk})}));
  }
  return {};
}

Result<void> deactivate_disks(jobs::JobContext& job, NodeId const& node,
                              rpc::InstanceSpec const& spec) {
  for (auto const& disk : spec.disks) {
    TRY(job.step(fmt::format("Deactivating disk {} of {}", disk.index, spec.name), node,
                 rpc::BlockdevShutdown{spec.name, disk}));
  }
  return {};
}

Result<void> start_instance(jobs::JobContext& job, NodeId const& node,
                            rpc::InstanceSpec const& spec, bool startup_paused) {
  TRY(activate_disks(job, node, spec));
  TRY(job.step(fmt::format("Starting {}", spec.name), node,
               rpc::InstanceStart{spec, startup_paused},
               {.undo = jobs::undo_call(node, rpc::InstanceShutdown{spec.name, spec.hypervisor, 0}),
                .timeout = start_timeout}));
  return {};
}

jobs::Undo put_back(jobs::JobContext& job, InstanceId const& id) {
  auto const before = job.cluster()->instance(id);
  return before ? jobs::Undo{.put_instance = **before} : jobs::Undo{};
}

Result<void> record_down(jobs::JobContext& job, InstanceId const& id,
                         std::optional<model::AdminStateSource> source) {
  return job.commit(
      "Recording that it should be down",
      [&](store::ClusterEdit& edit) -> Result<void> {
        auto instance = TRY(edit.get(id));
        instance.admin_state = model::AdminState::Down;
        instance.disks_active = false;
        if (source) instance.admin_state_source = *source;
        edit.put(std::move(instance));
        return {};
      },
      put_back(job, id));
}

Result<void> shut_down(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                       std::int64_t timeout_s, std::optional<jobs::Undo> undo) {
  TRY(job.step(fmt::format("Stopping {}", spec.name), node,
               rpc::InstanceShutdown{spec.name, spec.hypervisor, timeout_s},
               {.undo = std::move(undo), .timeout = std::chrono::seconds(timeout_s) + stop_slack}));
  return {};
}

Result<void> stop_instance(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                           std::int64_t timeout_s) {
  TRY(shut_down(job, node, spec, timeout_s));
  return deactivate_disks(job, node, spec);
}

Result<void> record_next_start(jobs::JobContext& job, InstanceId const& id, std::int64_t epoch,
                               std::optional<jobs::Undo> undo) {
  return job.commit(
      "Recording its next start",
      [&](store::ClusterEdit& edit) -> Result<void> {
        auto instance = TRY(edit.get(id));
        instance.epoch = epoch;
        edit.put(std::move(instance));
        return {};
      },
      std::move(undo));
}

Result<void> forget_instance(jobs::JobContext& job, InstanceId const& id) {
  return job.commit("Removing it from the configuration",
                    [&](store::ClusterEdit& edit) -> Result<void> {
                      edit.remove(id);
                      return {};
                    });
}

Result<void> tolerate(Result<void> const& result, bool ignore_failures, std::string_view what,
                      jobs::JobContext& job) {
  if (result || !ignore_failures) return result;
  job.warn(fmt::format("{}: {}", what, result.error().message));
  return {};
}

Result<void> remove_disks(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                          bool ignore_failures) {
  for (auto const& disk : spec.disks) {
    auto const removed = job.step(fmt::format("Removing disk {} of {}", disk.index, spec.name),
                                  node, rpc::BlockdevRemove{spec.name, disk});
    auto const outcome = removed ? Result<void>() : Result<void>(Failure(removed.error()));
    TRY(tolerate(outcome, ignore_failures, fmt::format("Disk {} could not be removed", disk.index),
                 job));
  }
  return {};
}

rpc::BlockdevRename undo_of(rpc::BlockdevRename call, std::int64_t epoch) {
  std::swap(call.disk, call.new_disk);
  std::swap(call.owner, call.new_owner);
  call.epoch = epoch;
  call.is_undo = true;
  return call;
}

Result<std::optional<rpc::RunningInstance>> find_running(model::Cluster const& cluster,
                                                         model::Instance const& instance,
                                                         jobs::NodeReader& nodes) {
  auto const node = TRY(online_primary(cluster, instance));
  auto const running =
      TRY(nodes.ask(*node, rpc::AllInstancesInfo{{instance.hypervisor}, {instance.name}}));
  for (auto const& candidate : running.instances) {
    if (candidate.name == instance.name && candidate.state != rpc::RunState::UserDown) {
      return std::optional(candidate);
    }
  }
  return std::optional<rpc::RunningInstance>();
}

Result<void> check_online(model::Instance const& instance) {
  return check_marked_online(instance, "can't use instance from outside down, up states");
}

Result<void> check_not_running(model::Instance const& instance, bool is_running,
                               std::string_view what) {
  auto const advice = fmt::format("stop it first with 'gnt-instance shutdown {}'", instance.name);
  if (instance.admin_state == model::AdminState::Up) {
    return fail(ErrorCode::WrongState, "Instance '{}' is marked to be up, {}; {}", instance.name,
                what, advice);
  }
  if (!is_running) return {};
  return fail(ErrorCode::WrongState, "Instance {} is running, {}; {}", instance.name, what, advice);
}

Result<void> check_down(model::Instance const& instance, bool is_running, std::string_view what) {
  TRY(check_marked_online(instance, what));
  return check_not_running(instance, is_running, what);
}

Result<model::NodePtr> online_primary(model::Cluster const& cluster,
                                      model::Instance const& instance) {
  auto const node = TRY(cluster.node(instance.primary_node));
  if (node->offline) {
    return fail(ErrorCode::WrongState, "Primary node {} is offline", node->name);
  }
  return node;
}

Result<void> check_compression(model::Settings const& settings, std::string const& tool) {
  auto const& allowed = settings.compression_tools;
  if (tool == "none" || std::ranges::find(allowed, tool) != allowed.end()) return {};
  return fail(ErrorCode::WrongInput,
              "Compression tool not allowed, tools allowed are [{}]; 'gnt-cluster modify "
              "--compression-tools' changes that",
              fmt::join(allowed, ", "));
}

Result<void> check_nics_on(model::Node const& node, std::vector<rpc::NicSpec> const& nics,
                           jobs::NodeReader& nodes) {
  auto const checked = nodes.ask(node, rpc::NicsValidate{nics});
  if (checked) return {};
  auto error = checked.error();
  if (error.message.starts_with("Missing bridges")) {
    error.message = fmt::format("Error checking bridges on destination node '{}': {}", node.name,
                                error.message);
  }
  return Failure(std::move(error));
}

Result<void> check_nics(model::Cluster const& cluster, model::Instance const& instance,
                        jobs::NodeReader& nodes) {
  auto const spec = instance_spec(cluster, instance);
  if (spec.nics.empty()) return {};
  auto const node = TRY(online_primary(cluster, instance));
  return check_nics_on(*node, spec.nics, nodes);
}

Result<void> check_volume_space(std::vector<rpc::DiskSpec> const& disks, model::Node const& node,
                                rpc::NodeFacts const& facts) {
  std::map<std::string, MiB> wanted;
  auto const& groups = facts.volume_groups;
  for (auto const& [disk, index, params] : disks) {
    if (!model::is_volume(disk.dev_type)) continue;
    auto const& vg = disk.logical_id[0];
    auto const found = std::ranges::find(groups, vg, &rpc::VolumeGroup::name);
    if (found == groups.end()) {
      std::vector<std::string> names;
      for (auto const& group : groups) names.push_back(group.name);
      return fail(ErrorCode::EnvironmentError, "Volume group '{}' not found on node {}; it has: {}",
                  vg, node.name,
                  names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
    }
    // Each is rounded up for itself.
    auto const extent = std::max<std::int64_t>(found->extent.value, 1);
    wanted[vg] = wanted[vg] + MiB{(disk.size.value + extent - 1) / extent * extent};
  }
  for (auto const& [vg, size] : wanted) {
    auto const found = std::ranges::find(groups, vg, &rpc::VolumeGroup::name);
    if (found->free < size) {
      return fail(ErrorCode::InsufficientResources,
                  "Not enough disk space on target node {} vg {}: required {} MiB, available {} "
                  "MiB",
                  node.name, vg, size.value, found->free.value);
    }
  }
  return {};
}

Result<void> check_memory(model::Node const& node, rpc::NodeFacts const& facts,
                          rpc::InstanceSpec const& spec, std::string_view reason) {
  auto const needed = model::number_of(spec.beparams, "minmem");
  if (spec.hypervisor == model::HypervisorKind::Fake || facts.memory_free.value >= needed)
    return {};
  return fail(ErrorCode::InsufficientResources,
              "Not enough memory on node {} for {}: needed {} MiB, available {} MiB", node.name,
              reason, needed, facts.memory_free.value);
}

}  // namespace flotte::units
