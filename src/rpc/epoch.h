// The rules by which a node tells a leader from a deposed one, and a call from one that comes too
// late: it was delayed on its way, and its sender has given up on it since.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rpc/node.h"

namespace flotte::rpc {

// ARCHITECTURE.md, "Jobs that survive": a node refuses an epoch lower than the highest it has seen.
Result<void> check_leader_epoch(std::int64_t claimed, std::int64_t highest_seen);

// Which instance a call is about, by its arguments; empty: about none.
std::string instance_of(json::object const& arguments);

// The latest call that a node took about each instance. In memory: no call outlives the daemon it
// was sent to, because its connection doesn't. Not thread-safe.
class LatestCalls {
 public:
  static constexpr std::size_t instances_max = 10'000;

  // Refuses a call that was sent before the latest one.
  Result<void> take(std::string const& instance, CallContext const& context);

 private:
  struct Sent {
    std::int64_t leader_epoch = 0;
    std::int64_t serial = 0;
    friend auto operator<=>(Sent const&, Sent const&) = default;
  };
  std::map<std::string, Sent> latest_;
};

}  // namespace flotte::rpc
