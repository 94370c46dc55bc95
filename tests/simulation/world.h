// World: a cluster in one process: real controllers over a simulated store, nodes and clock, with
// supervisors that start again what died, users who operate it, and the invariants that watch.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core.h"
#include "invariants.h"
#include "nodes.h"
#include "scheduler.h"
#include "script.h"
#include "store.h"

namespace flotte::simulation {

namespace json = boost::json;

// Where a process is to die: at the n-th point from the moment it is set.
enum class Victim { Controller, Daemon, Both };
struct CrashAt {
  std::uint64_t point = 0;
  Victim victim = Victim::Controller;
};

class World {
 public:
  explicit World(Options options);
  ~World();

  // Runs `story` in a world that is set up, then lets things get quiet and checks. Once.
  void run(std::function<void(World&)> const& story);

  // --- For stories
  // A job's opcodes; none: nobody leads, or nobody answered.
  std::optional<JobId> submit(json::array ops);
  // Waits until the job has ended; its status as stored. None: it did not end in time.
  void change_priority(JobId job, std::int64_t priority);
  // Runs `ask` as a thread of the leading controller; false when it died before it was done.
  bool ask_leader(std::function<void(controller::Core&)> ask);
  std::optional<jobs::Status> wait_for(JobId job, Duration patience);
  void play(std::vector<Entry> const& script);
  // Those that the opcode would make anew are gone, where the instance is down.
  void lose_disks(json::object const& op);
  // Of the controller that leads; 0: none does.
  std::int64_t epoch();
  void hang_leader(Duration duration);
  void sleep(Duration duration) { scheduler_.sleep_for(duration); }
  // The places where a process may die are counted from now on, and those named are used.
  void crash_at(std::vector<CrashAt> crashes);
  std::uint64_t points_seen() const { return points_; }
  std::vector<std::string> const& points() const { return point_names_; }

  Invariants& invariants() { return invariants_; }
  Scheduler& scheduler() { return scheduler_; }
  SimulatedStore& store() { return store_; }
  SimulatedNodes& nodes() { return nodes_; }
  Options const& options() const { return options_; }

  // --- Afterwards
  std::optional<Broken> broken() const;
  std::vector<std::string> const& trace() const { return trace_; }
  std::uint64_t fingerprint() const { return fingerprint_; }
  std::uint64_t jobs_submitted() const { return jobs_submitted_; }

 private:
  struct Host;  // of a controller

  void set_up();
  void add_idle_machines();
  // A task outside of the cluster, which nothing kills.
  void play_outside(std::string name, std::function<void()> body);
  void supervise(Host& host);
  Host* leader();
  void happen(Entry const& entry);
  void operate(Entry const& entry);
  void list();
  void strike(Entry const& entry);
  void on_point(std::string_view what, NodeId const* node);
  void note(std::string text);
  void settle();
  void look_at_locks();
  NodeId any_node(Random& random) const;

  Options options_;
  Scheduler scheduler_;
  SeededRandom random_;
  SimulatedStore store_;
  SimulatedNodes nodes_;
  Invariants invariants_;
  jobs::MemoryKeys keys_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::shared_ptr<Process> outside_;
  std::vector<CrashAt> crashes_;
  // At so many more points of their own a controller and a node daemon die; 0: they don't.
  std::uint64_t controller_dies_in_ = 0;
  std::uint64_t daemon_dies_in_ = 0;
  std::uint64_t points_ = 0;
  bool counts_points_ = false;
  std::vector<std::string> point_names_;
  std::vector<std::string> trace_;
  std::uint64_t fingerprint_ = 0;
  std::uint64_t jobs_submitted_ = 0;
  std::uint64_t pending_ = 0;      // tasks outside of the cluster that have not ended
  std::uint64_t supervisors_ = 0;  // those of them that end with the world
  bool is_over_ = false;
};

}  // namespace flotte::simulation
