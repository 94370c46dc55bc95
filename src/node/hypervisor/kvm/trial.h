// KvmTrials: asks QEMU itself whether it takes what a guest would be started with.
//
// The very program is started with the very command line, but with nothing behind the devices: no
// disk, tap, socket, display or file of the guest is opened, and it is told to quit before it lets
// a guest run. What was taken once isn't asked again, as long as the program is the same one.
// Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "node/hypervisor/kvm/command_line.h"
#include "sys/process.h"

namespace flotte::node {

class KvmTrials {
 public:
  explicit KvmTrials(sys::Processes& processes) : processes_(processes) {}

  // EnvironmentError with all that QEMU said. A QEMU that takes too long has said nothing: who
  // can't tell doesn't refuse.
  Result<void> check(rpc::InstanceSpec const& spec, KvmMachine const& machine);

 private:
  Result<void> try_extra_words(std::string const& binary, std::vector<std::string> const& words);
  Result<void> run(std::vector<std::string> argv);
  bool is_known(std::string const& shape);
  void remember(std::string const& shape);

  sys::Processes& processes_;
  std::mutex mutex_;
  std::set<std::string> taken_;
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
