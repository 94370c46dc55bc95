// LockManager: which jobs may work at the same time (ganeti-compat §3.3).
//
// A job asks for all its locks at once and gets them all at once or waits; waiting jobs are served
// by priority, then age, and nobody overtakes an earlier job that wants the same lock, so that
// nobody starves. Kept in memory; after a restart the journal tells who held what. Not thread-safe:
// JobQueue owns one and guards it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/id.h"

namespace flotte::jobs {

// In the order in which Ganeti takes them.
enum class LockLevel { Cluster, Instance, NodeGroup, Node, NodeRes, Network };
enum class LockMode { Shared, Exclusive };

struct Lock {
  LockLevel level = LockLevel::Cluster;
  std::string name;  // empty: all of the level
  LockMode mode = LockMode::Shared;

  friend auto operator<=>(Lock const&, Lock const&) = default;
};

using LockSet = std::vector<Lock>;

inline Lock shared(LockLevel level, std::string name) {
  return {level, std::move(name), LockMode::Shared};
}
inline Lock exclusive(LockLevel level, std::string name) {
  return {level, std::move(name), LockMode::Exclusive};
}
inline Lock all_shared(LockLevel level) {
  return {level, "", LockMode::Shared};
}
inline Lock all_exclusive(LockLevel level) {
  return {level, "", LockMode::Exclusive};
}

bool conflict(LockSet const& a, LockSet const& b);
// "instance/web1", "cluster/BGL", "node/[lockset]".
std::string lock_name(Lock const& lock);

class LockManager {
 public:
  struct Entry {
    JobId job{};
    std::int64_t priority = 0;
    std::uint64_t age = 0;  // smaller asked earlier
    LockSet locks;
    bool is_granted = false;
  };

  // Every set also holds the cluster lock, shared where it doesn't say otherwise.
  void request(JobId job, std::int64_t priority, LockSet locks);
  // Gives back everything the job holds or waits for.
  void release(JobId job);
  void change_priority(JobId job, std::int64_t priority);
  // Grants what can be granted and names those jobs, once each.
  std::vector<JobId> grant();

  std::vector<Entry> const& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::uint64_t next_age_ = 0;
};

}  // namespace flotte::jobs
