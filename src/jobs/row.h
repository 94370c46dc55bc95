// A job in memory: what is stored of it, and what only matters while the controller lives. Internal
// to this folder.
#pragma once

#include <optional>

#include "jobs/job.h"
#include "jobs/job_queue.h"
#include "jobs/journal.h"

namespace flotte::jobs {

struct JobQueue::Row {
  Job job;
  std::size_t current = 0;  // the opcode that is next or runs
  LockSet locks;            // asked for or held, for the current opcode
  bool wants_locks = false;
  bool is_executing = false;
  // It ends so without running, as soon as a worker has written it.
  std::optional<std::pair<Status, json::value>> ends_as;
  bool is_cancel_wanted = false;
  std::optional<json::object> progress;
  std::uint64_t progress_serial = 0;
  std::int64_t last_log_serial = 0;
  // Left by a controller that died; the execution goes on from it.
  std::optional<Journal> journal;
  // Something of its journal is stored although it has ended: people should look at it.
  bool leaves_journal = false;
  // What was stored, where it can't be read.
  std::string unreadable;

  OpState& op() { return job.ops[current]; }
};

}  // namespace flotte::jobs
