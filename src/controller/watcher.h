// Watcher: finishes what was wished. Looks every few minutes for instances that should run and do
// not, starts them (five tries in eight hours each), marks those that switched themselves off, and
// archives old jobs (ganeti-compat §11). Every five minutes it has the scripts run that people hung
// on it (docs/hooks.md). Does nothing of that while it is paused.
//
// One thread of the controller; acts only by submitting jobs, so it never races with an operator.
// The pause and the tries are in the store: the next controller knows of them.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "jobs/job_queue.h"

namespace flotte::controller {

class Watcher {
 public:
  Watcher(jobs::Seams seams, jobs::JobQueue& queue, std::int64_t leader_epoch);
  ~Watcher();

  // Before start().
  Result<void> load();
  void start();
  void stop();

  // Until that moment, in seconds since the epoch; none: from now on it looks again. From any
  // thread.
  Result<void> pause(std::optional<std::int64_t> until);
  std::optional<std::int64_t> paused_until() const;

 private:
  void run();
  void look();
  void keep_master_address(model::Cluster const& cluster);
  void run_hooks(model::Cluster const& cluster);
  void forget_tries(model::Cluster const& cluster);
  bool may_try(InstanceId const& instance);
  std::int64_t now() const;

  jobs::Seams seams_;
  jobs::JobQueue& queue_;
  std::int64_t leader_epoch_;
  // Seconds since the epoch, by instance. Of its thread alone.
  std::map<InstanceId, std::vector<std::int64_t>> tries_;
  Instant next_hooks_{};
  mutable std::mutex mutex_;
  std::optional<std::int64_t> paused_until_;
  std::condition_variable stop_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::controller
