// What the nodes say of the disks of many instances: for lists, and for what verifies or repairs.
// Reads; nodes are asked at the same time, of their instances one after the other.
#pragma once

#include <map>
#include <vector>

#include "jobs/unit.h"

namespace flotte::units {

// One answer an instance; instances without disks, and those of offline nodes, are left out. A node
// that can't be reached is asked once.
std::map<InstanceId, Result<rpc::BlockdevFound>> survey_disks(
    model::Cluster const& cluster, std::vector<model::InstancePtr> const& instances,
    jobs::NodeReader& nodes);

}  // namespace flotte::units
