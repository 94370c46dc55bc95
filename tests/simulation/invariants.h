// Invariants: what must be true after every event, and what once things are quiet. Each has a name;
// the first that breaks is kept, with what was seen.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "jobs/job.h"
#include "model/cluster.h"
#include "nodes.h"
#include "store.h"

namespace flotte::simulation {

struct Broken {
  std::string invariant;
  std::string what;
};

class Invariants {
 public:
  Invariants(Scheduler& scheduler, SimulatedStore& store, SimulatedNodes& nodes)
      : scheduler_(scheduler), store_(store), nodes_(nodes) {}

  // --- After every event
  void on_written(store::Txn const& txn);
  void on_node_changed(NodeId const& node);
  void on_call(rpc::CallContext const& context, std::string_view call, std::int64_t highest_epoch);
  // A list said at `asked` or later that an instance runs, or that it doesn't.
  void on_listed(std::string const& instance, bool runs, Instant asked);
  // A submit was answered.
  void on_acknowledged(JobId job);
  // A change of its priority was answered.
  void on_priority(JobId job, std::int64_t priority) { asked_priorities_[job] = priority; }
  // A disk of an instance got lost, by nobody's job.
  void on_lost(std::string const& disk, InstanceId const& instance) { lost_[disk] = instance; }
  // A job still waits for its locks.
  void on_waiting(JobId job);

  // --- Once everything is quiet
  void check_quiet();

  std::optional<Broken> const& broken() const { return broken_; }
  model::Cluster const& cluster() const { return cluster_; }
  std::set<JobId> const& acknowledged() const { return acknowledged_; }
  bool has_ended(JobId job) const;
  std::optional<jobs::Status> status(JobId job) const;
  std::uint64_t checks() const { return checks_; }
  void fail(std::string invariant, std::string what);

 private:
  void take_config(std::string const& key, std::string const* value);
  void take_job(std::string const& key, std::string const& value);
  void reload();
  void check_config();
  void check_disks_of(NodeId const& node);
  void check_store_quiet();
  void follow_name(std::string const& before, std::string const& after);

  Scheduler& scheduler_;
  SimulatedStore& store_;
  SimulatedNodes& nodes_;
  model::Cluster cluster_;
  std::map<JobId, jobs::Status> jobs_;        // as stored
  std::map<JobId, std::int64_t> priorities_;  // of the last opcode, as stored
  std::map<JobId, std::int64_t> asked_priorities_;
  std::set<JobId> archived_;
  std::set<JobId> acknowledged_;
  std::set<JobId> begun_;  // with a journal, or a call that is no hook's
  std::map<JobId, Instant> waiting_since_;
  // When each instance was last seen to run, and not to.
  std::map<std::string, Instant> ran_;
  std::map<std::string, Instant> stood_;
  // Instances that a failed job may have left with fewer or larger disks than the configuration
  // says.
  std::set<std::string> spoiled_;
  // Disks that got lost and were not made anew since, by the place on their node.
  std::map<std::string, InstanceId> lost_;
  // Instances that were started without recording the wish, as --no-remember asks.
  std::set<std::string> unrecorded_;
  std::uint64_t checks_ = 0;
  std::optional<Broken> broken_;
};

}  // namespace flotte::simulation
