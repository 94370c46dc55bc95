#include "units/instance_set_params.h"

#include <algorithm>
#include <limits>

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"
#include "store/config_store.h"
#include "units/device_changes.h"
#include "units/hooks.h"
#include "units/instance_steps.h"
#include "units/os_names.h"
#include "units/start_checks.h"

namespace flotte::units {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::hours copy_timeout{7 * 24};
// Each device that a guest doesn't let go of takes half a minute to give up on.
constexpr auto adjust_timeout = 600s;

bool changes_devices(opcodes::InstanceSetParams const& op) {
  return !op.disks.empty() || !op.nics.empty() || op.disk_template.has_value();
}

bool needs_room(opcodes::InstanceSetParams const& op) {
  return !op.disks.empty() || op.disk_template || op.runtime_mem;
}

bool concerns_its_node(opcodes::InstanceSetParams const& op) {
  return needs_room(op) || !op.nics.empty();
}

bool changes_os_parameters(opcodes::InstanceSetParams const& op) {
  return !op.osparams.empty() || (op.osparams_private && !op.osparams_private->empty());
}

bool changes_anything(opcodes::InstanceSetParams const& op) {
  return concerns_its_node(op) || !op.hvparams.empty() || !op.beparams.empty() ||
         changes_os_parameters(op) || op.os_name || op.offline || op.pnode ||
         op.instance_communication;
}

// The same seed makes the same devices, so that the bridges asked for are those of the plan.
Result<DeviceChanges> change(opcodes::InstanceSetParams const& op, model::Cluster const& cluster,
                             InstanceSetParams::Facts const& facts, model::Instance& instance) {
  SeededRandom random(static_cast<std::uint64_t>(facts.seed));
  DeviceMaker maker(cluster, random,
                    {.drawn = facts.drawn, .checks_conflicts = op.conflicts_check});
  DeviceChanges converted;
  if (op.disk_template) converted = TRY(convert_disks(op, maker, instance, facts.disks));
  auto changes = TRY(change_devices(maker, cluster, instance, op.disks, op.nics));
  if (!op.disk_template) return changes;
  converted.told.insert(converted.told.end(), changes.told.begin(), changes.told.end());
  converted.notes = std::move(changes.notes);
  return converted;
}

// What there is only where there are several nodes, or networks.
Result<void> check_built(opcodes::InstanceSetParams const& op, model::Cluster const& cluster,
                         model::Instance const& instance) {
  if (op.pnode) {
    auto const node = TRY(cluster.node(*op.pnode));
    if (node->uuid != instance.primary_node) {
      return fail(ErrorCode::WrongInput,
                  "Recording {} as the primary node of {} is not built yet: its disks would have "
                  "to be there already",
                  node->name, instance.name);
    }
  }
  if (op.instance_communication.value_or(false)) {
    return fail(ErrorCode::WrongInput,
                "Instance communication is not built yet: its NIC needs a network, and there are "
                "none");
  }
  if (!op.ext_params.empty()) {
    return fail(ErrorCode::WrongInput,
                "Parameters of a provider are for the disk template 'ext', which is not built yet");
  }
  return {};
}

// That the node has the OS, and the OS the parameters. By force it may be missing.
Result<void> check_os(opcodes::InstanceSetParams const& op, model::Cluster const& cluster,
                      InstanceSetParams::Facts const& facts, model::Instance instance) {
  auto const hidden = os_parameter_changes(op.osparams_private.value_or(json::object()));
  TRY(check_given_once(op.osparams, hidden));
  instance.os = op.os_name.value_or(instance.os);
  if (!facts.operating_systems || instance.os.empty()) return {};
  auto const node = TRY(cluster.node(instance.primary_node));
  auto const os =
      find_os(*facts.operating_systems, instance.os, node->name, op.force || op.force_variant);
  if (!os) return op.force ? Result<void>() : Failure(os.error());
  if (!changes_os_parameters(op)) return {};
  instance.osparams =
      model::overlay(std::move(instance.osparams), os_parameter_changes(op.osparams));
  instance.osparams_private = model::overlay(std::move(instance.osparams_private), hidden);
  return check_os_parameters(*os, model::script_osparams(cluster.settings(), instance), node->name);
}

void note(json::array& changes, std::string name, json::value value) {
  changes.push_back(json::array{json::value(json::string_view(name)), std::move(value)});
}

void note_all(json::array& changes, std::string_view kind, json::object const& given) {
  for (auto const& [key, value] : given) {
    note(changes, fmt::format("{}/{}", kind, std::string_view(key)),
         value.is_null() ? "default" : value);
  }
}

// How it will start.
Result<std::vector<std::string>> check_next_start(opcodes::InstanceSetParams const& op,
                                                  model::Cluster const& cluster,
                                                  InstanceSetParams::Facts const& facts,
                                                  jobs::NodeReader& nodes) {
  auto const before = TRY(cluster.instance(op.instance_name));
  auto after = *before;
  auto const changes = TRY(model::enforce_hypervisor(after.hypervisor, op.hvparams));
  TRY(model::check_not_global(changes));
  after.hvparams = model::overlay(std::move(after.hvparams), changes);
  after.beparams =
      model::overlay(std::move(after.beparams), TRY(model::enforce_backend(op.beparams)));
  after.os = op.os_name.value_or(after.os);
  TRY(model::check_hypervisor(after.hypervisor, model::filled_hvparams(cluster.settings(), after)));
  if (changes_devices(op)) TRY(change(op, cluster, facts, after));
  auto const node = TRY(cluster.node(after.primary_node));
  if (node->offline) return std::vector<std::string>();
  return check_start_changes(device_spec(cluster, *before), device_spec(cluster, after), *node,
                             nodes);
}

bool holds(std::vector<model::Disk> const& disks, DiskId const& uuid) {
  return std::ranges::find(disks, uuid, &model::Disk::uuid) != disks.end();
}

bool takes_disks(InstanceSetParams::DevicePlan const& plan) {
  return !plan.removed.empty() || !plan.detached.empty();
}

bool asks_for(opcodes::InstanceSetParams const& op, std::string_view action) {
  return std::ranges::any_of(op.disks, [&](json::value const& given) {
    auto const* parts = given.if_array();
    return parts && !parts->empty() && (*parts)[0] == json::string_view(action);
  });
}

// Those that must be connected, or connected anew.
std::vector<rpc::NicSpec> changed_nics(model::Cluster const& cluster, model::Instance const& before,
                                       model::Instance const& after) {
  std::vector<rpc::NicSpec> changed;
  for (auto const& nic : after.nics) {
    auto spec = nic_spec(cluster, nic);
    auto const known = std::ranges::find(before.nics, nic.uuid, &model::Nic::uuid);
    auto const is_new = known == before.nics.end() || known->ip != nic.ip ||
                        model::filled_nicparams(cluster.settings(), *known) != spec.params;
    if (is_new) changed.push_back(std::move(spec));
  }
  return changed;
}

Result<InstanceSetParams::DevicePlan> plan_devices(opcodes::InstanceSetParams const& op,
                                                   model::Cluster const& cluster,
                                                   InstanceSetParams::Facts const& facts,
                                                   model::Instance const& before,
                                                   model::Instance const& after,
                                                   DeviceChanges const& changes) {
  InstanceSetParams::DevicePlan plan{.before = device_spec(cluster, before),
                                     .after = device_spec(cluster, after),
                                     .wipes = cluster.settings().prealloc_wipe_disks,
                                     .deactivates = facts.running || before.disks_active,
                                     .plugs = facts.running && op.hotplug,
                                     .may_not_plug = op.hotplug_if_possible,
                                     .conversion = op.disk_template};
  // What is copied need not be overwritten before.
  if (plan.conversion) plan.wipes = false;
  for (std::size_t i = 0; i < after.disks.size(); ++i) {
    auto const& uuid = after.disks[i].uuid;
    if (holds(changes.created, uuid)) plan.created.push_back(disk_spec(cluster, after, i));
    auto const from = std::ranges::find(
        changes.attached, uuid, [](model::DetachedDisk const& one) { return one.disk.uuid; });
    if (from != changes.attached.end()) {
      plan.attached.push_back({*from, disk_spec(cluster, after, i)});
    }
  }
  for (std::size_t i = 0; i < before.disks.size(); ++i) {
    auto const& uuid = before.disks[i].uuid;
    if (holds(changes.removed, uuid)) plan.removed.push_back(disk_spec(cluster, before, i));
    if (holds(changes.detached, uuid)) plan.detached.push_back(disk_spec(cluster, before, i));
  }
  if (facts.running && !op.hotplug && takes_disks(plan)) {
    return fail(ErrorCode::WrongState,
                "Instance '{}' is running and uses the disk; leave out --no-hotplug, or stop it "
                "first",
                before.name);
  }
  if (facts.node) {
    TRY(check_volume_space(plan.created, *TRY(cluster.node(before.primary_node)), *facts.node));
  }
  return plan;
}

Result<InstanceSetParams::MemoryPlan> plan_memory(opcodes::InstanceSetParams const& op,
                                                  model::Cluster const& cluster,
                                                  InstanceSetParams::Facts const& facts,
                                                  model::Instance const& instance) {
  if (!facts.running) {
    return fail(ErrorCode::WrongState, "Instance {} is not running", instance.name);
  }
  MiB const wanted{*op.runtime_mem};
  auto const filled = model::filled_beparams(cluster.settings(), instance);
  auto const least = model::number_of(filled, "minmem");
  auto const most = model::number_of(filled, "maxmem");
  auto const is_between = wanted.value >= least && wanted.value <= most;
  if (wanted.value <= 0 || (!is_between && !op.force)) {
    return fail(ErrorCode::WrongInput,
                "Instance {} must have memory between {} and {} MB of memory unless --force is "
                "given",
                instance.name, least, most);
  }
  auto const before = facts.running->memory;
  auto const more = wanted - before;
  if (facts.node && instance.hypervisor == model::HypervisorKind::Kvm &&
      facts.node->memory_free < more) {
    auto const node = TRY(cluster.node(instance.primary_node));
    return fail(ErrorCode::InsufficientResources,
                "Not enough memory on node {} for ballooning memory for instance {}: needed {} "
                "MiB, available {} MiB",
                node->name, instance.name, more.value, facts.node->memory_free.value);
  }
  return InstanceSetParams::MemoryPlan{before, wanted};
}

// A disk of a file is sparse, so that it may find room where it seems not to.
std::vector<std::string> warnings_of(opcodes::InstanceSetParams const& op,
                                     InstanceSetParams::Plan const& plan,
                                     InstanceSetParams::Facts const& facts) {
  auto warnings = facts.warnings;
  if (op.disk_template && op.remote_node) {
    warnings.emplace_back(
        "Changing the disk template to a non-mirrored one, the secondary node will be ignored");
  }
  MiB needed;
  for (auto const& made : plan.devices ? plan.devices->created : std::vector<rpc::DiskSpec>()) {
    auto const kind = made.disk.dev_type;
    // Where others see it too nobody has asked.
    if (model::is_file(kind) && !model::traits_of(kind).is_shared) needed = needed + made.disk.size;
  }
  if (op.disk_template && facts.node && facts.node->file_free < needed) {
    warnings.push_back(fmt::format("The new files may take up to {}, their file system has {} free",
                                   format_size(needed, Unit::Human),
                                   format_size(facts.node->file_free, Unit::Human)));
  }
  return warnings;
}

Result<void> create_disks(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  auto const& devices = *plan.devices;
  for (auto const& disk : devices.created) {
    job.log(
        fmt::format("* disk {}, size {}", disk.index, format_size(disk.disk.size, Unit::Human)));
    TRY(create_disk(job, plan.node, plan.name, disk, devices.wipes));
    if (devices.wipes) TRY(wipe_disk(job, plan.node, plan.name, disk));
  }
  if (!devices.created.empty() && !devices.conversion) {
    job.info(fmt::format("Waiting for instance {} to sync disks", plan.name));
    job.info(fmt::format("Instance {}'s disks are in sync", plan.name));
  }
  return {};
}

// What is on the old disks comes to the new ones; the instance has the old ones still.
Result<void> fill_disks(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  auto const& devices = *plan.devices;
  auto const kind = schema::name_of(*devices.conversion);
  job.log(fmt::format("Populating the new empty disks of type '{}'...", kind));
  for (std::size_t i = 0; i < devices.created.size(); ++i) {
    auto const& from = devices.removed[i];
    auto const& to = devices.created[i];
    job.log(fmt::format(" - copying data from disk {} ({}), size {}", i,
                        schema::name_of(from.disk.dev_type),
                        format_size(to.disk.size, Unit::Human)));
    TRY(job.step(fmt::format("Copying disk {} of {}", i, plan.name), plan.node,
                 rpc::BlockdevConvert{plan.name, from, to, devices.before.epoch},
                 {.timeout = copy_timeout}));
  }
  return {};
}

// From the name by which the node knows it to that of the instance, and back where that is undone.
Result<void> attach_disks(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  for (auto const& [from, to] : plan.devices->attached) {
    auto was = to;
    was.disk = from.disk;
    rpc::BlockdevRename const call{.instance = plan.name,
                                   .disk = was,
                                   .owner = from.owner,
                                   .new_disk = to,
                                   .new_owner = plan.name,
                                   .epoch = plan.devices->before.epoch};
    TRY(job.step(fmt::format("Attaching disk {} to {}", to.index, plan.name), plan.node, call,
                 {.undo = jobs::undo_call(plan.node, undo_of(call, from.epoch))}));
  }
  return {};
}

// When no guest has them; the node knows them by the name that the instance had.
Result<void> release_disks(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  if (!plan.devices->deactivates) return {};
  for (auto const& disk : plan.devices->detached) {
    rpc::BlockdevAssemble const back{plan.name, disk, plan.devices->before.epoch};
    TRY(job.step(fmt::format("Deactivating disk {} of {}", disk.index, plan.name), plan.node,
                 rpc::BlockdevShutdown{plan.name, disk},
                 {.undo = jobs::undo_call(plan.node, back)}));
  }
  return {};
}

Result<void> make_devices(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  auto const& devices = *plan.devices;
  if (!devices.conversion) {
    TRY(attach_disks(plan, job));
    return create_disks(plan, job);
  }
  auto const from =
      devices.removed.empty() ? "?" : schema::name_of(devices.removed[0].disk.dev_type);
  auto const to = schema::name_of(*devices.conversion);
  job.log(fmt::format("Converting disk template from '{}' to '{}'", from, to));
  job.log(fmt::format("Generating new '{}' disk template...", to));
  job.log(fmt::format("Creating new empty disks of type '{}'...", to));
  TRY(create_disks(plan, job));
  TRY(fill_disks(plan, job));
  job.log(fmt::format(
      "Detaching old disks ({}) from the instance and removing them from cluster config", from));
  job.log(fmt::format("Adding new disks ({}) to cluster config and attaching them to the instance",
                      to));
  return {};
}

Result<void> adjust_guest(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  auto const& devices = *plan.devices;
  if (!devices.plugs) return {};
  auto const done =
      job.step(fmt::format("Changing the devices of {} while it runs", plan.name), plan.node,
               rpc::InstanceAdjust{devices.after},
               {.undo = jobs::undo_call(plan.node, rpc::InstanceAdjust{devices.before}),
                .timeout = adjust_timeout});
  if (done) return {};
  // A disk can't be taken away while the guest has it.
  auto const must_be_done = !devices.may_not_plug || takes_disks(devices);
  if (must_be_done || done.error().error_class == ErrorClass::Unreachable) {
    return Failure(done.error());
  }
  job.warn(fmt::format("Could not hotplug, the change takes effect at the next start: {}",
                       done.error().message));
  return {};
}

// After they are no longer any guest's, and before the configuration forgets them.
Result<void> remove_disks(InstanceSetParams::Plan const& plan, jobs::JobContext& job) {
  if (!plan.devices || plan.devices->removed.empty()) return {};
  if (plan.devices->conversion) {
    job.info(fmt::format("Waiting for instance {} to sync disks", plan.name));
    job.info(fmt::format("Instance {}'s disks are in sync", plan.name));
    job.log(fmt::format("Removing old block devices of type '{}'...",
                        schema::name_of(plan.devices->removed[0].disk.dev_type)));
  }
  // What is removed doesn't come back.
  TRY(job.keep());
  for (auto const& disk : plan.devices->removed) {
    TRY(job.step(fmt::format("Removing disk {} of {}", disk.index, plan.name), plan.node,
                 rpc::BlockdevRemove{plan.name, disk}));
  }
  return job.commit("Forgetting the removed disks", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    std::erase_if(instance.disks, [&](model::Disk const& disk) {
      return std::ranges::any_of(plan.devices->removed, [&](rpc::DiskSpec const& removed) {
        return removed.disk.uuid == disk.uuid;
      });
    });
    edit.put(std::move(instance));
    return {};
  });
}

// Those to be removed stay behind the others until they are gone: there is never a disk that the
// configuration doesn't know.
Result<void> take_devices(InstanceSetParams::DevicePlan const& plan, model::Instance& instance,
                          store::ClusterEdit& edit) {
  instance.disks.clear();
  for (auto const& one : plan.after.disks) instance.disks.push_back(one.disk);
  for (auto const& one : plan.removed) instance.disks.push_back(one.disk);
  if (plan.conversion) {
    instance.disk_template = *plan.conversion;
    instance.disks_active = false;
  }
  for (auto const& one : plan.detached) {
    edit.put(model::DetachedDisk{one.disk, instance.primary_node, instance.name, instance.epoch});
  }
  for (auto const& [from, to] : plan.attached) {
    // It must be nobody's still.
    TRY(edit.get(from.disk.uuid));
    edit.remove(from.disk.uuid);
    instance.disk_template = to.disk.dev_type;
  }
  instance.nics.clear();
  for (auto const& one : plan.after.nics) instance.nics.push_back(one.nic);
  return {};
}

}  // namespace

Result<jobs::LockSet> InstanceSetParams::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  jobs::LockSet locks{jobs::exclusive(jobs::LockLevel::Instance, instance->name)};
  if (concerns_its_node(op)) {
    locks.push_back(jobs::shared(jobs::LockLevel::Node, instance->primary_node.text()));
    // A disk that is nobody's may be wanted by two.
    auto const mode = asks_for(op, "attach") ? jobs::LockMode::Exclusive : jobs::LockMode::Shared;
    locks.push_back({jobs::LockLevel::NodeRes, instance->primary_node.text(), mode});
  }
  return locks;
}

Result<InstanceSetParams::Facts> InstanceSetParams::inspect(Op const& op,
                                                            model::Cluster const& cluster,
                                                            jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  TRY(check_built(op, cluster, *instance));
  Facts facts;
  auto const primary = TRY(cluster.node(instance->primary_node));
  if ((op.os_name && !op.force) || changes_os_parameters(op)) {
    auto const node = TRY(online_primary(cluster, *instance));
    facts.operating_systems = TRY(nodes.ask(*node, rpc::OsDiagnose{}));
  }
  // Where the node is away nobody can look, and the mark may be what says so.
  if (op.offline && !primary->offline) {
    facts.running = TRY(find_running(cluster, *instance, nodes));
  }
  if (!concerns_its_node(op)) {
    facts.warnings = TRY(check_next_start(op, cluster, facts, nodes));
    return facts;
  }
  auto const node = TRY(online_primary(cluster, *instance));
  facts.running = TRY(find_running(cluster, *instance, nodes));
  if (op.disk_template) {
    TRY(check_conversion(op, cluster.settings(), *instance));
    // Before its disks are found in use.
    TRY(check_down(*instance, facts.running.has_value(), "cannot change disk template"));
    facts.disks = TRY(look_at_disks(cluster, *instance, nodes));
  }
  facts.seed =
      static_cast<std::int64_t>(nodes.random().below(std::numeric_limits<std::int64_t>::max()));
  facts.drawn = draw_addresses(pool_wishes(op.nics, cluster, *instance), cluster, nodes);
  auto changed = *instance;
  TRY(change(op, cluster, facts, changed));
  auto const nics = changed_nics(cluster, *instance, changed);
  if (!nics.empty()) TRY(check_nics_on(*node, nics, nodes));
  if (needs_room(op)) {
    facts.node = TRY(nodes.ask(*node, rpc::NodeInfo{cluster.settings().file_storage_dir}));
  }
  facts.warnings = TRY(check_next_start(op, cluster, facts, nodes));
  return facts;
}

Result<InstanceSetParams::Plan> InstanceSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                        Facts const& facts) {
  auto const before = TRY(cluster.instance(op.instance_name));
  auto instance = *before;
  if (!changes_anything(op)) return fail(ErrorCode::WrongInput, "No changes submitted");
  TRY(check_built(op, cluster, instance));
  if (op.disk_template) {
    TRY(check_conversion(op, cluster.settings(), instance));
    TRY(check_down(instance, facts.running.has_value(), "cannot change disk template"));
  }
  TRY(check_os(op, cluster, facts, instance));
  Plan plan{.instance = instance.uuid,
            .name = instance.name,
            .node = instance.primary_node,
            .hypervisor = instance.hypervisor,
            .beparams = TRY(model::enforce_backend(op.beparams)),
            .hvparams = TRY(model::enforce_hypervisor(instance.hypervisor, op.hvparams)),
            .osparams = os_parameter_changes(op.osparams),
            .osparams_private = os_parameter_changes(op.osparams_private.value_or(json::object())),
            .os_name = op.os_name,
            .offline = op.offline};
  // Online means down: one that should run is to be stopped first, also for that.
  if (op.offline) {
    TRY(check_not_running(instance, facts.running.has_value(),
                          *op.offline
                              ? "can't change to offline without being down first"
                              : "can't change to online (down) without being offline first"));
  }
  instance.beparams = model::overlay(std::move(instance.beparams), plan.beparams);
  auto const filled = model::filled_beparams(cluster.settings(), instance);
  if (model::number_of(filled, "minmem") > model::number_of(filled, "maxmem")) {
    return fail(ErrorCode::WrongInput, "minmem ({} MiB) must not be larger than maxmem ({} MiB)",
                model::number_of(filled, "minmem"), model::number_of(filled, "maxmem"));
  }
  if (!plan.hvparams.empty() || !plan.beparams.empty()) {
    auto later = instance;
    later.hvparams = model::overlay(std::move(later.hvparams), plan.hvparams);
    TRY(model::check_start(later.hypervisor, model::filled_hvparams(cluster.settings(), later),
                           filled));
  }
  auto const changes = TRY(change(op, cluster, facts, instance));
  if (asks_for(op, "add") && !op.wait_for_sync && !instance.disks_active) {
    return fail(ErrorCode::WrongInput,
                "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync "
                "given");
  }
  if (changes_devices(op)) {
    plan.devices = TRY(plan_devices(op, cluster, facts, *before, instance, changes));
  }
  if (op.runtime_mem) plan.memory = TRY(plan_memory(op, cluster, facts, instance));
  if (!op.ignore_ipolicy) {
    auto const violations = model::policy_violations(
        model::filled_ipolicy(cluster, instance.primary_node), instance, filled);
    if (!violations.empty()) {
      return fail(ErrorCode::WrongInput,
                  "Instance allocation to group {} violates policy: {}; --ignore-ipolicy does it "
                  "anyway",
                  group_title(cluster, instance.primary_node), fmt::join(violations, ", "));
    }
  }
  if (plan.memory) note(plan.changes, "runtime_memory", plan.memory->after.value);
  plan.changes.insert(plan.changes.end(), changes.told.begin(), changes.told.end());
  plan.notes = changes.notes;
  note_all(plan.changes, "hv", plan.hvparams);
  // What the person typed: `memory`, not the two that it stands for.
  if (auto const* memory = op.beparams.if_contains("memory")) {
    auto shown = plan.beparams;
    auto const& both = shown.contains("maxmem") ? shown["maxmem"] : *memory;
    note(plan.changes, "be/memory", both.is_null() ? "default" : both);
    shown.erase("maxmem");
    shown.erase("minmem");
    note_all(plan.changes, "be", shown);
  } else {
    note_all(plan.changes, "be", plan.beparams);
  }
  note_all(plan.changes, "os", op.osparams);
  for (auto const& [key, value] : plan.osparams_private) {
    note(plan.changes, fmt::format("os_private/{}", std::string_view(key)), "<redacted>");
  }
  if (op.offline) note(plan.changes, "admin_state", *op.offline ? "offline" : "down");
  plan.warnings = warnings_of(op, plan, facts);
  return plan;
}

// Before it is done they are told of the memory, the CPUs and the NICs as they will be.
Result<jobs::Hooks> InstanceSetParams::hooks(Op const& op, model::Cluster const& cluster,
                                             Plan const& plan) {
  auto instance = *TRY(cluster.instance(plan.instance));
  jobs::HookVariables extra;
  if (!plan.beparams.empty()) {
    auto later = instance;
    later.beparams = model::overlay(std::move(later.beparams), plan.beparams);
    auto const backend = model::filled_beparams(cluster.settings(), later);
    extra["INSTANCE_MINMEM"] = std::to_string(model::number_of(backend, "minmem"));
    extra["INSTANCE_MAXMEM"] = std::to_string(model::number_of(backend, "maxmem"));
    extra["INSTANCE_MEMORY"] = extra["INSTANCE_MAXMEM"];
    extra["INSTANCE_VCPUS"] = std::to_string(model::number_of(backend, "vcpus"));
  }
  if (plan.devices) {
    instance.nics.clear();
    for (auto const& spec : plan.devices->after.nics) instance.nics.push_back(spec.nic);
  }
  if (op.disk_template) extra["NEW_DISK_TEMPLATE"] = schema::name_of(*op.disk_template);
  if (op.runtime_mem) extra["RUNTIME_MEMORY"] = std::to_string(*op.runtime_mem);
  return instance_hooks("instance-modify", cluster, instance, extra);
}

std::vector<std::string> InstanceSetParams::claims(Plan const& plan) {
  if (!plan.devices) return {};
  std::vector<model::Nic> nics;
  for (auto const& one : plan.devices->after.nics) nics.push_back(one.nic);
  return nic_claims(nics);
}

Result<json::value> InstanceSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  for (auto const& note : plan.notes) job.info(note);
  if (plan.devices) {
    TRY(make_devices(plan, job));
    TRY(adjust_guest(plan, job));
    TRY(release_disks(plan, job));
  }
  if (plan.memory) {
    auto const to = [&](MiB memory) {
      return rpc::InstanceBalloon{plan.name, plan.hypervisor, memory};
    };
    TRY(job.step(fmt::format("Leaving {} MiB to {}", plan.memory->after.value, plan.name),
                 plan.node, to(plan.memory->after),
                 {.undo = jobs::undo_call(plan.node, to(plan.memory->before))}));
  }
  TRY(job.commit("Changing its parameters", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance));
    instance.hvparams = model::overlay(std::move(instance.hvparams), plan.hvparams);
    instance.beparams = model::overlay(std::move(instance.beparams), plan.beparams);
    instance.osparams = model::overlay(std::move(instance.osparams), plan.osparams);
    instance.osparams_private =
        model::overlay(std::move(instance.osparams_private), plan.osparams_private);
    if (plan.os_name) instance.os = *plan.os_name;
    if (plan.offline) {
      instance.admin_state = *plan.offline ? model::AdminState::Offline : model::AdminState::Down;
    }
    if (plan.devices) TRY(take_devices(*plan.devices, instance, edit));
    edit.put(std::move(instance));
    return {};
  }));
  TRY(remove_disks(plan, job));
  return plan.changes;
}

schema::Fields InstanceSetParams::Attachment::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Attachment::from>("from", "The disk as it was."),
      field<&Attachment::to>("to", "The disk as it will be."),
  };
  return table;
}

schema::Fields InstanceSetParams::DevicePlan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&DevicePlan::before>("before", "What its node knows of it."),
      field<&DevicePlan::after>("after", "What it is told."),
      field<&DevicePlan::created>("created", "Disks that are made."),
      field<&DevicePlan::removed>("removed", "Disks that are removed."),
      field<&DevicePlan::detached>("detached", "Disks that become nobody's."),
      field<&DevicePlan::attached>("attached", "Disks that were nobody's."),
      field<&DevicePlan::wipes>("wipes", "Whether new disks are overwritten first."),
      field<&DevicePlan::deactivates>("deactivates", "Whether the detached ones are in use."),
      field<&DevicePlan::plugs>("plugs", "Whether the running guest is changed, too."),
      field<&DevicePlan::may_not_plug>("may_not_plug", "Whether that may fail."),
      field<&DevicePlan::conversion>("conversion", "The template that they become of."),
  };
  return table;
}

schema::Fields InstanceSetParams::MemoryPlan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&MemoryPlan::before>("before", "MiB that it has."),
      field<&MemoryPlan::after>("after", "MiB that it shall have."),
  };
  return table;
}

schema::Fields InstanceSetParams::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::name>("name", "Its name."),
      field<&Plan::node>("node", "Its primary node."),
      field<&Plan::hypervisor>("hypervisor", "Its hypervisor."),
      field<&Plan::beparams>("beparams", "Backend parameters that change; null: inherit."),
      field<&Plan::hvparams>("hvparams", "Hypervisor parameters that change; null: inherit."),
      field<&Plan::osparams>("osparams", "OS parameters that change; null: remove."),
      schema::secret<&Plan::osparams_private>("osparams_private",
                                              "Those kept from lists that change; null: remove."),
      field<&Plan::os_name>("os_name", "The OS, where it changes."),
      field<&Plan::offline>("offline", "Whether it is marked offline or online."),
      field<&Plan::devices>("devices", "What its disks and NICs become."),
      field<&Plan::memory>("memory", "What the running guest is left of its memory."),
      field<&Plan::changes>("changes", "What is told: [[name, value], ...]."),
      field<&Plan::warnings>("warnings", "What is warned of before."),
      field<&Plan::notes>("notes", "What is told before."),
  };
  return table;
}

}  // namespace flotte::units
