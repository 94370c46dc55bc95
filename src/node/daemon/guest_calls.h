// The calls of node_calls.h about guests, on top of node/hypervisor.
//
// Used by machine.cpp. Thread-safe; calls about one instance wait for each other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/daemon/instance_turns.h"
#include "node/daemon/storage_calls.h"
#include "node/hypervisor/hypervisor.h"
#include "rpc/dispatch.h"

namespace flotte::node {

class GuestCalls {
 public:
  GuestCalls(Hypervisors const& hypervisors, StorageCalls& storage, InstanceTurns& turns)
      : hypervisors_(hypervisors), storage_(storage), turns_(turns) {}

  void add_to(rpc::Dispatcher& dispatcher);

  // No kinds: all.
  Result<rpc::RunningInstances> running(rpc::AllInstancesInfo const& call) const;

 private:
  Result<rpc::Nothing> start(rpc::InstanceStart const& call);
  Result<rpc::Nothing> adjust(rpc::InstanceAdjust const& call);
  Result<rpc::Nothing> stop(rpc::InstanceShutdown const& call);

  Hypervisors const& hypervisors_;
  StorageCalls& storage_;
  InstanceTurns& turns_;
};

}  // namespace flotte::node
