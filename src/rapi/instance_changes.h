// What is special about changes of instances: rows of changes.cpp name these. Pure; any thread.
#pragma once

#include "rapi/making.h"

namespace flotte::rapi {

inline constexpr Renamed of_creation[] = {{"os", "os_type"}, {"name", "instance_name"}};

Granted<void> prepare_creation(RemoteCall const& call, Draft& draft);
Granted<void> prepare_creations(RemoteCall const& call, Draft& draft);
Granted<void> prepare_modification(RemoteCall const& call, Draft& draft);
Granted<void> prepare_removal(RemoteCall const& call, Draft& draft);
Granted<void> prepare_info(RemoteCall const& call, Draft& draft);
Granted<void> prepare_reboot(RemoteCall const& call, Draft& draft);
Granted<void> prepare_disk_replacement(RemoteCall const& call, Draft& draft);
Granted<void> prepare_disk_growth(RemoteCall const& call, Draft& draft);
Granted<void> prepare_export_preparation(RemoteCall const& call, Draft& draft);

Granted<std::vector<json::object>> reinstallation(RemoteCall const& call);

}  // namespace flotte::rapi
