// What `gnt-instance modify --net` and `--disk` ask for (ganeti-compat §1.4), applied to an
// instance's lists of NICs and disks. Pure.
#pragma once

#include "units/devices.h"

namespace flotte::units {

struct DeviceChanges {
  std::vector<model::Disk> created;
  std::vector<model::Disk> removed;
  json::array told;  // [[name, value], ...], as Ganeti says it
};

// Applies [action, index | name | UUID, {parameters}] one after the other, disks first.
// UnknownEntity or WrongInput: what is named isn't there, or can't be done to it.
Result<DeviceChanges> change_devices(DeviceMaker& maker, model::Settings const& settings,
                                     model::Instance& instance, json::array const& disks,
                                     json::array const& nics);

}  // namespace flotte::units
