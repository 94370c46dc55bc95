#include "node/daemon/storage_calls.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "model/disk_templates.h"
#include "model/names.h"
#include "node/storage/disk_copy.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::size_t files_listed_max = 100'000;
constexpr std::size_t links_max = 64;

// The link of a disk's index may still be that of another one, which had the index before.
bool leads_to(std::string const& link, std::string const& path) {
  std::error_code none;
  return std::filesystem::read_symlink(link, none) == path && !none;
}

// "253:3", or "N/A:N/A" for files.
std::string device_number(std::string const& path) {
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0 || !S_ISBLK(now.st_mode)) return "N/A:N/A";
  return fmt::format("{}:{}", major(now.st_rdev), minor(now.st_rdev));
}

// Of a file or a volume; 0 when that can't be told.
MiB size_of(std::string const& path) {
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0) return {};
  if (S_ISREG(now.st_mode)) return round_up({now.st_size});
  int const file = sys::open_to_read(path);
  if (file < 0) return {};
  auto const bytes = ::lseek(file, 0, SEEK_END);
  ::close(file);
  return round_up({std::max<std::int64_t>(bytes, 0)});
}

}  // namespace

StorageCalls::StorageCalls(Paths paths, sys::Processes& processes, InstanceTurns& turns,
                           Hypervisors const& hypervisors)
    : paths_(std::move(paths)),
      processes_(processes),
      turns_(turns),
      hypervisors_(hypervisors),
      file_(make_file_devices(paths_)),
      plain_(make_plain_devices(processes)) {}

template <class Call>
void StorageCalls::on_disk(rpc::Dispatcher& dispatcher,
                           Result<void> (BlockDevices::*deed)(Call const&)) {
  dispatcher.on<Call>(
      [this, deed](Call const& call, rpc::CallContext const&, rpc::Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<rpc::Nothing> {
          TRY(check_instance_name(call.instance));
          TRY((TRY(devices(call.disk))->*deed)(call));
          return rpc::Nothing{};
        });
      });
}

void StorageCalls::add_to(rpc::Dispatcher& dispatcher) {
  using rpc::CallContext;
  using rpc::Nothing;
  using rpc::Progress;
  on_disk(dispatcher, &BlockDevices::create);
  on_disk(dispatcher, &BlockDevices::create_unwiped);
  on_disk(dispatcher, &BlockDevices::snapshot);
  on_disk(dispatcher, &BlockDevices::remove_snapshot);
  dispatcher.on<rpc::BlockdevRemove>(
      [this](rpc::BlockdevRemove const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&] { return remove(call); });
      });
  dispatcher.on<rpc::BlockdevAdopt>(
      [this](rpc::BlockdevAdopt const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(check_instance_name(call.instance));
          TRY(TRY(devices(call.disk))->adopt(call));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::BlockdevRelease>(
      [this](rpc::BlockdevRelease const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(refuse_while_running(call.instance, call.disk));
          TRY(unlink(call.instance, call.disk));
          TRY(TRY(devices(call.disk))->release(call));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::BlockdevRename>(
      [this](rpc::BlockdevRename const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&] { return rename(call); });
      });
  dispatcher.on<rpc::BlockdevConvert>(
      [this](rpc::BlockdevConvert const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&] { return convert(call, progress); });
      });
  dispatcher.on<rpc::BlockdevGrow>(
      [this](rpc::BlockdevGrow const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(TRY(devices(call.disk))->grow(call));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::BlockdevGrowUnwiped>(
      [this](rpc::BlockdevGrowUnwiped const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(TRY(devices(call.disk))->grow_unwiped(call));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::BlockdevAssemble>(
      [this](rpc::BlockdevAssemble const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&] { return assemble(call); });
      });
  dispatcher.on<rpc::BlockdevShutdown>([this](rpc::BlockdevShutdown const& call, CallContext const&,
                                              Progress const& progress) {
    return turns_.take(call.instance, progress, [&] { return unlink(call.instance, call.disk); });
  });
  dispatcher.on<rpc::BlockdevWipe>(
      [this](rpc::BlockdevWipe const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(TRY(devices(call.disk))->wipe(call, progress));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::BlockdevFind>([this](rpc::BlockdevFind const& call, CallContext const&,
                                          Progress const&) { return find(call); });
  dispatcher.on<rpc::NodeVolumes>([this](rpc::NodeVolumes const&, CallContext const&,
                                         Progress const&) -> Result<rpc::VolumeList> {
    return rpc::VolumeList{TRY(volumes(processes_))};
  });
  dispatcher.on<rpc::FileStorageList>([](rpc::FileStorageList const& call, CallContext const&,
                                         Progress const&) { return disk_files(call.directory); });
}

Result<std::string> StorageCalls::link_of(std::string const& instance,
                                          rpc::DiskSpec const& disk) const {
  TRY(check_instance_name(instance));
  return link_of(instance, static_cast<std::size_t>(disk.index));
}

std::string StorageCalls::link_of(std::string const& instance, std::size_t index) const {
  return fmt::format("{}/{}:{}", paths_.instance_disks(), instance, index);
}

Result<std::string> StorageCalls::fenced_link(std::string const& instance,
                                              rpc::DiskSpec const& disk, std::int64_t epoch) const {
  auto const link = TRY(link_of(instance, disk));
  auto const path = TRY(TRY(devices(disk))->assemble(instance, disk, epoch));
  if (leads_to(link, path) && ::access(link.c_str(), F_OK) == 0) return link;
  return fail(ErrorCode::WrongState, "Disk {} of {} is not activated", disk.index, instance);
}

Result<BlockDevices*> StorageCalls::devices(rpc::DiskSpec const& disk) const {
  auto const kind = disk.disk.dev_type;
  if (model::is_file(kind)) return file_.get();
  if (model::is_volume(kind)) return plain_.get();
  return fail(ErrorCode::WrongInput, "Disk template '{}' is not built yet", schema::name_of(kind));
}

Result<rpc::DevicePath> StorageCalls::device_path(std::string const& instance,
                                                  rpc::DiskSpec const& disk,
                                                  std::string const& path) const {
  auto const link = TRY(link_of(instance, disk));
  return rpc::DevicePath{.path = path,
                         .link = link,
                         .device_number = device_number(path),
                         .size = size_of(path),
                         .is_active = leads_to(link, path) && ::access(link.c_str(), F_OK) == 0};
}

Result<rpc::DevicePath> StorageCalls::assemble(rpc::BlockdevAssemble const& call) {
  auto const link = TRY(link_of(call.instance, call.disk));
  auto const path = TRY(TRY(devices(call.disk))->assemble(call.instance, call.disk, call.epoch));
  TRY(sys::write_link(link, path));
  return device_path(call.instance, call.disk, path);
}

Result<void> StorageCalls::forget_links(std::string const& instance, std::size_t first) {
  for (auto index = first; index < links_max; ++index) {
    auto const link = link_of(instance, index);
    std::error_code none;
    if (std::filesystem::is_symlink(link, none)) TRY(sys::remove_file(link));
  }
  return {};
}

// Whatever its index was when it was activated.
Result<rpc::Nothing> StorageCalls::unlink(std::string const& instance,
                                          rpc::DiskSpec const& disk) const {
  TRY(check_instance_name(instance));
  auto const path = TRY(devices(disk))->path(disk);
  for (std::size_t index = 0; index < links_max; ++index) {
    auto const link = link_of(instance, index);
    // One that was killed while it was made isn't there, and leaves its temporary file.
    std::error_code none;
    auto const is_half_made =
        index == static_cast<std::size_t>(disk.index) && !std::filesystem::is_symlink(link, none);
    if (is_half_made || leads_to(link, path)) TRY(sys::remove_file(link));
  }
  return rpc::Nothing{};
}

Result<void> StorageCalls::refuse_while_running(std::string const& instance,
                                                rpc::DiskSpec const& disk) const {
  if (!hypervisors_.uses(instance, disk.disk.uuid)) return {};
  return fail(ErrorCode::WrongState, "Disk {} of {} is in use: the instance is running", disk.index,
              instance);
}

Result<rpc::Nothing> StorageCalls::remove(rpc::BlockdevRemove const& call) {
  TRY(refuse_while_running(call.instance, call.disk));
  TRY(unlink(call.instance, call.disk));
  TRY(TRY(devices(call.disk))->remove(call.instance, call.disk));
  return rpc::Nothing{};
}

Result<rpc::Nothing> StorageCalls::rename(rpc::BlockdevRename const& call) {
  auto* const disks = TRY(devices(call.disk));
  if (disks != TRY(devices(call.new_disk))) {
    return fail(ErrorCode::WrongInput, "Disk {} of {} would become one of another template",
                call.disk.index, call.instance);
  }
  for (auto const* owner : {&call.owner, &call.new_owner}) {
    // Nobody has no guest and no links.
    if (owner->empty()) continue;
    auto const& disk = owner == &call.owner ? call.disk : call.new_disk;
    TRY(check_instance_name(*owner));
    TRY(refuse_while_running(*owner, disk));
    TRY(unlink(*owner, disk));
  }
  TRY(disks->rename(call));
  return rpc::Nothing{};
}

Result<rpc::Nothing> StorageCalls::convert(rpc::BlockdevConvert const& call,
                                           rpc::Progress const& progress) {
  TRY(check_instance_name(call.instance));
  DiskCopy copy;
  for (auto const& [disk, path] : {std::pair{&call.disk, &copy.from}, {&call.new_disk, &copy.to}}) {
    TRY(refuse_while_running(call.instance, *disk));
    *path = TRY(TRY(devices(*disk))->assemble(call.instance, *disk, call.epoch));
  }
  TRY(copy_disk(copy, progress));
  return rpc::Nothing{};
}

Result<void> StorageCalls::check_wiped(std::string const& instance,
                                       rpc::DiskSpec const& disk) const {
  return TRY(devices(disk))->check_wiped(instance, disk);
}

Result<std::string> StorageCalls::snapshot_path(std::string const& instance,
                                                rpc::DiskSpec const& disk) const {
  return TRY(devices(disk))->snapshot_path(instance, disk);
}

Result<std::vector<std::string>> StorageCalls::copied_paths(rpc::InstanceSpec const& spec,
                                                            bool from_snapshot) const {
  TRY(check_instance_name(spec.name));
  // A disk has one writer, and that would be its guest.
  if (!from_snapshot && hypervisors_.is_running(spec.name)) {
    return fail(ErrorCode::WrongState, "Instance {} is running on this node", spec.name);
  }
  std::vector<std::string> paths;
  for (auto const& disk : spec.disks) {
    paths.push_back(from_snapshot ? TRY(snapshot_path(spec.name, disk))
                                  : TRY(fenced_link(spec.name, disk, spec.epoch)));
  }
  return paths;
}

Result<rpc::BlockdevFound> StorageCalls::find(rpc::BlockdevFind const& call) const {
  rpc::BlockdevFound found;
  for (auto const& disk : call.disks) {
    auto const known = TRY(TRY(devices(disk))->find(call.instance, disk));
    auto& place = found.devices.emplace_back();
    if (!known) continue;
    place = TRY(device_path(call.instance, disk, known->path));
    place->size = own_size(place->size, known->unwiped);
    if (known->unwiped) place->unwiped = round_up(*known->unwiped);
  }
  return found;
}

Result<void> check_instance_name(std::string_view instance) {
  if (is_path_component(instance) && instance.size() <= model::host_name_bytes_max) return {};
  return fail(ErrorCode::WrongInput, "'{}' is no name of an instance", instance);
}

Result<rpc::DiskFileList> disk_files(std::string const& directory) {
  if (!directory.starts_with('/')) {
    return fail(ErrorCode::WrongInput, "'{}' is not an absolute path", directory);
  }
  rpc::DiskFileList list;
  std::error_code error;
  auto place = std::filesystem::recursive_directory_iterator(directory, error);
  for (; !error && place != std::filesystem::recursive_directory_iterator();
       place.increment(error)) {
    std::error_code unreadable;
    auto const name = place->path().filename().string();
    auto const is_disk = name.find(".file.disk") != std::string::npos ||
                         name.find(".sharedfile.disk") != std::string::npos;
    if (!is_disk || place->path().extension() == ".flotte" || !place->is_regular_file(unreadable) ||
        place->is_symlink(unreadable)) {
      continue;
    }
    Bytes const size{static_cast<std::int64_t>(place->file_size(unreadable))};
    if (!unreadable) list.files.push_back({place->path().string(), round_up(size)});
    if (list.files.size() >= files_listed_max) break;
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", directory, error.message());
  }
  std::ranges::sort(list.files, {}, &rpc::DiskFile::path);
  return list;
}

}  // namespace flotte::node
