#include "jobs/locks.h"

#include <algorithm>

#include "base/result.h"

namespace flotte::jobs {
namespace {

std::string_view level_name(LockLevel level) {
  switch (level) {
    case LockLevel::Cluster:
      return "cluster";
    case LockLevel::Instance:
      return "instance";
    case LockLevel::NodeGroup:
      return "nodegroup";
    case LockLevel::Node:
      return "node";
    case LockLevel::NodeRes:
      return "node-res";
    case LockLevel::Network:
      break;
  }
  return "network";
}

bool conflict(Lock const& a, Lock const& b) {
  if (a.level != b.level) return false;
  if (a.mode == LockMode::Shared && b.mode == LockMode::Shared) return false;
  return a.name.empty() || b.name.empty() || a.name == b.name;
}

}  // namespace

bool conflict(LockSet const& a, LockSet const& b) {
  return std::ranges::any_of(a, [&](Lock const& one) {
    return std::ranges::any_of(b, [&](Lock const& other) { return conflict(one, other); });
  });
}

std::string lock_name(Lock const& lock) {
  if (lock.level == LockLevel::Cluster) return fmt::format("cluster/{}", lock.name);
  return fmt::format("{}/{}", level_name(lock.level), lock.name.empty() ? "[lockset]" : lock.name);
}

void LockManager::request(JobId job, std::int64_t priority, LockSet locks) {
  auto const has_cluster = std::ranges::any_of(locks, [](Lock const& lock) {
    return lock.level == LockLevel::Cluster && lock.name == "BGL";
  });
  if (!has_cluster) locks.push_back(shared(LockLevel::Cluster, "BGL"));
  entries_.push_back({job, priority, next_age_++, std::move(locks)});
}

void LockManager::release(JobId job) {
  std::erase_if(entries_, [job](Entry const& entry) { return entry.job == job; });
}

void LockManager::change_priority(JobId job, std::int64_t priority) {
  for (auto& entry : entries_) {
    if (entry.job == job) entry.priority = priority;
  }
}

std::vector<JobId> LockManager::grant() {
  std::vector<Entry*> waiting;
  std::vector<Entry const*> in_front;
  for (auto& entry : entries_) {
    if (entry.is_granted) {
      in_front.push_back(&entry);
    } else {
      waiting.push_back(&entry);
    }
  }
  std::ranges::sort(waiting, [](Entry const* a, Entry const* b) {
    return std::pair(a->priority, a->age) < std::pair(b->priority, b->age);
  });

  std::vector<JobId> granted;
  for (auto* entry : waiting) {
    auto const blocked = std::ranges::any_of(
        in_front, [&](Entry const* other) { return conflict(entry->locks, other->locks); });
    if (!blocked) {
      entry->is_granted = true;
      granted.push_back(entry->job);
    }
    // One that waits is in front of all after it: they may not take what it wants.
    in_front.push_back(entry);
  }
  return granted;
}

}  // namespace flotte::jobs
