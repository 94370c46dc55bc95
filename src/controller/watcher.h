// Watcher: finishes what was wished. Looks every few minutes for instances that should run and do
// not, starts them (five tries in eight hours each, forgotten when one is seen to run), marks those
// that switched themselves off, archives old jobs, and removes archived ones that ended three weeks
// ago. Every five minutes it has the scripts run that people hung on it (docs/hooks.md). Does
// nothing of that while it is paused. docs/ganeti.md, "Watcher".
//
// One thread of the controller; acts only by submitting jobs, which look again at what it saw when
// they have their locks: it never fights an operator.
// The pause and the tries are in the store: the next controller knows of them.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
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

  // Lets it look now, and returns when it has. The jobs that it submitted may still run. From any
  // thread but its own.
  Result<void> look_now(bool ignores_pause);

 private:
  void run();
  void run_hooks_when_due();
  void look();
  void clean_archive();
  void keep_master_address();
  bool settings_are_changing() const;
  void run_hooks(model::Cluster const& cluster);
  void look_at(model::Node const& node, std::vector<rpc::RunningInstance> const& running);
  std::set<std::string> busy_instances(model::Cluster const& cluster) const;
  void forget_tries(InstanceId const& instance);
  void forget_tries_of_the_gone();
  bool may_try(InstanceId const& instance);
  std::int64_t now() const;

  jobs::Seams seams_;
  jobs::JobQueue& queue_;
  std::int64_t leader_epoch_;
  // Seconds since the epoch, by instance. Of its thread alone.
  std::map<InstanceId, std::vector<std::int64_t>> tries_;
  Instant next_hooks_{};
  Instant next_clean_{};
  mutable std::mutex mutex_;
  std::optional<std::int64_t> paused_until_;
  std::condition_variable changed_;  // what follows
  bool is_stopping_ = false;
  std::uint64_t looks_asked_ = 0;     // by look_now()
  std::uint64_t looks_answered_ = 0;  // of these
  bool ignores_pause_ = false;        // the next look
  std::thread thread_;
};

}  // namespace flotte::controller
