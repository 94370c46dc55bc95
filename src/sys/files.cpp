#include "sys/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "sys/deeds.h"

namespace flotte::sys {
namespace {

Failure failed(std::string_view what, std::string_view path) {
  auto const code =
      errno == ENOSPC ? ErrorCode::InsufficientResources : ErrorCode::EnvironmentError;
  return fail(code, "{} {}: {}", what, path, std::strerror(errno));
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    auto const written = write(fd, content);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Always the same name, so that the next write takes away what a killed one left.
std::string temporary_of(std::string const& path) {
  return path + ".new";
}

// Nothing is done to what isn't there.
bool forget(std::string const& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT || errno == ENOTDIR;
  return unlink(path) == 0 || errno == ENOENT;
}

Result<void> sync_directory_of(std::string const& path) {
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

}  // namespace

Result<std::string> read_file(std::string const& path, std::size_t bytes_max) {
  int const fd = open_to_read(path);
  if (fd < 0 && errno == EMEDIUMTYPE) {
    return fail(ErrorCode::EnvironmentError, "Can't read {}: it is no regular file", path);
  }
  if (fd < 0) return failed("Can't read", path);
  std::string content;
  std::array<char, 16384> buffer{};
  for (;;) {
    auto const got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      ::close(fd);
      return failed("Can't read", path);
    }
    if (got == 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > bytes_max) {
      ::close(fd);
      return fail(ErrorCode::EnvironmentError, "{} is larger than {} bytes", path, bytes_max);
    }
  }
  ::close(fd);
  return content;
}

Result<void> write_file(std::string const& path, std::string_view content, mode_t mode) {
  constexpr auto unchanged = static_cast<uid_t>(-1);
  return write_file(path, content, mode, unchanged, unchanged);
}

Result<void> write_file(std::string const& path, std::string_view content, mode_t mode, uid_t owner,
                        gid_t group) {
  auto const temporary = temporary_of(path);
  if (!forget(temporary)) return failed("Can't remove", temporary);
  int const fd = create_file(temporary, 0600);
  if (fd < 0) return failed("Can't write", path);
  auto const is_owned_by_us = owner == static_cast<uid_t>(-1) && group == static_cast<gid_t>(-1);
  bool const written = (is_owned_by_us || fchown(fd, owner, group) == 0) && fchmod(fd, mode) == 0 &&
                       write_all(fd, content) && ::fsync(fd) == 0;
  auto const reason = errno;
  ::close(fd);
  if (!written || rename(temporary, path) != 0) {
    if (!written) errno = reason;
    auto failure = failed("Can't write", path);
    unlink(temporary);
    return failure;
  }
  return sync_directory_of(path);
}

Result<void> write_in_place(std::string const& path, std::string_view content) {
  int const fd = open_to_write(path);
  if (fd < 0) return failed("Can't write", path);
  bool const written = write_all(fd, content);
  auto const reason = errno;
  ::close(fd);
  errno = reason;
  return written ? Result<void>() : failed("Can't write", path);
}

Result<void> remove_file(std::string const& path) {
  for (auto const& file : {temporary_of(path), path}) {
    if (!forget(file)) return failed("Can't remove", file);
  }
  return {};
}

Result<void> move_file(std::string const& from, std::string const& to) {
  if (rename(from, to) != 0) return failed("Can't move " + from + " to", to);
  TRY(sync_directory_of(to));
  return sync_directory_of(from);
}

Result<void> write_link(std::string const& path, std::string const& target) {
  auto const temporary = temporary_of(path);
  if (!forget(temporary)) return failed("Can't remove", temporary);
  if (symlink(target, temporary) == 0 && rename(temporary, path) == 0) return {};
  return failed("Can't make", path);
}

Result<void> make_directories(std::string const& path, mode_t mode) {
  if (exists(path)) return {};
  constexpr mode_t parent_mode = 0777;
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    auto const parent = path.substr(0, slash);
    if (!exists(parent) && mkdir(parent, parent_mode) != 0 && errno != EEXIST) {
      return failed("Can't make the directory", parent);
    }
  }
  if (mkdir(path, mode) != 0 && errno != EEXIST) return failed("Can't make the directory", path);
  return {};
}

Result<void> remove_directory(std::string const& path) {
  for (auto const& name : names_in(path)) TRY(remove_file(path + "/" + name));
  if (rmdir(path) == 0 || errno == ENOENT) return {};
  return failed("Can't remove", path);
}

Result<void> remove_tree(std::string const& path) {
  struct stat now{};
  if (::lstat(path.c_str(), &now) != 0 || !S_ISDIR(now.st_mode)) return remove_file(path);
  if (is_mounted(path)) {
    return fail(ErrorCode::EnvironmentError, "Can't remove {}: something is mounted there", path);
  }
  for (auto const& name : names_in(path)) TRY(remove_tree(path + "/" + name));
  if (rmdir(path) == 0 || errno == ENOENT) return {};
  return failed("Can't remove", path);
}

Result<void> sync_directory(std::string const& path) {
  int const fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed("Can't open", path);
  bool const synced = ::fsync(fd) == 0;
  auto const reason = errno;
  ::close(fd);
  errno = reason;
  return synced ? Result<void>() : failed("Can't sync", path);
}

Result<LogFile> LogFile::open(std::string const& path, mode_t mode) {
  LogFile file(open_to_append(path, mode));
  // The mode is exact, whatever the umask.
  if (file.fd_ < 0 || fchmod(file.fd_, mode) != 0) return failed("Can't write", path);
  return file;
}

LogFile::LogFile(LogFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), added_(other.added_) {}

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

void LogFile::add(std::string_view line) {
  if (added_ > bytes_max) return;
  added_ += line.size() + 1;
  write_all(fd_, added_ > bytes_max ? "(There was more, which is not kept.)\n"
                                    : std::string(line) + "\n");
}

bool exists(std::string const& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool is_directory(std::string const& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_mounted(std::string const& path) {
  struct statx now{};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &now) == 0 &&
         (now.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::vector<std::string> names_in(std::string const& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string identity(std::string const& path) {
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0) return path;
  return fmt::format("{} {}:{} {}.{}", path, seen.st_dev, seen.st_ino, seen.st_mtim.tv_sec,
                     seen.st_mtim.tv_nsec);
}

Result<FileSystemSpace> file_system_space(std::string const& path) {
  struct statvfs space{};
  if (::statvfs(path.c_str(), &space) != 0) return failed("Can't look at the file system of", path);
  auto const mib = [&](auto blocks) {
    return round_down({static_cast<std::int64_t>(blocks * space.f_frsize)});
  };
  return FileSystemSpace{mib(space.f_blocks), mib(space.f_bavail)};
}

}  // namespace flotte::sys
