#include "jobs/locks.h"

#include <algorithm>

#include "base/lookup.h"
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

}  // namespace

std::string lock_name(Lock const& lock) {
  if (lock.level == LockLevel::Cluster) return fmt::format("cluster/{}", lock.name);
  return fmt::format("{}/{}", level_name(lock.level), lock.name.empty() ? "[lockset]" : lock.name);
}

LockSet together(LockSet locks, LockSet const& more) {
  for (auto const& lock : more) {
    if (std::ranges::find(locks, lock) == locks.end()) locks.push_back(lock);
  }
  return locks;
}

boost::json::array encode(LockSet const& locks) {
  boost::json::array out;
  for (auto const& lock : locks) {
    out.push_back(boost::json::array{static_cast<std::int64_t>(lock.level),
                                     boost::json::string_view(lock.name),
                                     lock.mode == LockMode::Exclusive});
  }
  return out;
}

Result<LockSet> decode_locks(boost::json::array const& stored) {
  LockSet locks;
  for (auto const& one : stored) {
    auto const* parts = one.if_array();
    if (!parts || parts->size() != 3 || !(*parts)[0].is_int64() || !(*parts)[1].is_string() ||
        !(*parts)[2].is_bool() || (*parts)[0].get_int64() < 0 ||
        (*parts)[0].get_int64() > static_cast<std::int64_t>(LockLevel::Network)) {
      return fail(ErrorCode::InternalError, "has a lock that is none");
    }
    locks.push_back({static_cast<LockLevel>((*parts)[0].get_int64()),
                     std::string(std::string_view((*parts)[1].get_string())),
                     (*parts)[2].get_bool() ? LockMode::Exclusive : LockMode::Shared});
  }
  return locks;
}

void LockManager::request(JobId job, std::int64_t priority, LockSet locks) {
  auto const has_cluster = std::ranges::any_of(locks, [](Lock const& lock) {
    return lock.level == LockLevel::Cluster && lock.name == "BGL";
  });
  if (!has_cluster) locks.push_back(shared(LockLevel::Cluster, "BGL"));
  auto const [found, is_new] = entries_.try_emplace(job);
  CHECK(is_new);
  found->second = {job, priority, next_age_++, std::move(locks)};
  waiting_.insert(place_of(found->second));
}

void LockManager::release(JobId job) {
  auto const found = entries_.find(job);
  if (found == entries_.end()) return;
  if (found->second.is_granted) {
    held_.remove(found->second.locks);
  } else {
    waiting_.erase(place_of(found->second));
  }
  entries_.erase(found);
}

void LockManager::change_priority(JobId job, std::int64_t priority) {
  auto const found = entries_.find(job);
  if (found == entries_.end()) return;
  auto& entry = found->second;
  auto const has_waited = waiting_.erase(place_of(entry)) > 0;
  entry.priority = priority;
  if (has_waited) waiting_.insert(place_of(entry));
}

std::vector<JobId> LockManager::grant() {
  std::vector<JobId> granted;
  // One that waits is in front of all after it: they may not take what it wants.
  LockCounts in_front;
  for (auto place = waiting_.begin(); place != waiting_.end();) {
    auto& entry = known_at(entries_, std::get<JobId>(*place));
    if (held_.conflict_with(entry.locks) || in_front.conflict_with(entry.locks)) {
      in_front.add(entry.locks);
      ++place;
      continue;
    }
    entry.is_granted = true;
    held_.add(entry.locks);
    granted.push_back(entry.job);
    place = waiting_.erase(place);
  }
  return granted;
}

std::vector<LockManager::Entry> LockManager::entries() const {
  std::vector<Entry> list;
  list.reserve(entries_.size());
  for (auto const& [job, entry] : entries_) list.push_back(entry);
  std::ranges::sort(list, {}, &Entry::age);
  return list;
}

void LockCounts::add(LockSet const& locks) {
  for (auto const& lock : locks) {
    auto& level = levels_[lock.level];
    ++(lock.name.empty() ? level.all : level.any).of(lock.mode);
    if (!lock.name.empty()) ++level.named[lock.name].of(lock.mode);
  }
}

void LockCounts::remove(LockSet const& locks) {
  for (auto const& lock : locks) {
    auto& level = known_at(levels_, lock.level);
    --(lock.name.empty() ? level.all : level.any).of(lock.mode);
    if (lock.name.empty()) continue;
    auto const named = level.named.find(lock.name);
    --named->second.of(lock.mode);
    if (!named->second.excludes(LockMode::Exclusive)) level.named.erase(named);
  }
}

bool LockCounts::conflict_with(LockSet const& locks) const {
  return std::ranges::any_of(locks, [this](Lock const& lock) {
    auto const found = levels_.find(lock.level);
    if (found == levels_.end()) return false;
    auto const& level = found->second;
    if (level.all.excludes(lock.mode)) return true;
    if (lock.name.empty()) return level.any.excludes(lock.mode);
    auto const named = level.named.find(lock.name);
    return named != level.named.end() && named->second.excludes(lock.mode);
  });
}

}  // namespace flotte::jobs
