#include "node/daemon/machine.h"

#include <filesystem>

#include "base/log.h"
#include "node/daemon/membership.h"
#include "node/daemon/storage_calls.h"
#include "sys/files.h"
#include "sys/machine.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

constexpr std::string_view software_version = "0.1.0";

// Everything that the calls need, kept alive by the functions of the Machinery.
class Machine {
 public:
  Machine(Paths paths, Clock& clock, sys::Processes& processes)
      : paths_(std::move(paths)),
        clock_(clock),
        processes_(processes),
        turns_(clock),
        storage_(paths_, processes, turns_) {}

  void add_to(rpc::Dispatcher& dispatcher) {
    dispatcher.on<rpc::NodeInfo>([this](rpc::NodeInfo const& call, rpc::CallContext const&,
                                        rpc::Progress const&) { return facts(call); });
    dispatcher.on<rpc::BridgesExist>([](rpc::BridgesExist const& call, rpc::CallContext const&,
                                        rpc::Progress const&) { return bridges_exist(call); });
    storage_.add_to(dispatcher);
  }

  // Every guest has a pid file (ganeti-compat §5.4). One that was left by a dead guest counts too:
  // to stop that guest once more removes it.
  Result<std::vector<std::string>> running_guests() {
    std::vector<std::string> names;
    auto const directory = paths_.kvm() + "/pid";
    std::error_code error;
    for (auto const& entry : std::filesystem::directory_iterator(directory, error)) {
      names.push_back(entry.path().filename().string());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return fail(ErrorCode::EnvironmentError, "Can't read {}: {}", directory, error.message());
    }
    return names;
  }

 private:
  Result<rpc::NodeFacts> facts(rpc::NodeInfo const& call) {
    auto const memory = TRY(sys::memory());
    auto const acceleration = sys::acceleration();
    rpc::NodeFacts facts;
    facts.memory_total = memory.total;
    facts.memory_free = memory.available;
    facts.memory_node = memory.total - memory.available;
    facts.cpu_total = sys::cpu_count();
    facts.boot_id = sys::boot_id();
    facts.wall_time = std::chrono::duration<double>(clock_.wall().time_since_epoch()).count();
    facts.accelerator = acceleration.has_kvm ? "kvm" : "tcg";
    facts.accelerator_reason = acceleration.reason;
    facts.software_version = software_version;
    add_storage(facts, call.file_storage_dir);
    return facts;
  }

  // What storage there is must not decide whether the node answers at all.
  void add_storage(rpc::NodeFacts& facts, std::string const& file_storage_dir) {
    if (auto volumes = plain_volumes(processes_)) {
      facts.volume_groups = std::move(volumes->groups);
    } else {
      log::warning("node_info: {}", volumes.error().message);
    }
    if (file_storage_dir.empty()) return;
    if (auto const space = sys::file_system_space(file_storage_dir)) {
      facts.file_total = space->total;
      facts.file_free = space->free;
    } else {
      log::warning("node_info: {}", space.error().message);
    }
  }

  static Result<rpc::Nothing> bridges_exist(rpc::BridgesExist const& call) {
    for (auto const& bridge : call.bridges) {
      if (sys::is_bridge(bridge)) continue;
      return fail(ErrorCode::EnvironmentError,
                  "Bridge '{}' does not exist on this node; create it (ip link add {} type bridge) "
                  "or choose another link",
                  bridge, bridge);
    }
    return rpc::Nothing{};
  }

  Paths paths_;
  Clock& clock_;
  sys::Processes& processes_;
  InstanceTurns turns_;
  StorageCalls storage_;
};

}  // namespace

Machinery machine_machinery(Paths const& paths, Clock& clock, sys::Processes& processes) {
  auto const machine = std::make_shared<Machine>(paths, clock, processes);
  Machinery machinery;
  machinery.add_calls = [machine](rpc::Dispatcher& dispatcher) { machine->add_to(dispatcher); };
  machinery.running_guests = [machine] { return machine->running_guests(); };
  machinery.raise_master_address = [](Membership const& member) -> Result<void> {
    return fail_as(ErrorClass::Prereq, ErrorCode::EnvironmentError,
                   "Bringing up the cluster's address {} on {} is not built yet; leave out "
                   "--master-netdev",
                   member.master_ip, member.master_netdev);
  };
  // It was never brought up.
  machinery.drop_master_address = [](Membership const&) -> Result<void> { return {}; };
  return machinery;
}

}  // namespace flotte::node
