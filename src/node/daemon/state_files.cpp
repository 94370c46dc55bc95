#include "node/daemon/state_files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/paths.h"
#include "sys/deeds.h"
#include "sys/files.h"

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
  OpenFile const file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
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
  return sys::write_file(path, contents, mode, owner.uid, owner.gid);
}

Result<void> remove_state_file(std::string const& path) {
  return sys::remove_file(path);
}

Result<void> ensure_file(std::string const& path, mode_t mode, Owner owner) {
  if (sys::exists(path)) return {};
  OpenFile const file(sys::open_to_append(path, mode));
  if (!file.is_open()) return failed("make", path);
  if (sys::fchown(file.number(), owner.uid, owner.gid) == 0) return {};
  return failed("change owner of", path);
}

Result<void> ensure_directory(std::string const& path, mode_t mode, Owner owner) {
  constexpr mode_t parent_mode = 0755;
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    auto const parent = path.substr(0, slash);
    if (!sys::exists(parent) && sys::mkdir(parent, parent_mode) != 0 && errno != EEXIST) {
      return failed("make directory", parent);
    }
  }
  if (!sys::exists(path) && sys::mkdir(path, 0700) != 0 && errno != EEXIST) {
    return failed("make directory", path);
  }
  // Through the descriptor, so that a link put in its place can't be followed.
  OpenFile const directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.is_open()) return failed("open directory", path);
  struct stat now{};
  if (::fstat(directory.number(), &now) != 0) return failed("look at", path);
  if ((now.st_uid != owner.uid || now.st_gid != owner.gid) &&
      sys::fchown(directory.number(), owner.uid, owner.gid) != 0) {
    return failed("change owner of", path);
  }
  constexpr mode_t mode_bits = 07777;
  if ((now.st_mode & mode_bits) != mode && sys::fchmod(directory.number(), mode) != 0) {
    return failed("change mode of", path);
  }
  return {};
}

}  // namespace flotte::node
