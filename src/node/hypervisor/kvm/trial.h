// KvmTrials: asks QEMU itself whether it takes what a guest would be started with.
//
// The very program is started with the very command line, but with nothing behind the devices: no
// disk, tap, socket, display or file of the guest is opened, and it is told to quit before it lets
// a guest run. What was taken once isn't asked again, as long as the program is the same one.
// Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/paths.h"
#include "node/hypervisor/kvm/command_line.h"
#include "sys/process.h"

namespace flotte::node {

// How long all programs that are asked about one guest may take together.
class KvmTimeLimit {
 public:
  KvmTimeLimit(Clock& clock, std::chrono::seconds total)
      : clock_(clock), until_(clock.now() + total) {}

  // Whole ones; none: nothing is asked any more.
  std::chrono::seconds left() const {
    auto const left = std::chrono::duration_cast<std::chrono::seconds>(until_ - clock_.now());
    return std::max(left, std::chrono::seconds(0));
  }

 private:
  Clock& clock_;
  Instant until_;
};

class KvmTrials {
 public:
  KvmTrials(Paths const& paths, sys::Processes& processes)
      : sessions_(paths.trial_sessions()), processes_(processes) {}

  // False: QEMU took too long to say so, and nothing is known. EnvironmentError with all that it
  // said.
  Result<bool> check(rpc::InstanceSpec const& spec, KvmMachine const& machine,
                     KvmTimeLimit const& limit);
  // What QEMU calls its own default machine; nothing: it took too long to say so. The alias would
  // mean another one after an upgrade.
  Result<std::optional<std::string>> default_version(std::string const& binary,
                                                     std::chrono::seconds timeout);

 private:
  Result<bool> try_extra_words(std::string const& binary, std::vector<std::string> const& words,
                               KvmTimeLimit const& limit);
  Result<bool> run(std::vector<std::string> argv, KvmTimeLimit const& limit);
  // Nothing: it took too long.
  Result<std::optional<sys::Finished>> ask(sys::Command command);
  bool is_known(std::string const& shape);
  void remember(std::string const& shape);

  // Who is asked now, for the daemon that comes after one that was killed. The signal that a
  // parent's death would be (prctl(2), PR_SET_PDEATHSIG) is lost where QEMU becomes another user.
  std::string sessions_;
  std::atomic<std::uint64_t> asked_ = 0;
  sys::Processes& processes_;
  std::mutex mutex_;  // of what is known; never held while a program runs
  std::set<std::string> taken_;
  std::map<std::string, std::string> default_versions_;  // by the identity of the program
};

// Without all that is somebody's: the same for all guests of one shape, whatever their names,
// addresses and disks are. Pure.
rpc::InstanceSpec kvm_shape(rpc::InstanceSpec spec);
// A command line of kvm_command_line() with nothing behind its devices. Pure.
std::vector<std::string> kvm_harmless(std::vector<std::string> const& argv);
// Whether words of kvm_extra can be part of a trial: they open, listen to and hold nothing of the
// node. Pure.
bool kvm_is_harmless(std::vector<std::string> const& extra_words);

}  // namespace flotte::node
