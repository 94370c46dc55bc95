// Disks of the templates file and sharedfile: sparse files, whose owner and epoch, and from where
// on they are to be wiped, stand beside them in <disk>.flotte.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <tuple>

#include "node/storage/block_device.h"
#include "node/storage/zeros.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr mode_t disk_mode = 0600;
constexpr mode_t directory_mode = 0750;

class FileDevices final : public BlockDevices {
 public:
  explicit FileDevices(Paths paths) : paths_(std::move(paths)) {}

  Result<void> create(rpc::BlockdevCreate const& call) override {
    return make_disk(call.disk, {.owner = call.instance});
  }
  Result<void> create_unwiped(rpc::BlockdevCreateUnwiped const& call) override {
    return make_disk(call.disk, {.owner = call.instance, .unwiped = Bytes{0}});
  }

  Result<void> adopt(rpc::BlockdevAdopt const& call) override { return no_adoption(call.disk); }
  Result<void> release(rpc::BlockdevRelease const& call) override { return no_adoption(call.disk); }

  Result<void> remove(std::string const& instance, rpc::DiskSpec const& disk) override {
    auto const path = TRY(path_of(disk));
    if (sys::exists(path)) TRY(check_owner(instance, path));
    for (auto const& file : {path, mark_of(path)}) TRY(sys::remove_file(file));
    remove_directory(directory_of(path));
    return {};
  }

  // Where it is found tells how far it got: the new mark is there before the file moves, the old
  // one goes when it has moved.
  Result<void> rename(rpc::BlockdevRename const& call) override {
    auto const from = TRY(path_of(call.disk));
    auto const to = TRY(path_of(call.new_disk));
    auto const has_moved = sys::exists(to);
    auto const path = has_moved ? to : from;
    auto const is_missing = !sys::exists(path);
    if (is_missing && call.is_undo) return from == to ? Result<void>() : forget(call.owner, from);
    if (is_missing) {
      return fail(ErrorCode::EnvironmentError, "Disk {} is missing: there is no file {}",
                  call.disk.index, from);
    }
    if (has_moved && from != to && sys::exists(from)) {
      if (call.is_undo) return {};
      return fail(ErrorCode::AlreadyExists, "File {} already exists and is not this disk", to);
    }
    auto mark = mark_at(path);
    if (mark.owner != call.owner) TRY(check_owner(call.new_owner, path));
    auto const size = TRY(size_of(path));
    if (!call.is_undo && round_up(size) < call.disk.disk.size) {
      return fail(ErrorCode::WrongState, "File {} has {} bytes, less than the {} MiB of the disk",
                  path, size.value, call.disk.disk.size.value);
    }
    auto const directory = directory_of(to);
    TRY(sys::make_directories(directory, directory_mode));
    // What is as it should be stays so also where there is no room: what undoes what was never done
    // succeeds.
    auto const is_marked = path == to && mark.owner == call.new_owner && mark.epoch == call.epoch;
    mark.owner = call.new_owner;
    mark.epoch = call.epoch;
    if (!is_marked) TRY(write(mark, to));
    if (from == to) return {};
    if (!has_moved) TRY(sys::move_file(from, to));
    TRY(sys::remove_file(mark_of(from)));
    remove_directory(directory_of(from));
    return {};
  }

  Result<void> grow(rpc::BlockdevGrow const& call) override {
    auto const path = TRY(path_of(call.disk));
    if (call.is_undo && !sys::exists(path)) return {};
    if (sys::exists(path)) TRY(check_owner(call.instance, path));
    TRY(take_back(call.instance, call.disk, path));
    return extend(path, call.size);
  }

  Result<void> grow_unwiped(rpc::BlockdevGrowUnwiped const& call) override {
    auto const path = TRY(path_of(call.disk));
    if (sys::exists(path)) TRY(check_owner(call.instance, path));
    auto const size = TRY(size_of(path));
    if (auto mark = mark_at(path); !mark.unwiped && size < to_bytes(call.size)) {
      mark.unwiped = size;
      TRY(write(mark, path));
    }
    return extend(path, call.size);
  }

  // New space of a file has nothing of anybody; wiping it makes sure that there is room.
  Result<void> wipe(rpc::BlockdevWipe const& call, rpc::Progress const& progress) override {
    auto const path = TRY(path_of(call.disk));
    if (!sys::exists(path)) return missing(call.instance, call.disk, path);
    TRY(check_owner(call.instance, path));
    if (auto const size = round_up(TRY(size_of(path))); size < call.disk.disk.size) {
      return too_small(call.instance, call.disk, size);
    }
    auto mark = mark_at(path);
    if (!mark.unwiped) return {};
    TRY(fill_with_zeros(path, *mark.unwiped, progress));
    mark.unwiped.reset();
    return write(mark, path);
  }

  Result<void> check_wiped(std::string const& instance, rpc::DiskSpec const& disk) override {
    auto const path = TRY(path_of(disk));
    if (!sys::exists(path)) return missing(instance, disk, path);
    TRY(check_kind(path));
    TRY(check_owner(instance, path));
    return mark_at(path).unwiped ? Result<void>(not_wiped(instance, disk)) : Result<void>();
  }

  Result<std::string> assemble(std::string const& instance, rpc::DiskSpec const& disk,
                               std::int64_t epoch) override {
    auto const path = TRY(path_of(disk));
    if (!sys::exists(path)) return missing(instance, disk, path);
    TRY(check_kind(path));
    TRY(check_owner(instance, path));
    auto const known = mark_at(path).epoch;
    if (epoch < known) {
      return fail(ErrorCode::WrongState,
                  "Disk {} of {} was started later, at epoch {}; epoch {} may not have it",
                  disk.index, instance, known, epoch);
    }
    TRY(take_back(instance, disk, path));
    auto mark = mark_at(path);
    if (epoch > mark.epoch) {
      mark.epoch = epoch;
      TRY(write(mark, path));
    }
    return path;
  }

  Result<void> snapshot(rpc::BlockdevSnapshot const& call) override {
    return no_snapshots(call.disk);
  }
  Result<void> remove_snapshot(rpc::BlockdevSnapshotRemove const& /*call*/) override { return {}; }
  Result<std::string> snapshot_path(std::string const& /*instance*/,
                                    rpc::DiskSpec const& disk) override {
    TRY(no_snapshots(disk));
    return std::string();
  }

  std::string path(rpc::DiskSpec const& disk) const override {
    return disk.disk.logical_id.empty() ? "" : disk.disk.logical_id.back();
  }

  Result<std::optional<Found>> find(std::string const& instance,
                                    rpc::DiskSpec const& disk) override {
    auto const path = TRY(path_of(disk));
    auto const mark = mark_at(path);
    if (!sys::exists(path) || mark.owner != instance) return std::optional<Found>();
    TRY(check_kind(path));
    return std::optional(Found{path, mark.unwiped});
  }

 private:
  // "instance epoch" on one line; behind them the byte from which on it is to be wiped.
  struct Mark {
    std::string owner;
    std::int64_t epoch = 0;
    std::optional<Bytes> unwiped;
  };

  Result<void> make_disk(rpc::DiskSpec const& disk, Mark const& mark) {
    auto const path = TRY(path_of(disk));
    if (sys::exists(path)) {
      auto const size = TRY(size_of(path));
      auto const is_ours = mark_at(path).owner == mark.owner;
      if (is_ours && size == to_bytes(disk.disk.size)) return {};
      // A daemon that was killed while it made the file got no further.
      if (is_ours && size == Bytes{0}) return set_size(path, disk.disk.size);
      return fail(ErrorCode::AlreadyExists, "File {} already exists and is not this disk", path);
    }
    auto const directory = directory_of(path);
    TRY(sys::make_directories(directory, directory_mode));
    auto const space = TRY(sys::file_system_space(directory));
    if (space.total < disk.disk.size) {
      remove_directory(directory);
      return fail(ErrorCode::InsufficientResources,
                  "A disk of {} MiB does not fit on the file system of {}, which has {} MiB",
                  disk.disk.size.value, directory, space.total.value);
    }
    if (auto made = make(mark, path, disk.disk.size); !made) {
      std::ignore = sys::remove_file(path);
      std::ignore = sys::remove_file(mark_of(path));
      remove_directory(directory);
      return made;
    }
    return {};
  }

  Result<void> extend(std::string const& path, MiB size) {
    if (TRY(size_of(path)) >= to_bytes(size)) return {};
    if (sys::truncate(path, to_bytes(size).value) == 0) return {};
    return fail(errno == EFBIG ? ErrorCode::InsufficientResources : ErrorCode::EnvironmentError,
                "Can't grow {} to {} MiB: {}", path, size.value, std::strerror(errno));
  }

  static Result<void> no_adoption(rpc::DiskSpec const& disk) {
    return fail(ErrorCode::WrongInput, "Disks of the template {} can't be adopted",
                schema::name_of(disk.disk.dev_type));
  }

  static Result<void> no_snapshots(rpc::DiskSpec const& disk) {
    return fail(ErrorCode::WrongInput, "Disks of the template {} have no snapshots",
                schema::name_of(disk.disk.dev_type));
  }

  static std::string directory_of(std::string const& path) {
    return std::filesystem::path(path).parent_path().string();
  }
  static std::string mark_of(std::string const& path) { return path + ".flotte"; }

  Result<std::string> path_of(rpc::DiskSpec const& disk) {
    auto const& id = disk.disk.logical_id;
    if (id.size() != 2 || id[1].empty() || id[1].front() != '/' ||
        id[1].find("/../") != std::string::npos || id[1].ends_with("/..")) {
      return fail(ErrorCode::WrongInput, "Disk {} has no valid file path", disk.index);
    }
    auto const file = paths_.file_storage_paths_file();
    auto const allowed = sys::read_file(file);
    if (!allowed) {
      return fail(ErrorCode::EnvironmentError,
                  "{} does not exist; it must list the directories that file disks may be in, e.g. "
                  "{}",
                  file, std::filesystem::path(id[1]).parent_path().parent_path().string());
    }
    for (auto const& directory : allowed_directories(*allowed)) {
      if (id[1].starts_with(directory + "/")) return id[1];
    }
    return fail(ErrorCode::EnvironmentError,
                "{} is in no directory that {} allows; add the line {}", id[1], file,
                std::filesystem::path(id[1]).parent_path().parent_path().string());
  }

  static std::vector<std::string> allowed_directories(std::string const& text) {
    std::vector<std::string> directories;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      while (!line.empty() && (line.back() == '/' || line.back() == ' ')) line.pop_back();
      if (!line.empty() && line.front() == '/') directories.push_back(line);
    }
    return directories;
  }

  Result<Bytes> size_of(std::string const& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return fail(ErrorCode::EnvironmentError, "{} is no regular file", path);
    }
    return Bytes{status.st_size};
  }

  // Also behind a link: QEMU would open it, whatever it is.
  static Result<void> check_kind(std::string const& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return {};
    return fail(ErrorCode::EnvironmentError, "{} is no regular file", path);
  }

  static Failure missing(std::string const& instance, rpc::DiskSpec const& disk,
                         std::string const& path) {
    return fail(ErrorCode::EnvironmentError, "Disk {} of {} is missing: there is no file {}",
                disk.index, instance, path);
  }

  Result<void> check_owner(std::string const& instance, std::string const& path) {
    auto const owner = mark_at(path).owner;
    if (owner == instance) return {};
    return fail(ErrorCode::WrongState, "File {} belongs to '{}', not to {}", path, owner, instance);
  }

  // What was to be wiped has been seen by nobody, and is nowhere configured.
  Result<void> take_back(std::string const& instance, rpc::DiskSpec const& disk,
                         std::string const& path) {
    auto mark = mark_at(path);
    if (!mark.unwiped) return {};
    if (mark.unwiped->value == 0) return not_wiped(instance, disk);
    if (TRY(size_of(path)) > *mark.unwiped && sys::truncate(path, mark.unwiped->value) != 0) {
      return fail(ErrorCode::EnvironmentError, "Can't make {} as large as it was: {}", path,
                  std::strerror(errno));
    }
    mark.unwiped.reset();
    return write(mark, path);
  }

  static Mark mark_at(std::string const& path) {
    auto const text = sys::read_file(mark_of(path)).value_or("");
    auto const space = std::min(text.find(' '), text.size());
    Mark mark{.owner = text.substr(0, space)};  // nobody's is empty
    std::istringstream numbers(text.substr(space));
    std::int64_t unwiped = 0;
    numbers >> mark.epoch;
    if (numbers >> unwiped) mark.unwiped = Bytes{unwiped};
    return mark;
  }
  static Result<void> write(Mark const& mark, std::string const& path) {
    auto const unwiped = mark.unwiped ? fmt::format(" {}", mark.unwiped->value) : std::string();
    return sys::write_file(mark_of(path), fmt::format("{} {}{}\n", mark.owner, mark.epoch, unwiped),
                           disk_mode);
  }

  // The file is gone; its mark goes, too.
  Result<void> forget(std::string const& instance, std::string const& path) {
    if (mark_at(path).owner != instance) return {};
    TRY(sys::remove_file(mark_of(path)));
    remove_directory(directory_of(path));
    return {};
  }

  Result<void> make(Mark const& mark, std::string const& path, MiB size) {
    // The owner first: a file without one is never taken for ours.
    TRY(write(mark, path));
    int const fd = sys::create_file(path, disk_mode);
    if (fd < 0) {
      return fail(ErrorCode::EnvironmentError, "Can't make {}: {}", path, std::strerror(errno));
    }
    ::close(fd);
    return set_size(path, size);
  }

  Result<void> set_size(std::string const& path, MiB size) {
    int const fd = sys::open_to_write(path);
    auto const sized = fd >= 0 && sys::ftruncate(fd, to_bytes(size).value) == 0 && ::fsync(fd) == 0;
    auto const reason = errno;
    if (fd >= 0) ::close(fd);
    if (sized) return {};
    return fail(ErrorCode::InsufficientResources, "Can't make {} of {} MiB: {}", path, size.value,
                std::strerror(reason));
  }

  // The instance's own directory goes with its last disk. Those of all instances stay.
  void remove_directory(std::string const& directory) {
    auto const allowed =
        allowed_directories(sys::read_file(paths_.file_storage_paths_file()).value_or(""));
    if (std::ranges::find(allowed, directory) == allowed.end()) sys::rmdir(directory);
  }

  Paths paths_;
};

}  // namespace

std::unique_ptr<BlockDevices> make_file_devices(Paths const& paths) {
  return std::make_unique<FileDevices>(paths);
}

}  // namespace flotte::node
