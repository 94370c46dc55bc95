// Core: what a controller is, without the machine it runs on: leadership, configuration, job queue
// and watcher over the four seams. Controller puts it on SQLite, TLS and a socket; the simulation
// puts it on a store, nodes and a clock of its own.
//
// Made and ended by one thread.
#pragma once

#include <atomic>
#include <memory>

#include "controller/ssconf_writer.h"
#include "controller/watcher.h"
#include "jobs/job_queue.h"
#include "store/config_store.h"
#include "store/leadership.h"

namespace flotte::controller {

class Core {
 public:
  struct Seams {
    Clock& clock;
    Random& random;
    store::Store& store;
    rpc::Node& nodes;
    jobs::SecretKeys& keys;
  };

  // A lease of zero: the store is open to nobody else.
  Core(Seams seams, Duration lease);
  // Jobs that run go on after the next start. Guests are not touched.
  ~Core();

  // Waits as a standby until it leads, then reads what is stored. `crashes`: the blame
  // (base/crash.h) that earlier controllers left; when it leads they are taken note of.
  Result<void> lead(std::vector<std::string> const& crashes = {});
  // Resumes the jobs and lets the watcher look.
  void start();
  void stop();
  // False as soon as another controller leads: this one can do nothing any more and should end.
  bool leads() const { return leads_; }

  // `gnt-cluster init`: the first configuration, and the job that runs after it.
  Result<JobId> initialise(boost::json::object const& request, jobs::Principal const& by);
  // `gnt-cluster destroy`.
  Result<void> destroy();

  // After lead().
  jobs::Seams job_seams();
  jobs::JobQueue& queue() { return *queue_; }
  store::ConfigStore& config() { return *config_; }
  Watcher& watcher() { return *watcher_; }
  std::int64_t epoch() const { return leadership_.epoch(); }

 private:
  Result<void> destroy_now();
  void run_destroy_hooks(model::Cluster const& cluster);

  Seams seams_;
  store::Leadership leadership_;
  std::atomic<bool> leads_ = false;
  std::unique_ptr<store::LeaderStore> store_;
  std::unique_ptr<store::ConfigStore> config_;
  jobs::UnitTable units_;
  std::unique_ptr<jobs::JobQueue> queue_;
  std::unique_ptr<Watcher> watcher_;
  std::unique_ptr<SsconfWriter> ssconf_;
};

}  // namespace flotte::controller
