#include "node/daemon/machine.h"

#include <algorithm>
#include <mutex>

#include "base/log.h"
#include "node/daemon/export_calls.h"
#include "node/daemon/findings.h"
#include "node/daemon/guest_calls.h"
#include "node/daemon/membership.h"
#include "node/daemon/settings.h"
#include "node/daemon/storage_calls.h"
#include "node/daemon/transfer_calls.h"
#include "node/hooks/hook_scripts.h"
#include "node/network/host_names.h"
#include "node/network/master_address.h"
#include "node/network/nics.h"
#include "node/os/os_definitions.h"
#include "rpc/wire.h"
#include "sys/files.h"
#include "sys/machine.h"
#include "sys/network.h"
#include "sys/sessions.h"

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
        nics_(paths_, processes),
        turns_(clock),
        hypervisors_{make_kvm(paths_, clock, processes), make_fake(paths_)},
        storage_(paths_, processes, turns_, hypervisors_),
        guests_(hypervisors_, storage_, turns_),
        os_(paths_, processes),
        exports_(paths_, turns_, storage_, os_),
        transfers_(paths_, clock, processes, turns_, storage_, os_),
        hooks_(paths_, clock, processes, [this] { return hooks_time_limit(paths_); }) {}

  void add_to(rpc::Dispatcher& dispatcher) {
    dispatcher.on<rpc::NodeInfo>([this](rpc::NodeInfo const& call, rpc::CallContext const&,
                                        rpc::Progress const&) { return facts(call); });
    dispatcher.on<rpc::NodeVerify>([this](rpc::NodeVerify const& call, rpc::CallContext const&,
                                          rpc::Progress const&) -> Result<rpc::NodeFindings> {
      return look_at_node(paths_, nics_, call);
    });
    dispatcher.on<rpc::SsconfWrite>([this](rpc::SsconfWrite const& call,
                                           rpc::CallContext const& context,
                                           rpc::Progress const&) -> Result<rpc::Nothing> {
      return take_ssconf(call, context.leader_epoch);
    });
    dispatcher.on<rpc::NicsValidate>([this](rpc::NicsValidate const& call, rpc::CallContext const&,
                                            rpc::Progress const&) -> Result<rpc::Nothing> {
      for (auto const& nic : call.nics) TRY(nics_.check(nic));
      return rpc::Nothing{};
    });
    dispatcher.on<rpc::MasterAddress>([this](rpc::MasterAddress const& call,
                                             rpc::CallContext const&,
                                             rpc::Progress const&) -> Result<rpc::Nothing> {
      TRY(set_master_address(processes_, call));
      return rpc::Nothing{};
    });
    storage_.add_to(dispatcher);
    guests_.add_to(dispatcher);
    exports_.add_to(dispatcher);
    transfers_.add_to(dispatcher);
    dispatcher.on<rpc::OsDiagnose>(
        [this](rpc::OsDiagnose const&, rpc::CallContext const&,
               rpc::Progress const&) -> Result<rpc::OsList> { return rpc::OsList{os_.list()}; });
    dispatcher.on<rpc::OsCreate>(
        [this](rpc::OsCreate const& call, rpc::CallContext const&, rpc::Progress const& progress) {
          return turns_.take(call.instance.name, progress, [&] { return install(call, progress); });
        });
    dispatcher.on<rpc::HooksRun>(
        [this](rpc::HooksRun const& call, rpc::CallContext const&, rpc::Progress const& progress) {
          auto const run = [&] {
            return hooks_.run(call,
                              [&](std::string_view) { return !progress || progress(just_asking); });
          };
          return call.instance.empty() ? run() : turns_.take(call.instance, progress, run);
        });
    dispatcher.on<rpc::OsRename>([this](rpc::OsRename const& call, rpc::CallContext const&,
                                        rpc::Progress const& progress) {
      return turns_.take(call.instance.name, progress, [&] { return run_rename(call, progress); });
    });
    dispatcher.on<rpc::ResolveName>(
        [this](rpc::ResolveName const& call, rpc::CallContext const&, rpc::Progress const&) {
          return resolve_name(processes_, call);
        });
  }

  Result<void> check_wish(rpc::Bootstrap const& wish) {
    if (auto const& wanted = wish.volume_group_name; !wanted.empty()) {
      std::vector<std::string> names;
      for (auto const& group : TRY(volume_groups(processes_))) names.push_back(group.name);
      if (std::ranges::find(names, wanted) == names.end()) {
        return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput,
                       "Error: volume group '{}' missing; on this node there is {}", wanted,
                       names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
      }
    }
    if (!wish.master_ip.empty() && TRY(is_address_used(processes_, wish.master_ip))) {
      return fail_as(ErrorClass::Prereq, ErrorCode::ResourceNotUnique,
                     "Cluster IP already active: another machine answers at {}", wish.master_ip);
    }
    return {};
  }

  Result<std::vector<std::string>> running_guests() {
    std::vector<std::string> names;
    for (auto const& guest : TRY(guests_.running({})).instances) names.push_back(guest.name);
    return names;
  }

 private:
  // What was delayed on its way is older than what is there.
  Result<rpc::Nothing> take_ssconf(rpc::SsconfWrite const& call, std::int64_t leader_epoch) {
    std::lock_guard const guard(ssconf_mutex_);
    auto const sent = std::pair(leader_epoch, call.number);
    if (sent < latest_ssconf_) {
      return fail(ErrorCode::WrongState, "A later write of ssconf was taken already");
    }
    latest_ssconf_ = sent;
    TRY(write_ssconf(paths_, call.values));
    return rpc::Nothing{};
  }

  Result<rpc::Nothing> install(rpc::OsCreate const& call, rpc::Progress const& progress) {
    TRY(os_.create(call, TRY(disks_for_script(call.instance)), said_by_script(progress)));
    return rpc::Nothing{};
  }

  Result<rpc::Nothing> run_rename(rpc::OsRename const& call, rpc::Progress const& progress) {
    TRY(os_.rename(call, TRY(disks_for_script(call.instance)), said_by_script(progress)));
    return rpc::Nothing{};
  }

  static sys::LineSink said_by_script(rpc::Progress const& progress) {
    return [&progress](std::string_view line) {
      return !progress || progress(line.empty() ? just_asking : rpc::say_line(line));
    };
  }

  // What opens them.
  Result<std::vector<std::string>> disks_for_script(rpc::InstanceSpec const& spec) {
    // A disk has one writer, and that would be its guest.
    for (auto const& guest : TRY(guests_.running({{spec.hypervisor}, {spec.name}})).instances) {
      if (guest.name != spec.name || guest.state == rpc::RunState::UserDown) continue;
      return fail(ErrorCode::WrongState, "Instance {} is running on this node", spec.name);
    }
    std::vector<std::string> disk_paths;
    for (auto const& disk : spec.disks) {
      disk_paths.push_back(TRY(storage_.fenced_link(spec.name, disk, spec.epoch)));
    }
    return disk_paths;
  }

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
    if (auto groups = volume_groups(processes_)) {
      facts.volume_groups = std::move(*groups);
    } else {
      log::warning("node_info: {}", groups.error().message);
    }
    if (file_storage_dir.empty()) return;
    if (auto const space = sys::file_system_space(file_storage_dir)) {
      facts.file_total = space->total;
      facts.file_free = space->free;
    } else {
      log::warning("node_info: {}", space.error().message);
    }
  }

  Paths paths_;
  Clock& clock_;
  sys::Processes& processes_;
  Nics nics_;
  InstanceTurns turns_;
  Hypervisors hypervisors_;
  StorageCalls storage_;
  GuestCalls guests_;
  OsDefinitions os_;
  ExportCalls exports_;
  TransferCalls transfers_;
  HookScripts hooks_;
  std::mutex ssconf_mutex_;
  std::pair<std::int64_t, std::int64_t> latest_ssconf_;  // the leader's epoch, and its number
};

}  // namespace

Result<void> end_leftovers(Paths const& paths) {
  TRY(sys::end_recorded_sessions(paths.os_sessions()));
  TRY(sys::end_recorded_sessions(paths.hook_sessions()));
  return sys::end_recorded_sessions(paths.trial_sessions());
}

Machinery machine_machinery(Paths const& paths, Clock& clock, sys::Processes& processes) {
  auto const machine = std::make_shared<Machine>(paths, clock, processes);
  Machinery machinery;
  machinery.add_calls = [machine](rpc::Dispatcher& dispatcher) { machine->add_to(dispatcher); };
  machinery.running_guests = [machine] { return machine->running_guests(); };
  machinery.check_wish = [machine](rpc::Bootstrap const& wish) {
    return machine->check_wish(wish);
  };
  auto const set_address = [&processes](Membership const& member, bool is_up) {
    return set_master_address(
        processes, {.ip = member.master_ip, .netdev = member.master_netdev, .is_up = is_up});
  };
  machinery.raise_master_address = [set_address](Membership const& member) {
    return set_address(member, true);
  };
  machinery.drop_master_address = [set_address](Membership const& member) {
    return set_address(member, false);
  };
  return machinery;
}

}  // namespace flotte::node
