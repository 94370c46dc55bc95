// The calls of node_calls.h about disks, on top of node/storage.
//
// Used by machine.cpp. Thread-safe; calls about one instance wait for each other.
#pragma once

#include <memory>

#include "base/paths.h"
#include "node/daemon/instance_turns.h"
#include "node/hypervisor/hypervisor.h"
#include "node/storage/block_device.h"
#include "rpc/dispatch.h"

namespace flotte::node {

class StorageCalls {
 public:
  StorageCalls(Paths paths, sys::Processes& processes, InstanceTurns& turns,
               Hypervisors const& hypervisors);

  void add_to(rpc::Dispatcher& dispatcher);

  // The link through which a guest opens its disk. Fails when the disk isn't activated, or is
  // fenced by a higher epoch.
  Result<std::string> fenced_link(std::string const& instance, rpc::DiskSpec const& disk,
                                  std::int64_t epoch) const;
  Result<rpc::DevicePath> assemble(rpc::BlockdevAssemble const& call);
  // Nothing of it is to be wiped: a guest may see all of it.
  Result<void> check_wiped(std::string const& instance, rpc::DiskSpec const& disk) const;
  // What opens the snapshot of a disk.
  Result<std::string> snapshot_path(std::string const& instance, rpc::DiskSpec const& disk) const;
  // Of all disks of an instance, while their content is copied: what a script finds them at.
  Result<std::vector<std::string>> copied_paths(rpc::InstanceSpec const& spec,
                                                bool from_snapshot) const;
  // Those from that index on: the instance has no such disks any more.
  Result<void> forget_links(std::string const& instance, std::size_t first);

 private:
  // A call that is the template's alone.
  template <class Call>
  void on_disk(rpc::Dispatcher& dispatcher, Result<void> (BlockDevices::*deed)(Call const&));
  // <run>/instance-disks/<instance>:<index>
  Result<std::string> link_of(std::string const& instance, rpc::DiskSpec const& disk) const;
  std::string link_of(std::string const& instance, std::size_t index) const;
  Result<BlockDevices*> devices(rpc::DiskSpec const& disk) const;
  // A disk has one writer, and that may be its guest.
  Result<void> refuse_while_running(std::string const& instance, rpc::DiskSpec const& disk) const;
  Result<rpc::DevicePath> device_path(std::string const& instance, rpc::DiskSpec const& disk,
                                      std::string const& path) const;
  Result<rpc::Nothing> unlink(std::string const& instance, rpc::DiskSpec const& disk) const;
  Result<rpc::Nothing> remove(rpc::BlockdevRemove const& call);
  Result<rpc::Nothing> rename(rpc::BlockdevRename const& call);
  Result<rpc::Nothing> convert(rpc::BlockdevConvert const& call, rpc::Progress const& progress);
  Result<rpc::BlockdevFound> find(rpc::BlockdevFind const& call) const;

  Paths paths_;
  sys::Processes& processes_;
  InstanceTurns& turns_;
  Hypervisors const& hypervisors_;
  std::unique_ptr<BlockDevices> file_;
  std::unique_ptr<BlockDevices> plain_;
};

// A name that becomes part of a path must be one component of it.
Result<void> check_instance_name(std::string_view instance);

// The disk files below a directory.
Result<rpc::DiskFileList> disk_files(std::string const& directory);

}  // namespace flotte::node
