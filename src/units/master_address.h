// What activating and deactivating the cluster's address share.
#pragma once

#include "jobs/locks.h"
#include "model/cluster.h"
#include "rpc/node_calls.h"

namespace flotte::units {

bool has_master_address(model::Cluster const& cluster);
jobs::LockSet master_address_locks(model::Cluster const& cluster);
Result<rpc::MasterAddress> master_address_of(model::Cluster const& cluster, bool is_up);

}  // namespace flotte::units
