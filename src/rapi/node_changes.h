// What is special about changes of nodes: rows of changes.cpp name these. Pure; any thread.
#pragma once

#include "rapi/making.h"

namespace flotte::rapi {

Granted<void> prepare_role(RemoteCall const& call, Draft& draft);
Granted<void> prepare_node_migration(RemoteCall const& call, Draft& draft);
Granted<void> prepare_storage_list(RemoteCall const& call, Draft& draft);
Granted<void> prepare_storage_repair(RemoteCall const& call, Draft& draft);
Granted<void> prepare_storage_modification(RemoteCall const& call, Draft& draft);

}  // namespace flotte::rapi
