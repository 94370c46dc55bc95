#include "node/daemon/state_files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/paths.h"

namespace flotte::node {
namespace {

class OpenFile {
 public:
  explicit OpenFile(int number) : number_(number) {}
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  OpenFile(OpenFile const&) = delete;
  OpenFile& operator=(OpenFile const&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

Failure failed(std::string_view doing, std::string const& path) {
  auto const text = std::generic_category().message(errno);
  return fail(ErrorCode::EnvironmentError, "Can't {} {}: {}", doing, path, text);
}

std::string directory_of(std::string const& path) {
  auto const slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_all(int file, std::string_view contents, std::string const& path) {
  while (!contents.empty()) {
    auto const written = ::write(file, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> sync_directory(std::string const& path) {
  OpenFile const directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open() || ::fsync(directory.number()) != 0) return failed("sync", path);
  return {};
}

Result<void> fill_temporary(std::string const& path, std::string_view contents, mode_t mode,
                            Owner owner) {
  // A leftover of a crash.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path);
  OpenFile const file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return failed("create", path);
  if (::fchown(file.number(), owner.uid, owner.gid) != 0) return failed("change owner of", path);
  if (::fchmod(file.number(), mode) != 0) return failed("change mode of", path);
  TRY(write_all(file.number(), contents, path));
  if (::fsync(file.number()) != 0) return failed("sync", path);
  return {};
}

}  // namespace

Owner Owner::self() {
  return {::geteuid(), ::getegid()};
}

Owner Owner::controller() {
  if (::geteuid() != 0) return self();
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16 * 1024, '\0');
  auto const name = std::string(flotte_user);
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
    return self();
  }
  return {entry.pw_uid, entry.pw_gid};
}

Result<std::optional<std::string>> read_state_file(std::string const& path) {
  OpenFile const file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return failed("open", path);
  }
  std::string contents;
  char chunk[4096];
  for (;;) {
    auto const count = ::read(file.number(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", path);
    if (count == 0) return std::optional(std::move(contents));
    contents.append(chunk, static_cast<std::size_t>(count));
    if (contents.size() > state_file_bytes_max) {
      return fail(ErrorCode::EnvironmentError, "{} is larger than {} bytes", path,
                  state_file_bytes_max);
    }
  }
}

Result<void> write_state_file(std::string const& path, std::string_view contents, mode_t mode,
                              Owner owner) {
  auto const temporary = path + ".new";
  if (auto const filled = fill_temporary(temporary, contents, mode, owner); !filled) {
    ::unlink(temporary.c_str());
    return filled;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    auto const failure = failed("replace", path);
    ::unlink(temporary.c_str());
    return failure;
  }
  return sync_directory(directory_of(path));
}

Result<void> remove_state_file(std::string const& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return failed("remove", path);
}

Result<void> ensure_directory(std::string const& path, mode_t mode, Owner owner) {
  constexpr mode_t parent_mode = 0755;
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    auto const parent = path.substr(0, slash);
    if (::mkdir(parent.c_str(), parent_mode) != 0 && errno != EEXIST) {
      return failed("make directory", parent);
    }
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("make directory", path);
  // Through the descriptor, so that a link put in its place can't be followed.
  OpenFile const directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.is_open()) return failed("open directory", path);
  struct stat now{};
  if (::fstat(directory.number(), &now) != 0) return failed("look at", path);
  if ((now.st_uid != owner.uid || now.st_gid != owner.gid) &&
      ::fchown(directory.number(), owner.uid, owner.gid) != 0) {
    return failed("change owner of", path);
  }
  constexpr mode_t mode_bits = 07777;
  if ((now.st_mode & mode_bits) != mode && ::fchmod(directory.number(), mode) != 0) {
    return failed("change mode of", path);
  }
  return {};
}

}  // namespace flotte::node
