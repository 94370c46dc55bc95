#include "node/exports/script_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

#include "base/boundary.h"
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

}  // namespace

Result<std::unique_ptr<ScriptOutput>> ScriptOutput::start(TakePiece take,
                                                          std::chrono::milliseconds quiet_max) {
  auto pipe = TRY(sys::Pipe::open());
  return std::unique_ptr<ScriptOutput>(
      new ScriptOutput(std::move(take), quiet_max, std::move(pipe)));
}

ScriptOutput::ScriptOutput(TakePiece take, std::chrono::milliseconds quiet_max, sys::Pipe pipe)
    : take_(std::move(take)), quiet_max_(quiet_max), pipe_(std::move(pipe)), thread_([this] {
        result_ = boundary("What a script writes", [this] { return run(); });
        has_failed_ = !*result_;
        // Whoever writes is told by the pipe that nobody reads.
        pipe_.read.close();
      }) {}

ScriptOutput::~ScriptOutput() {
  if (thread_.joinable()) std::ignore = finish();
}

bool ScriptOutput::goes_on() {
  pipe_.write.close();
  if (is_at_end_ || has_failed_) return false;
  auto const now = SteadyClock::now();
  auto const came = came_.load();
  if (came != came_before_) quiet_since_ = now;
  came_before_ = came;
  return now - quiet_since_ < quiet_max_;
}

Result<std::int64_t> ScriptOutput::finish() {
  pipe_.write.close();
  has_script_ended_ = true;
  thread_.join();
  return *result_;
}

// The end is when nobody can write any more. Whoever the script left behind could for ever: of that
// what is in the pipe by then is all.
Result<std::size_t> ScriptOutput::read_piece(char* place, std::size_t room) {
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
    if (got == 0) {
      is_at_end_ = true;
      break;
    }
    came_ += got;
    done += static_cast<std::size_t>(got);
    if (!was_last) continue;
    left_at_end_ -= static_cast<std::size_t>(got);
    if (left_at_end_ == 0) break;
  }
  return done;
}

Result<std::int64_t> ScriptOutput::run() {
  std::string piece(static_cast<std::size_t>(piece_bytes), '\0');
  std::int64_t at = 0;
  for (;;) {
    auto const got = TRY(read_piece(piece.data(), piece.size()));
    TRY(take_(at, std::string_view(piece.data(), got)));
    at += static_cast<std::int64_t>(got);
    bytes_ = at;
    if (got < piece.size()) return at;
  }
}

Result<std::unique_ptr<ScriptInput>> ScriptInput::start(GivePiece give) {
  auto pipe = TRY(sys::Pipe::open());
  // Who reads nothing must not be waited for.
  TRY(sys::make_nonblocking(pipe.write));
  return std::unique_ptr<ScriptInput>(new ScriptInput(std::move(give), std::move(pipe)));
}

ScriptInput::ScriptInput(GivePiece give, sys::Pipe pipe)
    : give_(std::move(give)), pipe_(std::move(pipe)), thread_([this] {
        result_ = boundary("What a script reads", [this] { return run(); });
        has_failed_ = !*result_;
        pipe_.write.close();
        has_ended_ = true;
      }) {}

ScriptInput::~ScriptInput() {
  is_given_up_ = true;
  if (thread_.joinable()) std::ignore = finish([] { return false; });
}

Result<std::int64_t> ScriptInput::finish(std::function<bool()> const& goes_on) {
  // What lies in the pipe nobody has read.
  left_in_pipe_ = sys::bytes_waiting(pipe_.read);
  pipe_.read.close();
  has_script_ended_ = true;
  while (!has_ended_ && !is_given_up_) {
    is_given_up_ = !goes_on();
    if (!is_given_up_) std::this_thread::sleep_for(std::chrono::milliseconds(poll_ms));
  }
  auto const was_given_up = is_given_up_ && !has_ended_;
  thread_.join();
  if (!was_given_up || !*result_) return *result_;
  return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError,
                 "The reading of the rest, which the script did not want, was ended");
}

Result<std::int64_t> ScriptInput::run() {
  std::string piece(static_cast<std::size_t>(piece_bytes), '\0');
  std::int64_t at = 0;
  bool is_read = true;  // by the script
  while (!is_given_up_) {
    auto const got = TRY(give_(piece));
    std::string_view content(piece.data(), got);
    at += static_cast<std::int64_t>(got);
    auto const is_last = got < piece.size();
    while (is_read && !content.empty()) {
      is_read = !has_script_ended_;
      if (!is_read || !is_ready(pipe_.write.get(), POLLOUT)) continue;
      auto const count = sys::write(pipe_.write.get(), content);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) is_read = false;
      if (!is_read) continue;
      content.remove_prefix(static_cast<std::size_t>(count));
      taken_ += count;
    }
    bytes_ = at;
    if (is_last) break;
  }
  return at;
}

}  // namespace flotte::node
