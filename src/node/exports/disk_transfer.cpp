#include "node/exports/disk_transfer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "net/certificates.h"
#include "node/storage/checksum.h"
#include "node/storage/disk_io.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

constexpr std::string_view our_magic = "flotte-";
constexpr std::string_view stored = "stored ";
constexpr std::size_t magic_bytes = 20;
// Ganeti's programs end when they have read all. One that takes longer has other reasons.
constexpr std::chrono::seconds goodbye_max{60};

class StreamOutlet final : public Outlet {
 public:
  StreamOutlet(net::PeerStream& stream, net::GoesOn goes_on)
      : stream_(stream), goes_on_(std::move(goes_on)) {}
  Result<void> write(std::string_view bytes) override { return stream_.write(bytes, goes_on_); }
  Result<void> finish() override {
    stream_.end_writing();
    return {};
  }

 private:
  net::PeerStream& stream_;
  net::GoesOn goes_on_;
};

class StreamInlet final : public Inlet {
 public:
  StreamInlet(net::PeerStream& stream, net::GoesOn goes_on)
      : stream_(stream), goes_on_(std::move(goes_on)) {}
  Result<std::size_t> read(std::span<char> room) override { return stream_.read(room, goes_on_); }

 private:
  net::PeerStream& stream_;
  net::GoesOn goes_on_;
};

// Less only at the end.
Result<std::size_t> fill(Inlet& from, std::span<char> room) {
  std::size_t done = 0;
  while (done < room.size()) {
    auto const count = TRY(from.read(room.subspan(done)));
    if (count == 0) break;
    done += count;
  }
  return done;
}

std::int64_t size_of(StreamedDisk const& disk) {
  return to_bytes(disk.disk().disk.size).value;
}

// --- As it is

bool is_file(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// Whether there may be anything but zeros in the piece. Only files know their holes.
bool has_data(int fd, off_t at, off_t end) {
  auto const found = ::lseek(fd, at, SEEK_DATA);
  return found < 0 ? errno != ENXIO : found < end;
}

Result<std::int64_t> send_content(StreamedDisk const& from, Outlet& to,
                                  StreamWatcher const& watcher) {
  sys::Fd const file(sys::open_to_read(from.path()));
  if (file.get() < 0) return cant("read", from.path());
  auto const size = size_of(from);
  auto const knows_holes = is_file(file.get());
  std::string piece;
  for (std::int64_t at = 0; at < size;) {
    auto const length = std::min<std::int64_t>(piece_bytes, size - at);
    piece.assign(static_cast<std::size_t>(length), '\0');
    if (!knows_holes || has_data(file.get(), at, at + length)) {
      TRY(read_at(file.get(), piece, at, from.path()));
    }
    TRY(to.write(piece));
    at += length;
    if (!watcher.is_at(at, size)) return fail(ErrorCode::EnvironmentError, "It was given up");
  }
  return size;
}

// What was there before goes.
Result<void> write_zeros(int fd, bool is_file, std::int64_t from, std::int64_t to,
                         std::string const& path) {
  if (!is_file) return zero_device(fd, from, to, path);
  if (!has_data(fd, from, to)) return {};
  return write_at(fd, std::string(static_cast<std::size_t>(to - from), '\0'), from, path);
}

Result<std::int64_t> receive_content(StreamedDisk const& to, Inlet& from,
                                     StreamWatcher const& watcher) {
  sys::Fd const file(sys::open_to_write(to.path()));
  if (file.get() < 0) return cant("write", to.path());
  auto const size = size_of(to);
  auto const has_holes = is_file(file.get());
  std::string piece(static_cast<std::size_t>(piece_bytes), '\0');
  for (std::int64_t at = 0;;) {
    auto const got = static_cast<std::int64_t>(TRY(fill(from, piece)));
    if (at + got > size) {
      return fail(ErrorCode::WrongInput, "It has {} MiB, and more than that came",
                  to.disk().disk.size.value);
    }
    auto const is_last = got < piece_bytes;
    auto const content = std::string_view(piece).substr(0, static_cast<std::size_t>(got));
    if (got > 0) {
      TRY(is_zeros(content) ? write_zeros(file.get(), has_holes, at, at + got, to.path())
                            : write_at(file.get(), content, at, to.path()));
    }
    at += got;
    if (!watcher.is_at(at, size)) return fail(ErrorCode::EnvironmentError, "It was given up");
    if (!is_last) continue;
    // Where only a part of Ganeti's sender was killed, the stream ends as if it were complete.
    if (at < size) {
      return fail(ErrorCode::EnvironmentError,
                  "It has {} MiB, but only {} bytes came: the source stopped too early, see "
                  "what its job says",
                  to.disk().disk.size.value, at);
    }
    return at;
  }
}

// --- Both

Result<void> sync(std::string const& path) {
  sys::Fd const file(sys::open_to_write(path));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return cant("write", path);
  return {};
}

Result<void> check_magic(Inlet& from, std::string_view magic) {
  auto const expected = fmt::format("M={}", magic);
  std::string said(expected.size(), '\0');
  auto const got = TRY(fill(from, said));
  if (got == said.size() && said == expected) return {};
  return fail(ErrorCode::WrongInput,
              "Magic value mismatch: it is not the disk that was waited for");
}

// What the other side says once it has everything.
Result<void> hear_stored(net::PeerStream& stream, std::int64_t bytes, net::GoesOn const& goes_on) {
  std::string said;
  std::array<char, 64> room{};
  for (;;) {
    auto const count = TRY(stream.read(room, goes_on));
    if (count == 0 || said.size() > room.size()) break;
    said.append(room.data(), count);
  }
  if (said == fmt::format("{}{}\n", stored, bytes)) return {};
  return fail(ErrorCode::EnvironmentError,
              "The destination did not say that it has all {} bytes on its disk: see what its job "
              "says",
              bytes);
}

// What is small was written also to one who refused it, or broke off.
Result<void> hear_goodbye(net::PeerStream& stream, net::GoesOn const& goes_on) {
  auto const until = std::chrono::steady_clock::now() + goodbye_max;
  std::array<char, 64> room{};
  auto const in_time = [&] { return goes_on() && std::chrono::steady_clock::now() < until; };
  for (;;) {
    auto const count = stream.read(room, in_time);
    if (count && *count > 0) continue;
    if (count || !in_time()) return {};
    return fail(ErrorCode::EnvironmentError,
                "The destination did not take all of it: see what its job says ({})",
                count.error().message);
  }
}

}  // namespace

std::string new_magic(Random& random) {
  return fmt::format("{}{}", our_magic, net::random_secret(random, magic_bytes));
}

Result<std::int64_t> send_disk(DiskTransfer const& transfer, OsDefinitions& os,
                               Compressors const& compressors, net::PeerStream& stream,
                               StreamWatcher const& watcher, net::GoesOn const& goes_on) {
  auto const outlet = TRY(compressed(compressors, transfer.compress,
                                     std::make_unique<StreamOutlet>(stream, goes_on), goes_on));
  TRY(outlet->write(fmt::format("M={}", transfer.magic)));
  auto const& disk = transfer.disk;
  auto const take = [&](std::int64_t, std::string_view piece) { return outlet->write(piece); };
  auto const sent = disk.instance.os.empty() ? TRY(send_content(disk, *outlet, watcher))
                                             : TRY(run_export_script(os, disk, take, watcher));
  TRY(outlet->finish());
  if (transfer.magic.starts_with(our_magic)) {
    TRY(hear_stored(stream, sent, goes_on));
  } else {
    TRY(hear_goodbye(stream, goes_on));
  }
  return sent;
}

Result<void> receive_disk(DiskTransfer const& transfer, OsDefinitions& os,
                          Compressors const& compressors, net::PeerStream& stream,
                          StreamWatcher const& watcher, net::GoesOn const& goes_on) {
  auto const inlet = TRY(decompressed(compressors, transfer.compress,
                                      std::make_unique<StreamInlet>(stream, goes_on), goes_on));
  TRY(check_magic(*inlet, transfer.magic));
  auto const& disk = transfer.disk;
  auto const give = [&](std::span<char> room) { return fill(*inlet, room); };
  constexpr std::int64_t nobody_knows = 0;
  auto const received = disk.instance.os.empty()
                            ? TRY(receive_content(disk, *inlet, watcher))
                            : TRY(run_import_script(os, disk, give, nobody_knows, watcher));
  TRY(sync(disk.path()));
  // Ganeti's does not listen any more.
  std::ignore = stream.write(fmt::format("{}{}\n", stored, received), goes_on);
  stream.end_writing();
  return {};
}

}  // namespace flotte::node
