// Services: what both APIs stand on. All of it outlives them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "jobs/job_queue.h"
#include "rapi/followers.h"

namespace flotte::rapi {

namespace json = boost::json;

struct Services {
  jobs::Seams seams;
  jobs::JobQueue& queue;
  std::int64_t leader_epoch;
  Followers& followers;
  // What only the controller itself can do.
  std::function<Result<JobId>(json::object const& settings, jobs::Principal const& by)> initialise;
  std::function<Result<void>()> destroy;
  // Seconds since the epoch; none: it is not paused.
  std::function<Result<void>(std::optional<std::int64_t> until)> pause_watcher;
  std::function<std::optional<std::int64_t>()> watcher_paused_until;
  // Returns when it has looked.
  std::function<Result<void>(bool ignores_pause)> watcher_looks;
};

}  // namespace flotte::rapi
