#include "sys/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

namespace flotte::sys {
namespace {

Failure failed(std::string_view what, std::string_view path) {
  auto const code =
      errno == ENOSPC ? ErrorCode::InsufficientResources : ErrorCode::EnvironmentError;
  return fail(code, "{} {}: {}", what, path, std::strerror(errno));
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    auto const written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::string> read_file(std::string const& path, std::size_t bytes_max) {
  int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
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
  auto temporary = path + ".XXXXXX";
  int const fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return failed("Can't write", path);
  bool const written = ::fchmod(fd, mode) == 0 && write_all(fd, content) && ::fsync(fd) == 0;
  auto const reason = errno;
  ::close(fd);
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    if (!written) errno = reason;
    auto failure = failed("Can't write", path);
    ::unlink(temporary.c_str());
    return failure;
  }
  auto const directory = std::filesystem::path(path).parent_path().string();
  if (int const parent = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      parent >= 0) {
    ::fsync(parent);
    ::close(parent);
  }
  return {};
}

Result<void> make_directories(std::string const& path, mode_t mode) {
  if (exists(path)) return {};
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return failed("Can't make the directory", path);
  }
  return {};
}

bool exists(std::string const& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<FileSystemSpace> file_system_space(std::string const& path) {
  struct statvfs space{};
  if (::statvfs(path.c_str(), &space) != 0) return failed("Can't look at the file system of", path);
  auto const mib = [&](auto blocks) {
    return MiB{static_cast<std::int64_t>(blocks * space.f_frsize / (1024 * 1024))};
  };
  return FileSystemSpace{mib(space.f_blocks), mib(space.f_bavail)};
}

}  // namespace flotte::sys
