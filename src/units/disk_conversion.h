// `gnt-instance modify -t`: the disks of an instance become others, of another template. Pure, but
// for look_at_disks().
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"
#include "rpc/node_calls.h"
#include "units/device_changes.h"

namespace flotte::units {

// A disk as its node has it.
struct DiskState {
  MiB size;  // larger than configured where volumes are made of whole extents; 0: unknown
  bool is_open = false;
  std::string hindrance;  // why what is on it can't be copied, or it not removed then
};

// By the index of each disk; null: it is missing.
using DiskStates = std::vector<std::optional<DiskState>>;

Result<DiskStates> look_at_disks(model::Cluster const& cluster, model::Instance const& instance,
                                 jobs::NodeReader& nodes);

// What forbids it, whatever its node says.
Result<void> check_conversion(opcodes::InstanceSetParams const& op, model::Settings const& settings,
                              model::Instance const& instance);

// Gives the instance new disks, as many and as large; what was is in `removed`, in the same order.
Result<DeviceChanges> convert_disks(opcodes::InstanceSetParams const& op, DeviceMaker& maker,
                                    model::Instance& instance, DiskStates const& disks);

}  // namespace flotte::units
