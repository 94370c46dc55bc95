#include "units/disk_conversion.h"

#include <algorithm>

#include "model/disk_templates.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

// Why a disk can't be copied from a volume, or that could not be removed afterwards.
std::string hindrance_of(rpc::Volume const& volume) {
  if (!volume.fault.empty()) return volume.fault;
  if (!volume.hindrance.empty()) return volume.hindrance;
  if (volume.snapshots.empty()) return {};
  return fmt::format("has snapshots, which would go with it: {}; remove them first (lvremove)",
                     fmt::join(volume.snapshots, ", "));
}

std::string names_of(std::vector<model::DiskTemplate> const& templates) {
  std::vector<std::string_view> names;
  for (auto const one : templates) names.push_back(schema::name_of(one));
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<std::string> file_driver(opcodes::InstanceSetParams const& op) {
  auto const driver = op.file_driver.value_or("loop");
  if (driver == "loop") return driver;
  if (driver == "blktap" || driver == "blktap2") {
    return fail(ErrorCode::WrongInput, "File driver '{}' is Xen's; for KVM there is only 'loop'",
                driver);
  }
  return fail(ErrorCode::WrongInput, "Invalid file driver name '{}'", driver);
}

}  // namespace

Result<DiskStates> look_at_disks(model::Cluster const& cluster, model::Instance const& instance,
                                 jobs::NodeReader& nodes) {
  auto const node = TRY(online_primary(cluster, instance));
  auto const found =
      TRY(nodes.ask(*node, rpc::BlockdevFind{instance.name, disk_specs(cluster, instance)}));
  rpc::VolumeList volumes;
  if (model::is_volume(instance.disk_template)) {
    volumes = TRY(nodes.ask(*node, rpc::NodeVolumes{}));
  }
  DiskStates states;
  for (std::size_t i = 0; i < instance.disks.size(); ++i) {
    auto& state = states.emplace_back();
    if (i >= found.devices.size() || !found.devices[i]) continue;
    state = DiskState{.size = found.devices[i]->size};
    for (auto const& volume : volumes.volumes) {
      if (std::vector{volume.vg, volume.name} != instance.disks[i].logical_id) continue;
      state = DiskState{
          .size = volume.size, .is_open = volume.is_open, .hindrance = hindrance_of(volume)};
    }
  }
  return states;
}

Result<void> check_conversion(opcodes::InstanceSetParams const& op, model::Settings const& settings,
                              model::Instance const& instance) {
  auto const from = instance.disk_template;
  auto const to = *op.disk_template;
  if (!op.disks.empty()) {
    return fail(ErrorCode::WrongInput,
                "Disk template conversion and other disk changes not supported at the same time");
  }
  if (!model::has_disks(from)) {
    return fail(ErrorCode::WrongInput,
                "Conversion from the 'diskless' disk template is not supported");
  }
  auto const& traits = model::traits_of(to);
  if (!traits.can_be_made) {
    return fail(ErrorCode::WrongInput, "Conversion to the '{}' disk template is not supported",
                schema::name_of(to));
  }
  if (from == to) {
    return fail(ErrorCode::WrongInput, "Instance already has disk template {}",
                schema::name_of(to));
  }
  if (!model::is_enabled(settings, to)) {
    return fail(ErrorCode::WrongState,
                "Disk template '{}' is not enabled for this cluster (enabled templates: {})",
                schema::name_of(to), names_of(settings.enabled_disk_templates));
  }
  if (traits.needs_group && settings.volume_group_name.empty()) {
    return fail(ErrorCode::WrongState,
                "Disk template conversions to lvm-based instances are not supported by the "
                "cluster; give it a volume group with 'gnt-cluster modify --vg-name'");
  }
  if (auto const* allowed = settings.ipolicy.if_contains("disk-templates");
      allowed && allowed->is_array()) {
    std::vector<std::string_view> names;
    for (auto const& one : allowed->get_array()) {
      if (one.is_string()) names.emplace_back(one.get_string());
    }
    if (std::ranges::find(names, schema::name_of(to)) == names.end()) {
      // Ganeti's own words, its slip too.
      return fail(ErrorCode::WrongState,
                  "Disk template '{}' in not allowed (allowed templates: {})", schema::name_of(to),
                  fmt::join(names, ", "));
    }
  }
  if (!traits.is_built) {
    return fail(ErrorCode::WrongInput, "Disk template '{}' is not built yet", schema::name_of(to));
  }
  return {};
}

Result<DeviceChanges> convert_disks(opcodes::InstanceSetParams const& op, DeviceMaker& maker,
                                    model::Instance& instance, DiskStates const& disks) {
  FileStorage const files{TRY(file_driver(op)), op.file_storage_dir.value_or("")};
  DeviceChanges changes;
  changes.removed = std::exchange(instance.disks, {});
  instance.disk_template = *op.disk_template;
  for (std::size_t i = 0; i < changes.removed.size(); ++i) {
    auto const& old = changes.removed[i];
    auto const state = i < disks.size() ? disks[i] : std::nullopt;
    if (!state) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} is missing; make it anew first with 'gnt-instance "
                  "recreate-disks --disk={} {}'",
                  i, instance.name, i, instance.name);
    }
    if (state->is_open) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} is open; unmount it, or stop what has it open", i, instance.name);
    }
    if (!state->hindrance.empty()) {
      return fail(ErrorCode::WrongState, "Disk {} of {} can't be converted: its volume {}", i,
                  instance.name, state->hindrance);
    }
    auto const size = std::max(old.size.value, state->size.value);
    auto made = TRY(maker.disk(instance, {{"size", size}}, i, files));
    made.mode = old.mode;
    made.name = old.name;
    made.spindles = old.spindles;
    instance.disks.push_back(made);
    changes.created.push_back(std::move(made));
  }
  changes.told.push_back(
      json::array{"disk_template", json::value(schema::name_of(instance.disk_template))});
  return changes;
}

}  // namespace flotte::units
