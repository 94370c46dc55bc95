// LockManager: which jobs may work at the same time (docs/ganeti.md, "Locks").
//
// A job asks for all its locks at once and gets them all at once or waits; waiting jobs are served
// by priority, then age, and nobody overtakes an earlier job that wants the same lock, so that
// nobody starves. Kept in memory; after a restart the journal tells who held what. Not thread-safe:
// JobQueue owns one and guards it.
#pragma once

#include <boost/json/array.hpp>
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "base/result.h"

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

// "instance/web1", "cluster/BGL", "node/[lockset]".
std::string lock_name(Lock const& lock);

// All of both, each once.
LockSet together(LockSet locks, LockSet const& more);

// As a journal keeps them.
boost::json::array encode(LockSet const& locks);
Result<LockSet> decode_locks(boost::json::array const& stored);

// What a number of jobs hold or wait for, counted, so that a set of locks is compared with all of
// them at once.
class LockCounts {
 public:
  void add(LockSet const& locks);
  // They were added before.
  void remove(LockSet const& locks);
  bool conflict_with(LockSet const& locks) const;

 private:
  struct Count {
    std::size_t shared = 0;
    std::size_t exclusive = 0;

    std::size_t& of(LockMode mode) { return mode == LockMode::Shared ? shared : exclusive; }
    bool excludes(LockMode mode) const {
      return exclusive > 0 || (mode == LockMode::Exclusive && shared > 0);
    }
  };
  struct Level {
    Count all;  // locks of the whole level
    Count any;  // locks of one name, whichever
    std::unordered_map<std::string, Count> named;
  };
  std::map<LockLevel, Level> levels_;
};

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
  // Grants what can be granted and names those jobs, once each. Its cost grows with the jobs that
  // wait, not with those that hold.
  std::vector<JobId> grant();

  // In the order in which they asked.
  std::vector<Entry> entries() const;

 private:
  using Place = std::tuple<std::int64_t, std::uint64_t, JobId>;  // priority, age
  static Place place_of(Entry const& entry) { return {entry.priority, entry.age, entry.job}; }

  std::map<JobId, Entry> entries_;
  std::set<Place> waiting_;
  LockCounts held_;
  std::uint64_t next_age_ = 0;
};

}  // namespace flotte::jobs
