// What a node in memory does with the calls about disks. Internal to this folder; FakeNode calls it
// with its mutex held.
#pragma once

#include <algorithm>

#include "base/lookup.h"
#include "base/paths.h"
#include "model/disk_templates.h"
#include "rpc/fake_node.h"
#include "rpc/wire.h"

namespace flotte::rpc {

class FakeStorage {
 public:
  explicit FakeStorage(FakeNodeState& state) : state_(state) {}

  Result<Nothing> create(BlockdevCreate const& call) {
    return make(call.instance, call.disk, std::nullopt);
  }
  Result<Nothing> create_unwiped(BlockdevCreateUnwiped const& call) {
    return make(call.instance, call.disk, MiB{0});
  }

  Result<Nothing> adopt(BlockdevAdopt const& call) {
    TRY(check_name(call.instance));
    auto const& disk = call.disk.disk;
    auto const from = TRY(volume_of(disk, call.volume));
    auto const key = fake_disk_key(disk);
    if (auto const known = state_.disks.find(key); known != state_.disks.end()) {
      if (known->second.instance == call.instance) return Nothing{};
      return fail(ErrorCode::AlreadyExists, "Disk {} exists already and is not this disk", key);
    }
    auto const volume = state_.other_volumes.find(from);
    if (volume == state_.other_volumes.end()) {
      return fail(ErrorCode::EnvironmentError, "Missing logical volume(s): {}", from);
    }
    auto const& found = volume->second;
    if (!found.fault.empty() || found.is_open || found.size != disk.size ||
        found.owner != call.owner) {
      return fail(ErrorCode::WrongState, "Volume {} is no disk, in use or has changed", from);
    }
    FakeDisk made;
    made.instance = call.instance;
    made.disk = disk;
    made.size = disk.size;
    made.index = call.disk.index;
    state_.disks.emplace(key, std::move(made));
    state_.other_volumes.erase(volume);
    return Nothing{};
  }

  Result<Nothing> release(BlockdevRelease const& call) {
    auto const key = fake_disk_key(call.disk.disk);
    auto const from = TRY(volume_of(call.disk.disk, call.volume));
    auto const known = state_.disks.find(key);
    if (known == state_.disks.end()) return Nothing{};
    if (known->second.instance != call.instance) return foreign(known->second);
    TRY(refuse_while_used(key));
    state_.other_volumes[from] = {known->second.size, false, call.owner};
    state_.disks.erase(known);
    return Nothing{};
  }

  Result<Nothing> remove(BlockdevRemove const& call) {
    auto const key = fake_disk_key(call.disk.disk);
    auto const known = state_.disks.find(key);
    if (known == state_.disks.end()) return Nothing{};
    if (known->second.instance != call.instance) return foreign(known->second);
    TRY(refuse_while_used(key));
    if (known->second.snapshot) {
      return fail(ErrorCode::WrongState, "Volume {} has snapshots, which would go with it", key);
    }
    known->second.is_assembled = false;
    TRY(check_writable(known->second.disk));
    TRY(take_space(known->second.disk, MiB{-known->second.size.value}));
    state_.disks.erase(known);
    return Nothing{};
  }

  Result<Nothing> rename(BlockdevRename const& call) {
    for (auto const* owner : {&call.owner, &call.new_owner}) {
      if (!owner->empty()) TRY(check_name(*owner));
    }
    if (is_file(call.disk.disk) != is_file(call.new_disk.disk)) {
      return fail(ErrorCode::WrongInput, "Disk {} of {} would become one of another template",
                  call.disk.index, call.instance);
    }
    auto const from = fake_disk_key(call.disk.disk);
    auto const to = fake_disk_key(call.new_disk.disk);
    auto const moved = state_.disks.find(to);
    auto const known = moved == state_.disks.end() ? state_.disks.find(from) : moved;
    auto const are_both = from != to && moved != state_.disks.end() && state_.disks.contains(from);
    if (call.is_undo && (known == state_.disks.end() || are_both)) return Nothing{};
    if (known == state_.disks.end()) {
      return fail(ErrorCode::EnvironmentError, "Disk {} is missing: there is no {}",
                  call.disk.index, from);
    }
    if (are_both) {
      return fail(ErrorCode::AlreadyExists, "Disk {} exists already and is not this disk", to);
    }
    auto disk = known->second;
    if (disk.instance != call.owner && disk.instance != call.new_owner) return foreign(disk);
    TRY(refuse_while_used(known->first));
    known->second.is_assembled = false;
    // Also where there is no room, what is as it should be stays so.
    auto const is_there = known->first == to;
    if (!is_there || disk.instance != call.new_owner || disk.epoch != call.epoch) {
      TRY(write_beside(disk.disk));
    }
    disk.instance = call.new_owner;
    disk.disk.logical_id = call.new_disk.disk.logical_id;
    disk.epoch = call.epoch;
    disk.is_assembled = false;
    state_.disks.erase(known);
    state_.disks.emplace(to, std::move(disk));
    return Nothing{};
  }

  Result<Nothing> convert(BlockdevConvert const& call, Progress const& progress) {
    TRY(check_name(call.instance));
    for (auto const* disk : {&call.disk, &call.new_disk}) {
      TRY(refuse_while_used(fake_disk_key(disk->disk)));
    }
    auto const& from = *TRY(fence(call.instance, call.disk, call.epoch));
    auto& to = *TRY(fence(call.instance, call.new_disk, call.epoch));
    if (from.size > to.size) {
      return fail(ErrorCode::WrongInput, "{} has {} MiB, {} only {}", fake_disk_key(from.disk),
                  from.size.value, fake_disk_key(to.disk), to.size.value);
    }
    TRY(write_beside(to.disk));
    if (progress) progress(progress_line("copying", 1.0));
    to.installed_os = from.installed_os;
    return Nothing{};
  }

  Result<Nothing> grow(BlockdevGrow const& call) {
    if (call.is_undo && !state_.disks.contains(fake_disk_key(call.disk.disk))) return Nothing{};
    auto& disk = *TRY(find(call.instance, call.disk));
    TRY(take_back(disk, call.disk));
    if (call.size <= disk.size) return Nothing{};
    TRY(check_writable(disk.disk));
    TRY(take_space(disk.disk, call.size - disk.size));
    disk.size = call.size;
    return Nothing{};
  }

  Result<Nothing> grow_unwiped(BlockdevGrowUnwiped const& call) {
    auto& disk = *TRY(find(call.instance, call.disk));
    if (call.size <= disk.size) return Nothing{};
    TRY(write_beside(disk.disk));
    TRY(take_space(disk.disk, call.size - disk.size));
    if (!disk.unwiped) disk.unwiped = disk.size;
    disk.size = call.size;
    return Nothing{};
  }

  Result<DevicePath> assemble(BlockdevAssemble const& call) {
    auto& disk = *TRY(fence(call.instance, call.disk, call.epoch));
    disk.index = call.disk.index;
    disk.is_assembled = true;
    return device_path(disk);
  }

  Result<Nothing> shutdown_disk(BlockdevShutdown const& call) {
    auto const key = fake_disk_key(call.disk.disk);
    auto const known = state_.disks.find(key);
    if (known != state_.disks.end() && known->second.instance == call.instance) {
      known->second.is_assembled = false;
    }
    return Nothing{};
  }

  Result<BlockdevFound> find_disks(BlockdevFind const& call) {
    BlockdevFound found;
    for (auto const& spec : call.disks) {
      auto const disk = state_.disks.find(fake_disk_key(spec.disk));
      auto const is_there = disk != state_.disks.end() && disk->second.instance == call.instance;
      auto& place = found.devices.emplace_back();
      if (is_there) place = device_path(disk->second);
    }
    return found;
  }

  Result<Nothing> wipe(BlockdevWipe const& call, Progress const& progress) {
    auto& disk = *TRY(find(call.instance, call.disk));
    if (disk.size < call.disk.disk.size) {
      return fail(ErrorCode::WrongState, "Disk {} of {} has {} MiB instead of {}", call.disk.index,
                  call.instance, disk.size.value, call.disk.disk.size.value);
    }
    if (!disk.unwiped) return Nothing{};
    TRY(write_beside(disk.disk));
    if (progress) progress(progress_line("wiping", 1.0));
    disk.unwiped.reset();
    return Nothing{};
  }

  Result<Nothing> snapshot(BlockdevSnapshot const& call) {
    TRY(check_name(call.instance));
    auto& disk = *TRY(find(call.instance, call.disk));
    if (!model::traits_of(disk.disk.dev_type).has_snapshots) {
      return fail(ErrorCode::WrongInput, "Disks of the template {} have no snapshots",
                  schema::name_of(disk.disk.dev_type));
    }
    TRY(remove_snapshot({call.instance, call.disk}));
    TRY(take_space(disk.disk, call.size));
    disk.snapshot = call.size;
    return Nothing{};
  }

  Result<Nothing> remove_snapshot(BlockdevSnapshotRemove const& call) {
    TRY(check_name(call.instance));
    auto const known = state_.disks.find(fake_disk_key(call.disk.disk));
    if (known == state_.disks.end() || !known->second.snapshot) return Nothing{};
    TRY(take_space(known->second.disk, MiB{-known->second.snapshot->value}));
    known->second.snapshot.reset();
    return Nothing{};
  }

  Result<VolumeList> volumes() {
    VolumeList list;
    for (auto const& [key, disk] : state_.disks) {
      if (!model::is_volume(disk.disk.dev_type)) continue;
      list.volumes.push_back({.phys = "/dev/sda1",
                              .vg = known_at(disk.disk.logical_id, 0),
                              .name = known_at(disk.disk.logical_id, 1),
                              .size = own_size(disk),
                              .is_open = uses_disk(key),
                              .owner = disk.instance,
                              .unwiped = disk.unwiped});
    }
    for (auto const& [name, volume] : state_.other_volumes) {
      auto const slash = name.find('/');
      list.volumes.push_back({.phys = "/dev/sda1",
                              .vg = name.substr(0, slash),
                              .name = name.substr(slash + 1),
                              .size = volume.size,
                              .is_open = volume.is_open,
                              .owner = volume.owner,
                              .fault = volume.fault});
    }
    return list;
  }

  Result<DiskFileList> files(FileStorageList const& call) {
    DiskFileList list;
    for (auto const& [key, disk] : state_.disks) {
      if (model::is_volume(disk.disk.dev_type)) continue;
      auto const path = disk.disk.logical_id.back();
      if (path.starts_with(call.directory + "/")) list.files.push_back({path, disk.size});
    }
    return list;
  }

 protected:
  void deactivate_unless(InstanceSpec const& wanted, DiskSpec const& disk) {
    auto const key = fake_disk_key(disk.disk);
    auto const stays = std::ranges::any_of(
        wanted.disks, [&](DiskSpec const& one) { return fake_disk_key(one.disk) == key; });
    auto const known = state_.disks.find(key);
    if (!stays && known != state_.disks.end()) known->second.is_assembled = false;
  }

  Result<Nothing> make(std::string const& instance, DiskSpec const& spec,
                       std::optional<MiB> unwiped) {
    auto const& disk = spec.disk;
    auto const key = fake_disk_key(disk);
    TRY(check_name(instance));
    constexpr std::size_t logical_id_parts = 2;
    if (disk.logical_id.size() != logical_id_parts) {
      return fail(ErrorCode::WrongInput, "Disk {} of {} has a malformed id", spec.index, instance);
    }
    if (auto const known = state_.disks.find(key); known != state_.disks.end()) {
      if (known->second.instance == instance && known->second.size == disk.size) {
        return Nothing{};
      }
      return fail(ErrorCode::AlreadyExists, "Disk {} exists already and is not this disk", key);
    }
    TRY(write_beside(disk));
    TRY(take_space(disk, disk.size));
    FakeDisk made;
    made.instance = instance;
    made.disk = disk;
    made.size = disk.size;
    made.index = spec.index;
    made.unwiped = unwiped;
    state_.disks.emplace(key, std::move(made));
    return Nothing{};
  }

  // "xenvg/old"
  static Result<std::string> volume_of(model::Disk const& disk, std::string const& volume) {
    if (!model::is_volume(disk.dev_type) || disk.logical_id.empty()) {
      return fail(ErrorCode::WrongInput, "Disks of the template {} can't be adopted",
                  schema::name_of(disk.dev_type));
    }
    return fmt::format("{}/{}", disk.logical_id[0], volume);
  }

  bool uses_disk(std::string const& key) const {
    return std::ranges::any_of(state_.guests, [&](auto const& entry) {
      return entry.second.state != RunState::UserDown && uses(entry.second, key);
    });
  }

  bool is_running(std::string const& instance) const {
    auto const guest = state_.guests.find(instance);
    return guest != state_.guests.end() && guest->second.state != RunState::UserDown;
  }

  static Failure foreign(FakeDisk const& disk) {
    return fail(ErrorCode::WrongState, "Disk {} belongs to {}", fake_disk_key(disk.disk),
                owner_text(disk.instance));
  }

  Result<FakeDisk*> find(std::string const& instance, DiskSpec const& spec) {
    auto const known = state_.disks.find(fake_disk_key(spec.disk));
    if (known == state_.disks.end()) {
      return fail(ErrorCode::EnvironmentError, "Disk {} of {} is missing: there is no {}",
                  spec.index, instance, fake_disk_key(spec.disk));
    }
    if (known->second.instance != instance) return foreign(known->second);
    return &known->second;
  }

  Result<void> refuse_while_used(std::string const& key) const {
    for (auto const& [name, guest] : state_.guests) {
      if (is_running(name) && uses(guest, key)) {
        return fail(ErrorCode::WrongState, "Disk {} is in use: instance {} is running", key, name);
      }
    }
    return {};
  }

  Result<void> check_wiped(std::string const& instance, DiskSpec const& spec) {
    auto const& disk = *TRY(find(instance, spec));
    if (!disk.unwiped) return {};
    return fail(ErrorCode::WrongState, "Disk {} of {} is not wiped yet", spec.index, instance);
  }

  // What was to be wiped has been seen by nobody.
  Result<void> take_back(FakeDisk& disk, DiskSpec const& spec) {
    if (!disk.unwiped) return {};
    if (disk.unwiped->value == 0) TRY(check_wiped(disk.instance, spec));
    TRY(write_beside(disk.disk));
    TRY(take_space(disk.disk, *disk.unwiped - disk.size));
    disk.size = *disk.unwiped;
    disk.unwiped.reset();
    return {};
  }

  // Whoever opens a disk leaves its epoch on it.
  Result<FakeDisk*> fence(std::string const& instance, DiskSpec const& spec, std::int64_t epoch) {
    auto& disk = *TRY(find(instance, spec));
    if (epoch < disk.epoch) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} is fenced: epoch {} is lower than the disk's {}", spec.index,
                  instance, epoch, disk.epoch);
    }
    TRY(take_back(disk, spec));
    if (epoch > disk.epoch) TRY(write_beside(disk.disk));
    disk.epoch = epoch;
    return &disk;
  }

  static bool is_file(model::Disk const& disk) { return !model::is_volume(disk.dev_type); }
  Result<void> check_writable(model::Disk const& disk) const {
    if (!is_file(disk) || state_.file_storage == FakeFileStorage::Fine) return {};
    return fail(ErrorCode::EnvironmentError, "Can't write {}: Read-only file system",
                fake_disk_key(disk));
  }
  // Disks are sparse: their owner and epoch take room, and what is written to them.
  Result<void> write_beside(model::Disk const& disk) {
    if (is_file(disk)) ++state_.room_needed;
    TRY(check_writable(disk));
    if (!is_file(disk) || state_.facts.file_free > MiB{0}) return {};
    return fail(ErrorCode::InsufficientResources, "Can't write {}: No space left on device",
                fake_disk_key(disk));
  }

  static Result<void> check_name(std::string const& instance) {
    if (is_path_component(instance)) return {};
    return fail(ErrorCode::WrongInput, "'{}' is no name of an instance", instance);
  }

  Result<void> take_space(model::Disk const& disk, MiB size) {
    if (size > MiB{0}) ++state_.room_needed;
    if (is_file(disk)) {
      if (size <= state_.facts.file_total) return {};
      return fail(ErrorCode::InsufficientResources,
                  "A disk of {} MiB does not fit on a file system of {} MiB", size.value,
                  state_.facts.file_total.value);
    }
    auto const& name = known_at(disk.logical_id, 0);
    auto const group = std::ranges::find(state_.facts.volume_groups, name, &VolumeGroup::name);
    if (group == state_.facts.volume_groups.end()) {
      return fail(ErrorCode::EnvironmentError, "Volume group '{}' not found on this node", name);
    }
    if (group->free < size) {
      return fail(ErrorCode::InsufficientResources,
                  "Volume group '{}' has {} MiB free, {} MiB are needed", name, group->free.value,
                  size.value);
    }
    group->free = group->free - size;
    return {};
  }

  static DevicePath device_path(FakeDisk const& disk) {
    auto const link =
        fmt::format("/var/run/ganeti/instance-disks/{}:{}", disk.instance, disk.index);
    if (!model::is_volume(disk.disk.dev_type)) {
      return {disk.disk.logical_id.back(), link,        "N/A:N/A", own_size(disk),
              disk.is_assembled,           disk.unwiped};
    }
    return {fmt::format("/dev/{}", fmt::join(disk.disk.logical_id, "/")),
            link,
            fmt::format("253:{}", disk.index),
            own_size(disk),
            disk.is_assembled,
            disk.unwiped};
  }

  // What it has grown and was not wiped may be given back at any time.
  static MiB own_size(FakeDisk const& disk) {
    return disk.unwiped && disk.unwiped->value > 0 ? std::min(disk.size, *disk.unwiped) : disk.size;
  }

  Result<void> check_assembled(InstanceSpec const& spec) {
    for (auto const& disk_spec : spec.disks) {
      auto const& disk = *TRY(fence(spec.name, disk_spec, spec.epoch));
      if (!disk.is_assembled) {
        return fail(ErrorCode::WrongState, "Disk {} of {} is not activated", disk_spec.index,
                    spec.name);
      }
    }
    return {};
  }

  FakeNodeState& state_;

 private:
  static std::string owner_text(std::string_view instance) {
    return instance.empty() ? "nobody" : std::string(instance);
  }

  static bool uses(FakeGuest const& guest, std::string const& disk_key) {
    return std::ranges::any_of(guest.spec.disks, [&](DiskSpec const& spec) {
      return fake_disk_key(spec.disk) == disk_key;
    });
  }
};

}  // namespace flotte::rpc
