#include "node/storage/disk_io.h"

#include <linux/fs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "sys/deeds.h"

namespace flotte::node {

std::string errno_text() {
  return std::generic_category().message(errno);
}

Failure cant(std::string_view verb, std::string_view path) {
  return fail(errno == ENOSPC ? ErrorCode::InsufficientResources : ErrorCode::EnvironmentError,
              "Can't {} {}: {}", verb, path, errno_text());
}

Result<void> write_at(int file, std::string_view content, off_t at, std::string_view path,
                      std::string_view verb) {
  while (!content.empty()) {
    auto const count = sys::pwrite(file, content, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cant(verb, path);
    content.remove_prefix(static_cast<std::size_t>(count));
    at += count;
  }
  return {};
}

Result<void> read_at(int file, std::span<char> room, off_t at, std::string_view path) {
  while (!room.empty()) {
    auto const count = ::pread(file, room.data(), room.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return fail(ErrorCode::EnvironmentError, "Can't read {} at byte {}: {}", path, at,
                  count < 0 ? errno_text() : "it ends there");
    }
    room = room.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return {};
}

Result<void> zero_device(int device, off_t from, off_t to, std::string_view path) {
  std::array<std::uint64_t, 2> range{static_cast<std::uint64_t>(from),
                                     static_cast<std::uint64_t>(to - from)};
  if (sys::ioctl(device, BLKZEROOUT, range.data(), "BLKZEROOUT") != 0) return cant("write", path);
  return {};
}

Result<std::size_t> read_whole(int file, std::span<char> room, std::string_view said) {
  std::size_t done = 0;
  while (done < room.size()) {
    auto const got = ::read(file, room.data() + done, room.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", said, errno_text());
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace flotte::node
