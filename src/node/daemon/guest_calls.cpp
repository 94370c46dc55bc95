#include "node/daemon/guest_calls.h"

#include <algorithm>
#include <iterator>

#include "base/boundary.h"
#include "base/log.h"

namespace flotte::node {
namespace {

// A minute between two looks at one that doesn't answer, at most.
constexpr std::chrono::seconds follow_interval{2};
static_assert(follow_interval * Follower::interval_max == std::chrono::minutes(1));

}  // namespace

void GuestCalls::add_to(rpc::Dispatcher& dispatcher) {
  using rpc::CallContext;
  using rpc::Nothing;
  using rpc::Progress;
  dispatcher.on<rpc::InstanceStart>(
      [this](rpc::InstanceStart const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance.name, progress, [&] { return start(call); });
      });
  dispatcher.on<rpc::InstanceShutdown>(
      [this](rpc::InstanceShutdown const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&] { return stop(call); });
      });
  dispatcher.on<rpc::InstanceSoftReboot>(
      [this](rpc::InstanceSoftReboot const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(check_instance_name(call.instance));
          TRY(hypervisors_.of(call.hypervisor).soft_reboot(call.instance));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::InstanceResizeDisk>(
      [this](rpc::InstanceResizeDisk const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(check_instance_name(call.instance));
          TRY(storage_.check_wiped(call.instance, call.disk));
          TRY(hypervisors_.of(call.hypervisor).resize_disk(call.instance, call.disk, call.size));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::InstanceAdjust>(
      [this](rpc::InstanceAdjust const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance.name, progress, [&] {
          auto const is_kvm = call.instance.hypervisor == model::HypervisorKind::Kvm;
          (is_kvm ? of_kvm_ : of_fake_).begin_anew(call.instance.name);
          return adjust(call, progress);
        });
      });
  dispatcher.on<rpc::InstanceBalloon>(
      [this](rpc::InstanceBalloon const& call, CallContext const&, Progress const& progress) {
        return turns_.take(call.instance, progress, [&]() -> Result<Nothing> {
          TRY(check_instance_name(call.instance));
          TRY(hypervisors_.of(call.hypervisor).balloon(call.instance, call.memory));
          return Nothing{};
        });
      });
  dispatcher.on<rpc::AllInstancesInfo>([this](rpc::AllInstancesInfo const& call, CallContext const&,
                                              Progress const&) { return running(call); });
  dispatcher.on<rpc::HypervisorValidate>(
      [this](rpc::HypervisorValidate const& call, CallContext const&, Progress const&) {
        return hypervisors_.of(call.instance.hypervisor).check(call.instance);
      });
}

Result<rpc::RunningInstances> GuestCalls::running(rpc::AllInstancesInfo const& call) const {
  for (auto const& name : call.instances) TRY(check_instance_name(name));
  auto const& kinds = call.hypervisors;
  auto const asked =
      kinds.empty() ? std::vector{model::HypervisorKind::Kvm, model::HypervisorKind::Fake} : kinds;
  rpc::RunningInstances all;
  for (auto const kind : asked) {
    auto some = TRY(hypervisors_.of(kind).list(call.instances));
    std::ranges::move(some, std::back_inserter(all.instances));
  }
  return all;
}

Result<rpc::Nothing> GuestCalls::start(rpc::InstanceStart const& call) {
  auto const& spec = call.instance;
  TRY(check_instance_name(spec.name));
  std::vector<std::string> disk_paths;
  for (auto const& disk : spec.disks) {
    disk_paths.push_back(TRY(storage_.fenced_link(spec.name, disk, spec.epoch)));
  }
  TRY(hypervisors_.of(spec.hypervisor).start(spec, disk_paths, call.startup_paused));
  return rpc::Nothing{};
}

Result<rpc::Nothing> GuestCalls::adjust(rpc::InstanceAdjust const& call,
                                        rpc::Progress const& progress) {
  auto const& spec = call.instance;
  TRY(check_instance_name(spec.name));
  auto& hypervisor = hypervisors_.of(spec.hypervisor);
  if (!hypervisor.is_running(spec.name)) return rpc::Nothing{};
  std::vector<std::string> links;
  for (auto const& disk : spec.disks) {
    links.push_back(TRY(storage_.assemble({spec.name, disk, spec.epoch})).link);
  }
  TRY(hypervisor.adjust(spec, links, [&] { return !progress || progress(just_asking); }));
  TRY(storage_.forget_links(spec.name, spec.disks.size()));
  return rpc::Nothing{};
}

void GuestCalls::follow(std::stop_token const& stopping) {
  std::unique_lock lock(following_);
  while (!woken_.wait_for(lock, stopping, follow_interval, [] { return false; }) &&
         !stopping.stop_requested()) {
    auto const followed = boundary("Following what guests were asked for", [&] {
      of_kvm_.round();
      of_fake_.round();
    });
    if (!followed) log::error("{}", followed.error().message);
  }
}

// Looked at again: until it was its turn a call may have changed what it should have.
void GuestCalls::give_back(Hypervisor& hypervisor, std::string const& instance) {
  auto const spec = hypervisor.lacking(instance);
  if (!spec) return;
  log::info("{} has let go of a device that it should have: it gets it back", instance);
  auto const give = [&]() -> Result<rpc::Nothing> {
    // Activating a disk that grows would take back what isn't wiped yet: it is looked at again.
    for (auto const& disk : spec->disks) TRY(storage_.check_wiped(instance, disk));
    return adjust({*spec}, {});
  };
  if (auto const done = give(); !done) {
    log::warning("{} has let go of a device and did not get it back: {}", instance,
                 done.error().message);
  }
}

Result<rpc::Nothing> GuestCalls::stop(rpc::InstanceShutdown const& call) {
  TRY(check_instance_name(call.instance));
  if (call.timeout_s < 0) {
    return fail(ErrorCode::WrongInput, "A time limit of {} s is negative", call.timeout_s);
  }
  TRY(hypervisors_.of(call.hypervisor).stop(call.instance, std::chrono::seconds(call.timeout_s)));
  return rpc::Nothing{};
}

}  // namespace flotte::node
