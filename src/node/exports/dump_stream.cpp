#include "node/exports/dump_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "node/storage/checksum.h"
#include "node/storage/disk_io.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

constexpr int poll_ms = 100;

// Whether it can be read or written; waits a little.
bool is_ready(int fd, short events) {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, poll_ms) > 0;
}

// As much as there is room for; less only at the end.
Result<std::size_t> read_whole(int from, char* place, std::size_t room, std::string_view said) {
  std::size_t done = 0;
  while (done < room) {
    auto const got = ::read(from, place + done, room - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", said, errno_text());
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

Result<std::unique_ptr<DumpWriter>> DumpWriter::start(std::string path) {
  auto pipe = TRY(sys::Pipe::open());
  sys::Fd file(sys::open_to_write(path));
  if (file.get() < 0) return cant("write", path);
  return std::unique_ptr<DumpWriter>(
      new DumpWriter(std::move(path), std::move(file), std::move(pipe)));
}

DumpWriter::DumpWriter(std::string path, sys::Fd file, sys::Pipe pipe)
    : path_(std::move(path)), file_(std::move(file)), pipe_(std::move(pipe)), thread_([this] {
        result_ = run();
        has_failed_ = !*result_;
        // Whoever writes is told by the pipe that nobody reads.
        pipe_.read.close();
      }) {}

DumpWriter::~DumpWriter() {
  if (thread_.joinable()) std::ignore = finish();
}

Result<rpc::Dump> DumpWriter::finish() {
  pipe_.write.close();
  has_script_ended_ = true;
  thread_.join();
  return *result_;
}

// The end is when nobody can write any more. Whoever the script left behind could for ever: of that
// what is in the pipe by then is all.
Result<std::size_t> DumpWriter::read_piece(char* place, std::size_t room) {
  std::size_t done = 0;
  while (done < room) {
    auto const was_last = has_script_ended_.load();
    if (!is_ready(pipe_.read.get(), POLLIN)) {
      if (was_last) break;
      continue;
    }
    auto const got = ::read(pipe_.read.get(), place + done,
                            std::min(room - done, was_last ? left_at_end_ : room));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorCode::EnvironmentError, "Can't read what the script says: {}", errno_text());
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
    if (!was_last) continue;
    left_at_end_ -= static_cast<std::size_t>(got);
    if (left_at_end_ == 0) break;
  }
  return done;
}

Result<rpc::Dump> DumpWriter::run() {
  PieceChecksum checksum;
  std::string piece(static_cast<std::size_t>(piece_bytes), '\0');
  off_t at = 0;
  for (;;) {
    auto const got = TRY(read_piece(piece.data(), piece.size()));
    std::string_view const content(piece.data(), got);
    checksum.add(at, content);
    if (!is_zeros(content)) TRY(write_at(file_.get(), content, at, path_));
    at += static_cast<off_t>(got);
    bytes_ = at;
    if (got < piece.size()) break;
  }
  if (sys::ftruncate(file_.get(), at) != 0 || ::fsync(file_.get()) != 0) {
    return cant("write", path_);
  }
  return rpc::Dump{.size = {at}, .checksum = checksum.of(at)};
}

Result<std::unique_ptr<DumpReader>> DumpReader::start(std::string said, sys::Fd file) {
  auto pipe = TRY(sys::Pipe::open());
  // Who reads nothing must not be waited for.
  TRY(sys::make_nonblocking(pipe.write));
  return std::unique_ptr<DumpReader>(
      new DumpReader(std::move(said), std::move(file), std::move(pipe)));
}

DumpReader::DumpReader(std::string said, sys::Fd file, sys::Pipe pipe)
    : said_(std::move(said)), file_(std::move(file)), pipe_(std::move(pipe)), thread_([this] {
        result_ = run();
        pipe_.write.close();
      }) {}

DumpReader::~DumpReader() {
  is_given_up_ = true;
  if (thread_.joinable()) std::ignore = finish();
}

Result<rpc::Dump> DumpReader::finish() {
  pipe_.read.close();
  has_script_ended_ = true;
  thread_.join();
  return *result_;
}

Result<rpc::Dump> DumpReader::run() {
  PieceChecksum checksum;
  std::string piece(static_cast<std::size_t>(piece_bytes), '\0');
  off_t at = 0;
  bool is_read = true;  // by the script
  while (!is_given_up_) {
    auto const got = TRY(read_whole(file_.get(), piece.data(), piece.size(), said_));
    std::string_view content(piece.data(), got);
    checksum.add(at, content);
    at += static_cast<off_t>(got);
    auto const is_last = got < piece.size();
    while (is_read && !content.empty()) {
      is_read = !has_script_ended_;
      if (!is_read || !is_ready(pipe_.write.get(), POLLOUT)) continue;
      auto const count = sys::write(pipe_.write.get(), content);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) is_read = false;
      if (is_read) content.remove_prefix(static_cast<std::size_t>(count));
    }
    bytes_ = at;
    if (is_last) break;
  }
  return rpc::Dump{.size = {at}, .checksum = checksum.of(at)};
}

}  // namespace flotte::node
