// Queries: asks the nodes for what a query needs, all at once, and runs it. Thread-safe.
#pragma once

#include "jobs/job_queue.h"

namespace flotte::rapi {

namespace json = boost::json;

Result<json::value> run_query(jobs::Seams const& seams, jobs::JobQueue const& queue,
                              std::int64_t leader_epoch, json::object const& body);
Result<json::value> run_query_fields(json::object const& body);
json::value cluster_dict(model::Cluster const& cluster, bool is_drained,
                         std::optional<std::int64_t> watcher_paused_until);

}  // namespace flotte::rapi
