// BlockDevices: the disks of one template on this node. One implementation a template; one contract
// test for all.
//
// Every call is idempotent. A disk carries its owner and an epoch: assemble() with a lower epoch
// than the disk's own is refused, so that a deposed controller can't give a disk to a second
// writer. It also carries from where on it is to be wiped, from before that space is allocated
// until it is overwritten: nobody sees what was there before, whenever the daemon dies. Called from
// several threads at once, never twice at once for one disk.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/paths.h"
#include "rpc/dispatch.h"
#include "rpc/node_calls.h"
#include "sys/process.h"

namespace flotte::node {

class BlockDevices {
 public:
  virtual ~BlockDevices() = default;

  // AlreadyExists where something of that name is there that is not this instance's, or has another
  // size.
  virtual Result<void> create(rpc::BlockdevCreate const& call) = 0;
  virtual Result<void> create_unwiped(rpc::BlockdevCreateUnwiped const& call) = 0;
  virtual Result<void> remove(std::string const& instance, rpc::DiskSpec const& disk) = 0;
  // See rpc::BlockdevAdopt and BlockdevRelease. WrongInput where the template knows no adoption.
  virtual Result<void> adopt(rpc::BlockdevAdopt const& call) = 0;
  virtual Result<void> release(rpc::BlockdevRelease const& call) = 0;
  // See rpc::BlockdevRename. Both of its disks are of this template.
  virtual Result<void> rename(rpc::BlockdevRename const& call) = 0;
  virtual Result<void> grow(rpc::BlockdevGrow const& call) = 0;
  virtual Result<void> grow_unwiped(rpc::BlockdevGrowUnwiped const& call) = 0;
  virtual Result<void> wipe(rpc::BlockdevWipe const& call, rpc::Progress const& progress) = 0;
  // Before a guest may see all of it: nothing of it is to be wiped.
  virtual Result<void> check_wiped(std::string const& instance, rpc::DiskSpec const& disk) = 0;
  // Fences the disk by the epoch and gives the path that opens it.
  virtual Result<std::string> assemble(std::string const& instance, rpc::DiskSpec const& disk,
                                       std::int64_t epoch) = 0;
  // See rpc::BlockdevSnapshot. WrongInput where the template knows no snapshots.
  virtual Result<void> snapshot(rpc::BlockdevSnapshot const& call) = 0;
  // One that isn't there is no error.
  virtual Result<void> remove_snapshot(rpc::BlockdevSnapshotRemove const& call) = 0;
  // What opens it. WrongState: there is none, or it was lost because more was written than it has
  // room for.
  virtual Result<std::string> snapshot_path(std::string const& instance,
                                            rpc::DiskSpec const& disk) = 0;
  // What opens it once it is assembled, whether it is there or not.
  virtual std::string path(rpc::DiskSpec const& disk) const = 0;
  struct Found {
    std::string path;
    std::optional<Bytes> unwiped;  // from there on it is to be wiped
  };
  // None when the disk isn't there or is another instance's.
  virtual Result<std::optional<Found>> find(std::string const& instance,
                                            rpc::DiskSpec const& disk) = 0;
};

// Only below the directories that <etc>/file-storage-paths lists (docs/ganeti.md, "Disks and their
// ids").
std::unique_ptr<BlockDevices> make_file_devices(Paths const& paths);
// LVM by its commands.
std::unique_ptr<BlockDevices> make_plain_devices(sys::Processes& processes);

// All of the node; none on a machine without LVM.
Result<std::vector<rpc::VolumeGroup>> volume_groups(sys::Processes& processes);
// Each once, parts of others too.
Result<std::vector<rpc::Volume>> volumes(sys::Processes& processes);

// What of a disk is its instance's: what it has grown and was not wiped is not, and may be given
// back at any time. A new one that isn't wiped at all has the size that it is to have.
MiB own_size(MiB size, std::optional<Bytes> unwiped);

}  // namespace flotte::node
