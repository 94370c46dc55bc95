// A job in memory: what is stored of it, and what only matters while the controller lives. Internal
// to this folder.
#pragma once

#include <optional>

#include "jobs/job.h"
#include "jobs/job_log.h"
#include "jobs/job_queue.h"
#include "jobs/journal.h"
#include "jobs/wish.h"

namespace flotte::jobs {

struct JobQueue::Row {
  Job job;
  std::size_t current = 0;  // the opcode that is next or runs
  LockSet locks;            // asked for or held, for the current opcode
  LockSet plan_locks;       // of these, those that the opcode's plan asked for
  bool wants_locks = false;
  bool is_executing = false;
  // It ends so without running, as soon as a worker has written it.
  std::optional<std::pair<Status, json::value>> ends_as;
  Wish wish;
  // Something about it is on its way to the store: the next waits, so that what is stored last is
  // what is known.
  bool is_being_written = false;
  std::optional<json::object> progress;
  std::uint64_t progress_serial = 0;
  JobLog log;
  // Left by a controller that died; the execution goes on from it.
  std::optional<Journal> journal;
  // Something of its journal is stored although it has ended: people should look at it.
  bool leaves_journal = false;
  // What marks in its opcodes stand for; sealed in the store until it ends.
  json::array secrets;
  bool has_secrets = false;
  // What was stored, where it can't be read.
  std::string unreadable;

  OpState& op() { return job.ops[current]; }
  // What is told must be durable: until then it counts as running.
  bool is_end_being_stored() const { return is_final(job.status()) && is_executing; }
  // An end counts when it is durable.
  bool has_ended() const { return is_final(job.status()) && !is_executing; }
  // It neither runs nor is about to.
  bool is_idle() const {
    return !is_final(job.status()) && !is_executing && !wants_locks && !ends_as;
  }
  // What it left behind is not put away by a clock.
  bool waits_for_people() const { return leaves_journal || !job.set_aside.empty(); }
  void apply_priority() {
    if (!wish.priority) return;
    for (auto i = current; i < job.ops.size(); ++i) job.ops[i].priority = *wish.priority;
  }
};

// While one lives, what others let go of stays claimed for who decides by what it sees.
class JobQueue::Look {
 public:
  explicit Look(JobQueue& queue) : queue_(queue) {
    Guard const guard(queue_.seams_.clock, queue_.mutex_);
    id_ = queue_.claims_.begin_look();
  }
  // No Guard: what unwinds a thread may not begin in a destructor, and nobody is sent away while he
  // holds the mutex.
  ~Look() {
    std::lock_guard const lock(queue_.mutex_);
    queue_.claims_.end_look(id_);
  }
  Look(Look const&) = delete;
  Look& operator=(Look const&) = delete;
  std::uint64_t id() const { return id_; }

 private:
  JobQueue& queue_;
  std::uint64_t id_;
};

}  // namespace flotte::jobs
