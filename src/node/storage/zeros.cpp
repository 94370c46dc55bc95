#include "node/storage/zeros.h"

#include <unistd.h>

#include <algorithm>

#include "node/storage/disk_io.h"
#include "rpc/wire.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

struct Closer {
  int file;
  ~Closer() { ::close(file); }
};

}  // namespace

Result<void> fill_with_zeros(std::string const& path, Bytes from, rpc::Progress const& progress) {
  int const file = sys::open_to_write(path);
  if (file < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't open {}: {}", path, errno_text());
  }
  Closer const closer{file};
  auto const end = ::lseek(file, 0, SEEK_END);
  auto const piece = to_bytes({1}).value;
  auto const report_bytes = to_bytes({64}).value;
  std::string const zeros(static_cast<std::size_t>(piece), '\0');
  for (auto at = from.value; at < end;) {
    auto const length = std::min(piece - at % piece, end - at);
    TRY(write_at(file, std::string_view(zeros).substr(0, static_cast<std::size_t>(length)), at,
                 path, "wipe"));
    at += length;
    if (at % report_bytes != 0 && at < end) continue;
    auto const fraction =
        static_cast<double>(at - from.value) / static_cast<double>(end - from.value);
    if (progress && !progress(rpc::progress_line("wiping", fraction))) {
      return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError,
                     "The wiping of {} was ended at byte {}", path, at);
    }
  }
  if (::fsync(file) == 0) return {};
  return fail(ErrorCode::EnvironmentError, "Can't wipe {}: {}", path, errno_text());
}

Failure not_wiped(std::string const& instance, rpc::DiskSpec const& disk) {
  return fail(ErrorCode::WrongState,
              "Disk {} of {} is not wiped yet; 'gnt-job list' shows what is to do it, or, where "
              "nothing is, remove the disk and make it anew",
              disk.index, instance);
}

Failure too_small(std::string const& instance, rpc::DiskSpec const& disk, MiB size) {
  return fail(ErrorCode::WrongState,
              "Disk {} of {} has {} MiB instead of {}: what it had grown was given back before it "
              "was wiped; grow it again",
              disk.index, instance, size.value, disk.disk.size.value);
}

}  // namespace flotte::node
