// What `gnt-instance modify --net` and `--disk` ask for (docs/ganeti.md, "Disks and NICs of a
// command"), applied to an instance's lists of NICs and disks. Pure.
#pragma once

#include "units/devices.h"

namespace flotte::units {

struct DeviceChanges {
  std::vector<model::Disk> created;
  std::vector<model::Disk> removed;
  std::vector<model::Disk> detached;
  std::vector<model::DetachedDisk> attached;  // as they were
  json::array told;                           // [[name, value], ...], as Ganeti says it
  std::vector<std::string> notes;             // of NICs that come into networks
};

// Applies [action, index | name | UUID, {parameters}] one after the other, disks first.
// UnknownEntity or WrongInput: what is named isn't there, or can't be done to it.
Result<DeviceChanges> change_devices(DeviceMaker& maker, model::Cluster const& cluster,
                                     model::Instance& instance, json::array const& disks,
                                     json::array const& nics);

// What such changes of NICs may ask of the pools of networks.
PoolWishes pool_wishes(json::array const& changes, model::Cluster const& cluster,
                       model::Instance const& instance);

}  // namespace flotte::units
