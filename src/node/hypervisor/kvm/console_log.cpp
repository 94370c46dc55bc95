#include "node/hypervisor/kvm/console_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr mode_t root_only = 0600;
constexpr std::int64_t block_bytes = 512;  // the unit of st_blocks

Failure failed(std::string_view what, std::string const& path) {
  return fail(ErrorCode::EnvironmentError, "{} {}: {}", what, path, std::strerror(errno));
}

// Without the beginning that was given back.
Result<std::string> end_of(std::string const& path, off_t size) {
  int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return failed("Can't read", path);
  std::string end(static_cast<std::size_t>(console_bytes_kept), 0);
  auto const got = ::pread(fd, end.data(), end.size(), size - console_bytes_kept);
  ::close(fd);
  if (got < 0) return failed("Can't read", path);
  end.resize(static_cast<std::size_t>(got));
  return end;
}

// The last life's, where somebody looks for the cause of a guest's end.
Result<void> set_aside(std::string const& path) {
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0 || seen.st_size == 0) return {};
  auto const aside = path + ".old";
  if (seen.st_size > console_bytes_kept) {
    return sys::write_file(aside, TRY(end_of(path, seen.st_size)), root_only);
  }
  if (sys::rename(path, aside) != 0) return failed("Can't rename", path);
  return {};
}

}  // namespace

Result<void> begin_console_log(std::string const& path) {
  TRY(set_aside(path));
  // Another file, not the same one emptied: who still looks at the last life must not mix it up.
  TRY(sys::remove_file(path));
  int const fd = sys::create_file(path, root_only);
  if (fd < 0) return failed("Can't create", path);
  ::close(fd);
  return {};
}

void bound_console_log(std::string const& path) {
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0) return;
  if (seen.st_blocks * block_bytes <= console_bytes_max) return;
  int const fd = sys::open_to_write(path);
  if (fd < 0) return;
  // Where a file system can't, all of it goes: QEMU appends, wherever the end is.
  if (seen.st_size <= console_bytes_kept ||
      sys::punch_beginning(fd, seen.st_size - console_bytes_kept) != 0) {
    log::warning("{} can only be emptied, not shortened", path);
    sys::ftruncate(fd, 0);
  }
  ::close(fd);
}

}  // namespace flotte::node
