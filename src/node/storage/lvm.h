// Volume groups and volumes as LVM reports them, by its commands. Used by the template plain and by
// what lists volumes. Blocking; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/size.h"
#include "sys/process.h"

namespace flotte::node {

struct LogicalVolume {
  std::string vg;
  std::string name;
  Bytes size;
  Bytes extent;                     // of its volume group: what sizes are rounded up to
  std::vector<std::string> layout;  // "linear", "raid" and "raid1", "thin" and "pool", ...
  std::vector<std::string> roles;   // "public" or "private", "origin", "thicksnapshot", ...
  std::vector<std::string> tags;
  std::vector<std::string> devices;    // physical volumes, or the parts that it is made of
  std::string origin;                  // of a snapshot
  std::string parent;                  // of a part
  std::vector<std::string> snapshots;  // of it, which LVM removes together with it
  bool is_hidden = false;              // LVM doesn't list it
  bool is_active = false;
  bool is_open = false;
  bool is_partial = false;  // a physical volume is missing
  bool is_moving = false;   // by pvmove
  bool is_merging = false;  // with a snapshot
  bool skips_activation = false;
  bool is_lost = false;  // a snapshot that is full
};

struct LogicalVolumeGroup {
  std::string name;
  Bytes size;
  Bytes free;
  Bytes extent;
};

// Of one volume group or, where `vg` is empty, of all; hidden ones too, each of them once.
// `devices` are told of all only.
Result<std::vector<LogicalVolume>> logical_volumes(sys::Processes& processes,
                                                   std::string const& vg);
Result<std::vector<LogicalVolumeGroup>> logical_volume_groups(sys::Processes& processes);

// "is a thin pool: …": why it can be nobody's disk. Empty: it is a volume of its own.
std::string why_no_disk(LogicalVolume const& volume);
// "is being moved …": why a disk can't be taken over now. Empty: it can.
std::string why_not_now(LogicalVolume const& volume);

sys::Command lvm(std::vector<std::string> argv);

}  // namespace flotte::node
