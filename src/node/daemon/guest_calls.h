// The calls of node_calls.h about guests, on top of node/hypervisor.
//
// Used by machine.cpp. Thread-safe; calls about one instance wait for each other.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "node/daemon/follower.h"
#include "node/daemon/instance_turns.h"
#include "node/daemon/storage_calls.h"
#include "node/hypervisor/hypervisor.h"
#include "rpc/dispatch.h"

namespace flotte::node {

class GuestCalls {
 public:
  GuestCalls(Hypervisors const& hypervisors, StorageCalls& storage, InstanceTurns& turns)
      : hypervisors_(hypervisors), storage_(storage), turns_(turns) {
    thread_ = std::jthread([this](std::stop_token const& stopping) { follow(stopping); });
  }

  void add_to(rpc::Dispatcher& dispatcher);

  // No kinds: all.
  Result<rpc::RunningInstances> running(rpc::AllInstancesInfo const& call) const;

 private:
  Result<rpc::Nothing> start(rpc::InstanceStart const& call);
  Result<rpc::Nothing> adjust(rpc::InstanceAdjust const& call, rpc::Progress const& progress);
  Result<rpc::Nothing> stop(rpc::InstanceShutdown const& call);

  void follow(std::stop_token const& stopping);
  void give_back(Hypervisor& hypervisor, std::string const& instance);
  Follower follower_of(Hypervisor& hypervisor) {
    return {hypervisor, [this, &hypervisor](std::string const& instance) {
              return turns_.take_if_free(instance, [&] { give_back(hypervisor, instance); });
            }};
  }

  Hypervisors const& hypervisors_;
  StorageCalls& storage_;
  InstanceTurns& turns_;
  Follower of_kvm_ = follower_of(*hypervisors_.kvm);
  Follower of_fake_ = follower_of(*hypervisors_.fake);
  std::mutex following_;
  std::condition_variable_any woken_;
  std::jthread thread_;  // the last: it uses the others
};

}  // namespace flotte::node
