// What an OS script writes and reads, piece by piece, on a thread of its own: into a file or out of
// one, to another cluster or from there. The bytes are counted as they pass.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "sys/pipe.h"

namespace flotte::node {

// In order; each but the last is piece_bytes long (checksum.h).
using TakePiece = std::function<Result<void>(std::int64_t at, std::string_view piece)>;
// Fills the room; less only at the end.
using GivePiece = std::function<Result<std::size_t>(std::span<char> room)>;

// Takes what comes out of a script. `take` is called on a thread of this.
class ScriptOutput {
 public:
  // Begins at once.
  static Result<std::unique_ptr<ScriptOutput>> start(TakePiece take,
                                                     std::chrono::milliseconds quiet_max = quiet);
  ~ScriptOutput();
  ScriptOutput(ScriptOutput const&) = delete;
  ScriptOutput& operator=(ScriptOutput const&) = delete;

  int script_end() const { return pipe_.write.get(); }
  std::int64_t bytes() const { return bytes_; }
  bool has_failed() const { return has_failed_; }
  // After the script: whether somebody whom it left behind writes still. Not for ever, where
  // nothing comes.
  bool goes_on();
  // Nobody can write any more.
  bool is_at_end() const { return is_at_end_; }
  // After the script: waits for the rest; how many bytes it was.
  Result<std::int64_t> finish();

 private:
  using SteadyClock = std::chrono::steady_clock;
  ScriptOutput(TakePiece take, std::chrono::milliseconds quiet_max, sys::Pipe pipe);
  Result<std::int64_t> run();
  Result<std::size_t> read_piece(char* place, std::size_t room);

  // A helper that packs may think for a while.
  static constexpr std::chrono::minutes quiet{2};
  static constexpr std::size_t pipe_bytes_max = 1 << 20;
  TakePiece take_;
  std::chrono::milliseconds quiet_max_;
  sys::Pipe pipe_;
  std::atomic<std::int64_t> came_ = 0;
  std::int64_t came_before_ = -1;
  SteadyClock::time_point quiet_since_;
  std::atomic<bool> is_at_end_ = false;
  std::atomic<bool> has_script_ended_ = false;
  std::size_t left_at_end_ = pipe_bytes_max;  // that is read of it then
  std::atomic<std::int64_t> bytes_ = 0;
  std::atomic<bool> has_failed_ = false;
  std::optional<Result<std::int64_t>> result_;
  std::thread thread_;
};

// Gives a script what it reads, which may end before it has read all. `give` is called on a thread
// of this.
class ScriptInput {
 public:
  // Begins at once.
  static Result<std::unique_ptr<ScriptInput>> start(GivePiece give);
  ~ScriptInput();
  ScriptInput(ScriptInput const&) = delete;
  ScriptInput& operator=(ScriptInput const&) = delete;

  int script_end() const { return pipe_.read.get(); }
  std::int64_t bytes() const { return bytes_; }
  bool has_failed() const { return has_failed_; }
  // After the script: takes the rest, too; how many bytes it was. Asks now and then whether it
  // shall.
  Result<std::int64_t> finish(std::function<bool()> const& goes_on);
  // After that: how many the script has read.
  std::int64_t read_bytes() const { return taken_ - left_in_pipe_; }

 private:
  ScriptInput(GivePiece give, sys::Pipe pipe);
  Result<std::int64_t> run();

  GivePiece give_;
  sys::Pipe pipe_;
  std::atomic<std::int64_t> bytes_ = 0;
  std::atomic<bool> has_script_ended_ = false;
  std::atomic<bool> is_given_up_ = false;
  std::atomic<bool> has_ended_ = false;
  std::atomic<std::int64_t> taken_ = 0;  // by the pipe
  std::int64_t left_in_pipe_ = 0;
  std::atomic<bool> has_failed_ = false;
  std::optional<Result<std::int64_t>> result_;
  std::thread thread_;
};

}  // namespace flotte::node
