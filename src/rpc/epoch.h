// The rule by which a node tells a leader from a deposed one. Pure.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace flotte::rpc {

// Architecture, "Jobs that survive": a node refuses an epoch lower than the highest it has seen.
Result<void> check_leader_epoch(std::int64_t claimed, std::int64_t highest_seen);

}  // namespace flotte::rpc
