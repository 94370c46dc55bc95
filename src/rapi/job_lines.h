// The lines of a stream that tells of a job; docs/local-api.md describes them. Pure.
#pragma once

#include "jobs/job_queue.h"

namespace flotte::rapi {

// What somebody has been told of a job.
struct Told {
  jobs::Status status = jobs::Status::Queued;
  std::int64_t log_serial = 0;
  std::uint64_t progress = 0;
};

// Of what is new, and takes note of it.
std::string lines_of(jobs::Change const& change, Told& told);
// The last one of a job.
std::string done_line(jobs::Job const& job);
// Any object as a line.
std::string line_of(boost::json::object const& object);

}  // namespace flotte::rapi
