// The calls of node_calls.h about exports: between disks, OS scripts and the files of exports.
//
// Used by machine.cpp. Thread-safe; calls about one instance wait for each other.
#pragma once

#include "node/daemon/storage_calls.h"
#include "node/exports/disk_stream.h"
#include "node/exports/exports.h"

namespace flotte::node {

class ExportCalls {
 public:
  ExportCalls(Paths const& paths, InstanceTurns& turns, StorageCalls& storage, OsDefinitions& os)
      : exports_(paths), turns_(turns), storage_(storage), os_(os) {}

  void add_to(rpc::Dispatcher& dispatcher);

 private:
  Result<rpc::Dump> export_disk(rpc::ExportDisk const& call, rpc::Progress const& progress);
  Result<rpc::Dump> copy_dump(rpc::DiskSpec const& disk, std::string const& from,
                              std::string const& dump, rpc::Progress const& progress);
  Result<rpc::Dump> write_dump(StreamedDisk const& from, std::string const& dump,
                               rpc::Progress const& progress);
  Result<rpc::Nothing> import_disk(rpc::ImportDisk const& call, rpc::Progress const& progress);
  Result<rpc::Dump> read_dump(StreamedDisk const& to, std::string const& said, sys::Fd const& file,
                              rpc::Progress const& progress);

  Exports exports_;
  InstanceTurns& turns_;
  StorageCalls& storage_;
  OsDefinitions& os_;
};

}  // namespace flotte::node
