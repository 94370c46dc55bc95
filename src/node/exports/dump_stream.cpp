#include "node/exports/dump_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <utility>

#include "node/storage/checksum.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

std::string errno_text() {
  return std::generic_category().message(errno);
}

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

Result<StreamPipe> StreamPipe::open(Reading reading) {
  StreamPipe pipe;
  auto const is_open = ::pipe2(pipe.ends_, O_CLOEXEC) == 0;
  if (is_open && (reading == Reading::Waits || ::fcntl(pipe.ends_[0], F_SETFL, O_NONBLOCK) == 0)) {
    return pipe;
  }
  return fail(ErrorCode::EnvironmentError, "Can't make a pipe: {}", errno_text());
}

StreamPipe::StreamPipe(StreamPipe&& other) noexcept {
  for (int i = 0; i < 2; ++i) ends_[i] = std::exchange(other.ends_[i], -1);
}

StreamPipe::~StreamPipe() {
  for (auto& end : ends_) close(end);
}

void StreamPipe::close(int& end) {
  if (end >= 0) ::close(end);
  end = -1;
}

Result<std::unique_ptr<DumpWriter>> DumpWriter::start(std::string path) {
  auto pipe = TRY(StreamPipe::open());
  int const file = sys::open_to_write(path);
  if (file < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't write {}: {}", path, errno_text());
  }
  return std::unique_ptr<DumpWriter>(new DumpWriter(std::move(path), file, std::move(pipe)));
}

DumpWriter::DumpWriter(std::string path, int file, StreamPipe pipe)
    : path_(std::move(path)), file_(file), pipe_(std::move(pipe)), thread_([this] {
        result_ = run();
        has_failed_ = !*result_;
      }) {}

DumpWriter::~DumpWriter() {
  if (thread_.joinable()) std::ignore = finish();
  ::close(file_);
}

Result<rpc::Dump> DumpWriter::finish() {
  pipe_.close_writing_end();
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
    if (!is_ready(pipe_.reading_end(), POLLIN)) {
      if (was_last) break;
      continue;
    }
    auto const got = ::read(pipe_.reading_end(), place + done,
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
  auto const failed = [&] {
    auto const error =
        fail(errno == ENOSPC ? ErrorCode::InsufficientResources : ErrorCode::EnvironmentError,
             "Can't write {}: {}", path_, errno_text());
    // Whoever writes is told by the pipe that nobody reads.
    pipe_.close_reading_end();
    return error;
  };
  for (;;) {
    auto const got = TRY(read_piece(piece.data(), piece.size()));
    std::string_view const content(piece.data(), got);
    checksum.add(at, content);
    for (std::size_t done = 0; done < got && !is_zeros(content);) {
      auto const count = sys::pwrite(file_, content.substr(done), at + static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed();
      done += static_cast<std::size_t>(count);
    }
    at += static_cast<off_t>(got);
    bytes_ = at;
    if (got < piece.size()) break;
  }
  if (sys::ftruncate(file_, at) != 0 || ::fsync(file_) != 0) return failed();
  return rpc::Dump{.size = {at}, .checksum = checksum.of(at)};
}

Result<std::unique_ptr<DumpReader>> DumpReader::start(std::string said, int file) {
  auto pipe = StreamPipe::open();
  // Who reads nothing must not be waited for.
  if (!pipe || ::fcntl(pipe->writing_end(), F_SETFL, O_NONBLOCK) != 0) {
    ::close(file);
    return pipe ? fail(ErrorCode::EnvironmentError, "Can't make a pipe: {}", errno_text())
                : Failure(pipe.error());
  }
  return std::unique_ptr<DumpReader>(new DumpReader(std::move(said), file, *std::move(pipe)));
}

DumpReader::DumpReader(std::string said, int file, StreamPipe pipe)
    : said_(std::move(said)), file_(file), pipe_(std::move(pipe)), thread_([this] {
        result_ = run();
        pipe_.close_writing_end();
      }) {}

DumpReader::~DumpReader() {
  is_given_up_ = true;
  if (thread_.joinable()) std::ignore = finish();
  ::close(file_);
}

Result<rpc::Dump> DumpReader::finish() {
  pipe_.close_reading_end();
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
    auto const got = TRY(read_whole(file_, piece.data(), piece.size(), said_));
    std::string_view content(piece.data(), got);
    checksum.add(at, content);
    at += static_cast<off_t>(got);
    auto const is_last = got < piece.size();
    while (is_read && !content.empty()) {
      is_read = !has_script_ended_;
      if (!is_read || !is_ready(pipe_.writing_end(), POLLOUT)) continue;
      auto const count = sys::write(pipe_.writing_end(), content);
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
