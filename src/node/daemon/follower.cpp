#include "node/daemon/follower.h"

#include <algorithm>

namespace flotte::node {

void Follower::round() {
  auto const asked = hypervisor_.asked();
  forget_all_but(asked);
  for (auto const& instance : asked) {
    if (!is_due(instance) || !hypervisor_.lacking(instance)) continue;
    hear(instance);
    if (!give_back_(instance)) look_next_round(instance);
  }
}

void Follower::begin_anew(std::string const& instance) {
  std::lock_guard const guard(mutex_);
  paces_.erase(instance);
}

void Follower::forget_all_but(std::vector<std::string> const& instances) {
  std::lock_guard const guard(mutex_);
  std::erase_if(paces_, [&](auto const& pace) {
    return std::ranges::find(instances, pace.first) == instances.end();
  });
}

bool Follower::is_due(std::string const& instance) {
  std::lock_guard const guard(mutex_);
  auto& pace = paces_[instance];
  if (++pace.waited < pace.interval) return false;
  pace.waited = 0;
  pace.interval = std::min(2 * pace.interval, interval_max);
  return true;
}

// What it gets back may fail, and be tried again: soon at first.
void Follower::hear(std::string const& instance) {
  std::lock_guard const guard(mutex_);
  auto& pace = paces_[instance];
  if (!pace.has_answered) pace = {.has_answered = true};
}

void Follower::look_next_round(std::string const& instance) {
  std::lock_guard const guard(mutex_);
  auto& pace = paces_[instance];
  pace.waited = pace.interval;
}

}  // namespace flotte::node
