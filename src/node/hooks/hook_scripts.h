// The scripts that people hang on operations: those of one directory below /etc/ganeti/hooks, in
// the order of their names (docs/ganeti.md, "Hooks"). Called from several threads at once.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/paths.h"
#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

class HookScripts {
 public:
  // `time_limit`: for all scripts of a call together, as the machine's settings have it.
  HookScripts(Paths paths, Clock& clock, sys::Processes& processes,
              std::function<Result<std::chrono::seconds>()> time_limit)
      : paths_(std::move(paths)),
        clock_(clock),
        processes_(processes),
        time_limit_(std::move(time_limit)) {}

  // `goes_on` ends the script that runs, and the call with an error.
  Result<rpc::HookResults> run(rpc::HooksRun const& call, sys::LineSink const& goes_on);

 private:
  std::vector<std::string> names_in(std::string const& directory) const;
  Result<rpc::HookResult> run_one(rpc::HooksRun const& call, std::string const& name,
                                  Instant deadline, sys::LineSink const& goes_on);
  std::string path_of(std::string const& directory) const;

  Paths paths_;
  Clock& clock_;
  sys::Processes& processes_;
  std::function<Result<std::chrono::seconds>()> time_limit_;
  std::atomic<std::uint64_t> sessions_ = 0;
};

}  // namespace flotte::node
