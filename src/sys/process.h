// Processes: the node's way to run a program. No shell, all other descriptors closed, a deadline,
// capped output, and nothing of its process group survives.
//
// An interface with a fake beside it (fake_processes.h). Thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::sys {

// One of ours that a program gets under another number.
struct Descriptor {
  int here = -1;
  int there = 0;  // 0 and 1: instead of nothing to read, and of lines for the sink
};

struct Command {
  std::vector<std::string> argv;
  // The whole environment; empty: PATH=/sbin:/bin:/usr/sbin:/usr/bin and LC_ALL=C.
  std::map<std::string, std::string> environment = {};
  std::string directory = "/";
  std::chrono::seconds timeout{60};
  std::size_t output_bytes_max = 256 * 1024;  // of each stream; the tail is kept
  // Descriptors that the child inherits under the number they have here.
  std::vector<int> keep_fds = {};
  std::vector<Descriptor> descriptors = {};
  // Whether what it left running in its group when it ended well still has to do; asked again and
  // again. Empty: it is ended at once.
  std::function<bool()> goes_on = {};
  // A file that tells who runs while it runs (sessions.h); empty: nobody needs to know.
  std::string session_record = {};
};

struct Finished {
  int exit_status = 0;  // 128 + signal when a signal ended it
  std::string output;   // standard output
  std::string errors;   // standard error
  bool timed_out = false;
  bool was_stopped = false;  // the sink asked for it

  bool is_success() const { return exit_status == 0 && !timed_out && !was_stopped; }
};

// Gets each line of both streams as it comes, and an empty one now and then while the program is
// silent; false stops the process group.
using LineSink = std::function<bool(std::string_view line)>;

class Processes {
 public:
  virtual ~Processes() = default;
  // EnvironmentError when it can't be started: names the program and, where known, the package it
  // is in.
  virtual Result<Finished> run(Command const& command, LineSink const& sink = {}) = 0;
};

class SystemProcesses final : public Processes {
 public:
  Result<Finished> run(Command const& command, LineSink const& sink = {}) override;
};

// run(), and an error that quotes what the program said when it failed.
Result<Finished> run_checked(Processes& processes, Command const& command);

}  // namespace flotte::sys
