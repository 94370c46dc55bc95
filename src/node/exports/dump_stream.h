// Dumps as streams, for OS scripts, which write and read one after the other: what a script writes
// goes into a file without room for its zeros, and what a file holds goes to a script; each on a
// thread of its own, with its checksum. A dump's bytes are counted as they pass.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "rpc/node_calls.h"
#include "sys/pipe.h"

namespace flotte::node {

// Takes what comes out of a script into a file that is there and empty.
class DumpWriter {
 public:
  // Begins at once. The file is `path`.
  static Result<std::unique_ptr<DumpWriter>> start(std::string path);
  ~DumpWriter();
  DumpWriter(DumpWriter const&) = delete;
  DumpWriter& operator=(DumpWriter const&) = delete;

  int script_end() const { return pipe_.write.get(); }
  std::int64_t bytes() const { return bytes_; }
  bool has_failed() const { return has_failed_; }
  // After the script: waits for the rest. The size and the checksum; it lies on the disk.
  Result<rpc::Dump> finish();

 private:
  DumpWriter(std::string path, sys::Fd file, sys::Pipe pipe);
  Result<rpc::Dump> run();
  Result<std::size_t> read_piece(char* place, std::size_t room);

  static constexpr std::size_t pipe_bytes_max = 1 << 20;
  std::string path_;
  sys::Fd file_;
  sys::Pipe pipe_;
  std::atomic<bool> has_script_ended_ = false;
  std::size_t left_at_end_ = pipe_bytes_max;  // that is read of it then
  std::atomic<std::int64_t> bytes_ = 0;
  std::atomic<bool> has_failed_ = false;
  std::optional<Result<rpc::Dump>> result_;
  std::thread thread_;
};

// Gives a script what a dump holds. A script may end before it has read all.
class DumpReader {
 public:
  // Begins at once. `said`: the file's name, for errors.
  static Result<std::unique_ptr<DumpReader>> start(std::string said, sys::Fd file);
  ~DumpReader();
  DumpReader(DumpReader const&) = delete;
  DumpReader& operator=(DumpReader const&) = delete;

  int script_end() const { return pipe_.read.get(); }
  std::int64_t bytes() const { return bytes_; }
  // After the script: reads the rest for the checksum.
  Result<rpc::Dump> finish();

 private:
  DumpReader(std::string said, sys::Fd file, sys::Pipe pipe);
  Result<rpc::Dump> run();

  std::string said_;
  sys::Fd file_;
  sys::Pipe pipe_;
  std::atomic<std::int64_t> bytes_ = 0;
  std::atomic<bool> has_script_ended_ = false;
  std::atomic<bool> is_given_up_ = false;
  std::optional<Result<rpc::Dump>> result_;
  std::thread thread_;
};

}  // namespace flotte::node
