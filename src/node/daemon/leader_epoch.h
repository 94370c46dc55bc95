// LeaderEpoch: the highest leadership epoch that this node has seen, on disk, so that a deposed
// leader stays refused after a restart.
//
// Used by the node daemon. Thread-safe. ARCHITECTURE.md, "Jobs that survive".
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/result.h"

namespace flotte::node {

class LeaderEpoch {
 public:
  // A file that isn't there means that no leader was seen yet; one that can't be read is an error.
  static Result<std::int64_t> read(std::string const& path);

  LeaderEpoch(std::string path, std::int64_t highest_seen)
      : path_(std::move(path)), highest_seen_(highest_seen) {}

  // Refuses an epoch lower than the highest; a higher one is on disk before this returns.
  Result<void> check(std::int64_t claimed);
  // For a node that leaves its cluster.
  Result<void> forget();

 private:
  std::string path_;
  std::mutex mutex_;
  std::int64_t highest_seen_;
};

}  // namespace flotte::node
