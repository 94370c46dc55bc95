// Disks of the template plain: LVM volumes, owner and epoch as LVM tags. Command lines as Ganeti's
// (docs/ganeti.md, "Disks and their ids").
#include <algorithm>
#include <charconv>

#include "node/storage/block_device.h"
#include "node/storage/lvm.h"
#include "node/storage/zeros.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::string_view owner_tag = "originstname+";
constexpr std::string_view epoch_tag = "flotte-epoch+";
// From that byte on it is to be wiped.
constexpr std::string_view unwiped_tag = "flotte-unwiped+";
// Whose the snapshot is: not the tag of a disk, which it isn't.
constexpr std::string_view snapshot_tag = "flotte-snapshot+";
constexpr int remove_tries = 3;

// A volume as a disk: with what its tags say.
struct Volume : LogicalVolume {
  std::string owner;
  std::int64_t epoch = 0;
  std::optional<Bytes> unwiped;
};

std::int64_t number_in(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Volume with_tags(LogicalVolume found) {
  Volume volume{std::move(found)};
  for (std::string_view const tag : volume.tags) {
    if (tag.starts_with(owner_tag)) volume.owner = tag.substr(owner_tag.size());
    if (tag.starts_with(epoch_tag)) volume.epoch = number_in(tag.substr(epoch_tag.size()));
    if (tag.starts_with(unwiped_tag)) {
      volume.unwiped = Bytes{number_in(tag.substr(unwiped_tag.size()))};
    }
  }
  return volume;
}

class PlainDevices final : public BlockDevices {
 public:
  explicit PlainDevices(sys::Processes& processes) : processes_(processes) {}

  Result<void> create(rpc::BlockdevCreate const& call) override {
    return make(call.instance, call.disk, {});
  }
  Result<void> create_unwiped(rpc::BlockdevCreateUnwiped const& call) override {
    return make(call.instance, call.disk, {fmt::format("--addtag={}0", unwiped_tag)});
  }

  Result<void> remove(std::string const& instance, rpc::DiskSpec const& disk) override {
    TRY(check(disk));
    auto const known = TRY(look(disk));
    if (!known) return {};
    TRY(check_disk(instance, disk, *known));
    if (!known->snapshots.empty()) {
      return fail(ErrorCode::WrongState,
                  "Volume {} has snapshots, which would go with it: {}; remove them first "
                  "(lvremove), if nobody needs them",
                  full_name(disk), fmt::join(known->snapshots, ", "));
    }
    return remove_volume(disk.disk.logical_id[0], disk.disk.logical_id[1]);
  }

  Result<void> snapshot(rpc::BlockdevSnapshot const& call) override {
    auto const origin = TRY(find_own(call.instance, call.disk));
    TRY(remove_snapshot({call.instance, call.disk}));
    auto const name = snapshot_of(call.disk);
    TRY(sys::run_checked(
        processes_,
        lvm({"lvcreate", "-s", fmt::format("-L{}m", call.size.value), "-n" + name,
             fmt::format("--addtag={}{}", snapshot_tag, call.instance), full_name(call.disk)})));
    return {};
  }

  Result<void> remove_snapshot(rpc::BlockdevSnapshotRemove const& call) override {
    TRY(check(call.disk));
    auto const known = TRY(look_at_snapshot(call.disk));
    if (!known) return {};
    TRY(check_snapshot(call.instance, call.disk, *known));
    return remove_volume(known->vg, known->name);
  }

  Result<std::string> snapshot_path(std::string const& instance,
                                    rpc::DiskSpec const& disk) override {
    TRY(check(disk));
    auto const known = TRY(look_at_snapshot(disk));
    if (!known) {
      return fail(ErrorCode::WrongState, "Disk {} of {} has no snapshot", disk.index, instance);
    }
    TRY(check_snapshot(instance, disk, *known));
    if (known->is_lost) {
      return fail(ErrorCode::WrongState,
                  "The snapshot of disk {} of {} has filled up: more was written to the disk "
                  "meanwhile than it has room for ({} bytes)",
                  disk.index, instance, known->size.value);
    }
    return fmt::format("/dev/{}/{}", known->vg, known->name);
  }

  // First the tags: a volume that has a disk's name is always its instance's.
  Result<void> adopt(rpc::BlockdevAdopt const& call) override {
    auto const& disk = call.disk;
    TRY(check(disk));
    TRY(check_other(call.volume));
    if (auto const known = TRY(look(disk))) return check_disk(call.instance, disk, *known);
    auto const& vg = disk.disk.logical_id[0];
    auto const from = fmt::format("{}/{}", vg, call.volume);
    auto const found = TRY(look(vg, call.volume));
    if (!found) return fail(ErrorCode::EnvironmentError, "Missing logical volume(s): {}", from);
    for (auto const& reason : {why_no_disk(*found), why_not_now(*found)}) {
      if (reason.empty()) continue;
      return fail(ErrorCode::WrongState, "Volume {} can't be adopted: it {}", from, reason);
    }
    if (found->is_open) {
      return fail(ErrorCode::WrongState, "Online logical volumes found, cannot adopt: {}", from);
    }
    if (round_up(found->size) != disk.disk.size) {
      return fail(ErrorCode::WrongState, "Volume {} has {} bytes, not {} MiB", from,
                  found->size.value, disk.disk.size.value);
    }
    if (found->owner != call.instance && found->owner != call.owner) {
      return fail(ErrorCode::WrongState, "Volume {} belongs to '{}', not to '{}'", from,
                  found->owner, call.owner);
    }
    TRY(change_owner(from, *found, call.instance));
    return rename(vg, call.volume, disk.disk.logical_id[1]);
  }

  Result<void> release(rpc::BlockdevRelease const& call) override {
    auto const& disk = call.disk;
    TRY(check(disk));
    TRY(check_other(call.volume));
    auto const& vg = disk.disk.logical_id[0];
    if (auto const known = TRY(look(disk))) {
      TRY(check_disk(call.instance, disk, *known));
      TRY(rename(vg, disk.disk.logical_id[1], call.volume));
    }
    auto const found = TRY(look(vg, call.volume));
    if (!found || found->owner != call.instance) return {};
    return change_owner(fmt::format("{}/{}", vg, call.volume), *found, call.owner);
  }

  // First the tags, as by adopt().
  Result<void> rename(rpc::BlockdevRename const& call) override {
    TRY(check(call.disk));
    TRY(check(call.new_disk));
    auto const& from = call.disk.disk.logical_id;
    auto const& to = call.new_disk.disk.logical_id;
    if (from[0] != to[0]) {
      return fail(ErrorCode::WrongInput, "Volume {} can't become {}: it is in another volume group",
                  full_name(call.disk), full_name(call.new_disk));
    }
    auto const moved = TRY(look(call.new_disk));
    auto const known = moved ? moved : TRY(look(call.disk));
    auto const are_both = moved && from != to && TRY(look(call.disk));
    if (call.is_undo && (!known || are_both)) return {};
    if (!known) return missing(call.owner, call.disk);
    if (are_both) {
      return fail(ErrorCode::AlreadyExists, "Volume {} already exists and is not this disk",
                  full_name(call.new_disk));
    }
    auto const& now = moved ? call.new_disk : call.disk;
    TRY(check_disk(known->owner == call.owner ? call.owner : call.new_owner, now, *known));
    if (!call.is_undo && round_up(known->size) < call.disk.disk.size) {
      return fail(ErrorCode::WrongState, "Volume {} has {} bytes, less than the {} MiB of the disk",
                  full_name(now), known->size.value, call.disk.disk.size.value);
    }
    TRY(change_tags(full_name(now), *known, call.new_owner, call.epoch));
    return moved ? Result<void>() : rename(from[0], from[1], to[1]);
  }

  Result<void> grow(rpc::BlockdevGrow const& call) override {
    if (call.is_undo && !TRY(look(call.disk))) return {};
    auto known = TRY(find_own(call.instance, call.disk));
    if (known.unwiped) {
      TRY(take_back(call.instance, call.disk, known));
      known.size = std::min(known.size, *known.unwiped);
    }
    return extend(call.disk, known, call.size);
  }

  Result<void> grow_unwiped(rpc::BlockdevGrowUnwiped const& call) override {
    auto const known = TRY(find_own(call.instance, call.disk));
    if (!known.unwiped && known.size < to_bytes(call.size)) {
      // Before there is anything to wipe.
      TRY(change(call.disk, {fmt::format("--addtag={}{}", unwiped_tag, known.size.value)}));
    }
    return extend(call.disk, known, call.size);
  }

  Result<void> wipe(rpc::BlockdevWipe const& call, rpc::Progress const& progress) override {
    auto const known = TRY(find_own(call.instance, call.disk));
    if (round_up(known.size) < call.disk.disk.size) {
      return too_small(call.instance, call.disk, round_up(known.size));
    }
    if (!known.unwiped) return {};
    TRY(change(call.disk, {"-ay"}));
    TRY(fill_with_zeros(path_of(call.disk), *known.unwiped, progress));
    return forget_unwiped(call.disk, known);
  }

  Result<void> check_wiped(std::string const& instance, rpc::DiskSpec const& disk) override {
    auto const known = TRY(find_own(instance, disk));
    return known.unwiped ? Result<void>(not_wiped(instance, disk)) : Result<void>();
  }

  Result<std::string> assemble(std::string const& instance, rpc::DiskSpec const& disk,
                               std::int64_t epoch) override {
    auto const known = TRY(find_own(instance, disk));
    if (epoch < known.epoch) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} was started later, at epoch {}; epoch {} may not have it",
                  disk.index, instance, known.epoch, epoch);
    }
    if (known.unwiped) TRY(take_back(instance, disk, known));
    if (epoch > known.epoch) {
      TRY(change(disk, {fmt::format("--deltag={}{}", epoch_tag, known.epoch),
                        fmt::format("--addtag={}{}", epoch_tag, epoch)}));
    }
    TRY(change(disk, {"-ay"}));
    return path_of(disk);
  }

  std::string path(rpc::DiskSpec const& disk) const override { return path_of(disk); }

  Result<std::optional<Found>> find(std::string const& instance,
                                    rpc::DiskSpec const& disk) override {
    TRY(check(disk));
    auto const known = TRY(look(disk));
    if (!known || known->owner != instance) return std::optional<Found>();
    return std::optional(Found{path_of(disk), known->unwiped});
  }

 private:
  static std::string snapshot_of(rpc::DiskSpec const& disk) {
    return disk.disk.logical_id[1] + ".snap";
  }

  Result<std::optional<Volume>> look_at_snapshot(rpc::DiskSpec const& disk) {
    return look(disk.disk.logical_id[0], snapshot_of(disk));
  }

  // Somebody's volume may have that name.
  static Result<void> check_snapshot(std::string const& instance, rpc::DiskSpec const& disk,
                                     Volume const& known) {
    auto const tag = fmt::format("{}{}", snapshot_tag, instance);
    auto const is_ours = known.origin == disk.disk.logical_id[1] &&
                         std::ranges::find(known.tags, tag) != known.tags.end();
    if (is_ours) return {};
    return fail(ErrorCode::WrongState,
                "Volume {}/{} is in the way: it isn't a snapshot that was made of disk {} of {}; "
                "rename it (lvrename) or remove it",
                known.vg, known.name, disk.index, instance);
  }

  Result<void> remove_volume(std::string const& vg, std::string const& name) {
    auto const volume = fmt::format("{}/{}", vg, name);
    for (int again = remove_tries - 1;; --again) {
      auto const removed = sys::run_checked(processes_, lvm({"lvremove", "-f", volume}));
      if (removed) return {};
      auto const left = look(vg, name);
      if (left && !*left) return {};
      if (again == 0 || !left || !(*left)->is_open) return Failure(removed.error());
      // Whoever wrote to it and closed it made udev look at it, and udev has it open meanwhile.
      TRY(processes_.run(lvm({"udevadm", "settle"})));
    }
  }

  Result<void> make(std::string const& instance, rpc::DiskSpec const& disk,
                    std::vector<std::string> const& options) {
    TRY(check(disk));
    auto const& vg = disk.disk.logical_id[0];
    auto const& name = disk.disk.logical_id[1];
    if (auto const known = TRY(look(disk))) {
      if (is_the_same(instance, disk, *known)) return {};
      return fail(ErrorCode::AlreadyExists, "Volume {}/{} already exists and is not this disk", vg,
                  name);
    }
    auto command =
        lvm({"lvcreate", "-Wn", fmt::format("-L{}m", disk.disk.size.value), "-n" + name,
             fmt::format("--addtag={}{}", owner_tag, instance),
             fmt::format("--addtag={}0", epoch_tag), fmt::format("-i{}", stripes(disk)), vg});
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    auto const made = sys::run_checked(processes_, command);
    if (made) return {};
    // The command of a daemon that was killed may have gone on, and have been faster.
    auto const known = look(disk);
    if (known && *known && is_the_same(instance, disk, **known)) return {};
    return Failure(made.error());
  }

  Result<void> extend(rpc::DiskSpec const& disk, Volume const& known, MiB size) {
    if (known.size >= to_bytes(size)) return {};
    TRY(sys::run_checked(processes_,
                         lvm({"lvextend", "-L", fmt::format("{}m", size.value), full_name(disk)})));
    return {};
  }

  Result<void> change(rpc::DiskSpec const& disk, std::vector<std::string> what) {
    what.insert(what.begin(), "lvchange");
    what.push_back(full_name(disk));
    TRY(sys::run_checked(processes_, lvm(std::move(what))));
    return {};
  }

  Result<void> forget_unwiped(rpc::DiskSpec const& disk, Volume const& known) {
    return change(disk, {fmt::format("--deltag={}{}", unwiped_tag, known.unwiped->value)});
  }

  // What was to be wiped has been seen by nobody, and is nowhere configured.
  Result<void> take_back(std::string const& instance, rpc::DiskSpec const& disk,
                         Volume const& known) {
    if (known.unwiped->value == 0) return not_wiped(instance, disk);
    if (known.size > *known.unwiped) {
      TRY(sys::run_checked(processes_,
                           lvm({"lvreduce", "-f", "-y", fmt::format("-L{}b", known.unwiped->value),
                                full_name(disk)})));
    }
    return forget_unwiped(disk, known);
  }

  // An empty one has neither owner nor epoch. What it is to hold is what is on it: what was to be
  // wiped in an earlier life of it isn't any more.
  Result<void> change_owner(std::string const& volume, Volume const& now,
                            std::string const& owner) {
    std::vector<std::string> argv{"lvchange", fmt::format("--deltag={}{}", epoch_tag, now.epoch)};
    if (now.owner != owner && !now.owner.empty()) {
      argv.push_back(fmt::format("--deltag={}{}", owner_tag, now.owner));
    }
    if (now.owner != owner && !owner.empty()) {
      argv.push_back(fmt::format("--addtag={}{}", owner_tag, owner));
    }
    if (now.unwiped) {
      argv.push_back(fmt::format("--deltag={}{}", unwiped_tag, now.unwiped->value));
    }
    argv.push_back(volume);
    TRY(sys::run_checked(processes_, lvm(std::move(argv))));
    return {};
  }

  Result<void> change_tags(std::string const& volume, Volume const& now, std::string const& owner,
                           std::int64_t epoch) {
    std::vector<std::string> argv{"lvchange"};
    auto const change = [&](std::string_view tag, std::string const& before,
                            std::string const& after) {
      if (before == after) return;
      if (!before.empty()) argv.push_back(fmt::format("--deltag={}{}", tag, before));
      if (!after.empty()) argv.push_back(fmt::format("--addtag={}{}", tag, after));
    };
    change(owner_tag, now.owner, owner);
    change(epoch_tag, std::to_string(now.epoch), std::to_string(epoch));
    if (argv.size() == 1) return {};
    argv.push_back(volume);
    TRY(sys::run_checked(processes_, lvm(std::move(argv))));
    return {};
  }

  Result<void> rename(std::string const& vg, std::string const& from, std::string const& to) {
    auto const renamed = sys::run_checked(processes_, lvm({"lvrename", vg, from, to}));
    if (renamed) return {};
    // As with creation: the command of a daemon that was killed may have been faster.
    auto const before = look(vg, from);
    auto const after = look(vg, to);
    auto const is_done = before && !*before && after && *after;
    return is_done ? Result<void>() : Failure(renamed.error());
  }

  static Result<void> check_other(std::string const& volume) {
    if (fits(volume)) return {};
    return fail(ErrorCode::WrongInput, "'{}' is no name of a volume", volume);
  }

  static std::string full_name(rpc::DiskSpec const& disk) {
    return fmt::format("{}", fmt::join(disk.disk.logical_id, "/"));
  }
  static std::string path_of(rpc::DiskSpec const& disk) { return "/dev/" + full_name(disk); }

  static Failure missing(std::string const& instance, rpc::DiskSpec const& disk) {
    return fail(ErrorCode::EnvironmentError, "Disk {} of {} is missing: there is no volume {}",
                disk.index, instance, full_name(disk));
  }

  // LVM rounds up, to an extent of each stripe.
  static bool is_the_same(std::string const& instance, rpc::DiskSpec const& disk,
                          Volume const& known) {
    auto const more = known.size - to_bytes(disk.disk.size);
    return known.owner == instance && why_no_disk(known).empty() && more.value >= 0 &&
           (more.value == 0 || more.value < known.extent.value * stripes(disk));
  }

  // Whose it is, and that it is a volume of its own still.
  static Result<void> check_disk(std::string const& instance, rpc::DiskSpec const& disk,
                                 Volume const& known) {
    if (known.owner != instance) {
      return fail(ErrorCode::WrongState, "Volume {} belongs to '{}', not to {}", full_name(disk),
                  known.owner, instance);
    }
    auto const reason = why_no_disk(known);
    if (reason.empty()) return {};
    return fail(ErrorCode::WrongState, "Volume {} is no longer a disk of {}: it {}",
                full_name(disk), instance, reason);
  }

  static std::int64_t stripes(rpc::DiskSpec const& disk) {
    auto const* stripes = disk.params.if_contains("stripes");
    return stripes && stripes->is_int64() ? stripes->get_int64() : 1;
  }

  // Names become arguments: nothing that LVM would take for an option or another volume.
  static bool fits(std::string const& name) {
    return !name.empty() && name.front() != '-' && std::ranges::all_of(name, [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '+';
    });
  }

  static Result<void> check(rpc::DiskSpec const& disk) {
    auto const& id = disk.disk.logical_id;
    if (id.size() == 2 && fits(id[0]) && fits(id[1])) return {};
    return fail(ErrorCode::WrongInput, "Disk {} has no valid volume name", disk.index);
  }

  Result<Volume> find_own(std::string const& instance, rpc::DiskSpec const& disk) {
    TRY(check(disk));
    auto known = TRY(look(disk));
    if (!known) return missing(instance, disk);
    TRY(check_disk(instance, disk, *known));
    return *std::move(known);
  }

  Result<std::optional<Volume>> look(rpc::DiskSpec const& disk) {
    return look(disk.disk.logical_id[0], disk.disk.logical_id[1]);
  }

  Result<std::optional<Volume>> look(std::string const& vg, std::string const& name) {
    for (auto& volume : TRY(logical_volumes(processes_, vg))) {
      if (volume.name == name) return std::optional(with_tags(std::move(volume)));
    }
    return std::optional<Volume>();
  }

  sys::Processes& processes_;
};

}  // namespace

std::unique_ptr<BlockDevices> make_plain_devices(sys::Processes& processes) {
  return std::make_unique<PlainDevices>(processes);
}

MiB own_size(MiB size, std::optional<Bytes> unwiped) {
  return unwiped && unwiped->value > 0 ? std::min(size, round_up(*unwiped)) : size;
}

Result<std::vector<rpc::VolumeGroup>> volume_groups(sys::Processes& processes) {
  std::vector<rpc::VolumeGroup> groups;
  if (!sys::exists("/dev/mapper/control")) return groups;
  for (auto const& group : TRY(logical_volume_groups(processes))) {
    groups.push_back(
        {group.name, round_down(group.size), round_down(group.free), round_up(group.extent)});
  }
  return groups;
}

Result<std::vector<rpc::Volume>> volumes(sys::Processes& processes) {
  std::vector<rpc::Volume> list;
  if (!sys::exists("/dev/mapper/control")) return list;
  for (auto const& found : TRY(logical_volumes(processes, ""))) {
    auto const volume = with_tags(found);
    auto fault = why_no_disk(volume);
    auto hindrance = why_not_now(volume);
    // What is broken is more than a hindrance.
    if (fault.empty() && volume.is_partial) fault = std::exchange(hindrance, "");
    list.push_back({.phys = fmt::format("{}", fmt::join(volume.devices, ",")),
                    .vg = volume.vg,
                    .name = volume.name,
                    .size = own_size(round_up(volume.size), volume.unwiped),
                    .is_active = volume.is_active,
                    .is_open = volume.is_open,
                    .owner = volume.owner,
                    .is_hidden = volume.is_hidden,
                    .fault = std::move(fault),
                    .hindrance = std::move(hindrance),
                    .snapshots = volume.snapshots});
    if (volume.unwiped) list.back().unwiped = round_up(*volume.unwiped);
  }
  return list;
}

}  // namespace flotte::node
