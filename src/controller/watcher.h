// Watcher: finishes what was wished. Looks every few minutes for instances that should run and do
// not, starts them (five tries in eight hours each), marks those that switched themselves off, and
// archives old jobs (ganeti-compat §11).
//
// One thread of the controller; acts only by submitting jobs, so it never races with an operator.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jobs/job_queue.h"

namespace flotte::controller {

class Watcher {
 public:
  Watcher(jobs::Seams seams, jobs::JobQueue& queue, std::int64_t leader_epoch);
  ~Watcher();

  void start();
  void stop();

 private:
  void run();
  void look();
  void keep_master_address(model::Cluster const& cluster);
  bool may_try(std::string const& instance);

  jobs::Seams seams_;
  jobs::JobQueue& queue_;
  std::int64_t leader_epoch_;
  std::map<std::string, std::vector<Instant>> tries_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace flotte::controller
