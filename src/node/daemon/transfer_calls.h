// The calls of node_calls.h about disks on their way to other clusters and from there.
//
// Used by machine.cpp. Thread-safe; calls about one instance wait for each other.
#pragma once

#include "node/daemon/storage_calls.h"
#include "node/daemon/transfer_keys.h"
#include "node/exports/disk_transfer.h"

namespace flotte::node {

class TransferCalls {
 public:
  TransferCalls(Paths const& paths, Clock& clock, sys::Processes& processes, InstanceTurns& turns,
                StorageCalls& storage, OsDefinitions& os)
      : keys_(paths, clock),
        compressors_{paths, clock, processes},
        turns_(turns),
        storage_(storage),
        os_(os) {}

  void add_to(rpc::Dispatcher& dispatcher);

 private:
  Result<rpc::TransferSent> send(rpc::TransferSend const& call, rpc::Progress const& progress);
  Result<rpc::Nothing> receive(rpc::TransferReceive const& call, rpc::Progress const& progress);

  TransferKeys keys_;
  Compressors compressors_;
  InstanceTurns& turns_;
  StorageCalls& storage_;
  OsDefinitions& os_;
};

}  // namespace flotte::node
