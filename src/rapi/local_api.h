// LocalApi: what the gnt-* commands ask of the controller over its Unix socket; docs/local-api.md
// lists the routes.
//
// The handler of net::Server: called on many threads at once, and may block while a command follows
// its job.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "jobs/job_queue.h"
#include "net/http.h"

namespace flotte::rapi {

namespace json = boost::json;

struct Services {
  jobs::Seams seams;
  jobs::JobQueue& queue;
  std::int64_t leader_epoch;
  // What only the controller itself can do.
  std::function<Result<JobId>(json::object const& settings)> initialise;
  std::function<Result<void>()> destroy;
  // Seconds since the epoch; none: it is not paused.
  std::function<Result<void>(std::optional<std::int64_t> until)> pause_watcher;
  std::function<std::optional<std::int64_t>()> watcher_paused_until;
  // Returns when it has looked.
  std::function<Result<void>(bool ignores_pause)> watcher_looks;
};

class LocalApi {
 public:
  explicit LocalApi(Services services) : services_(std::move(services)) {}

  void handle(net::Request const& request, net::Responder& responder);

 private:
  Result<json::value> answer(net::Request const& request);
  Result<json::value> answer_job(std::string_view method, std::string_view rest,
                                 net::Request const& request);
  Result<json::value> query(json::object const& body);
  Result<json::value> query_fields(json::object const& body);
  Result<json::value> cluster();
  Result<json::value> tell_watcher(json::object const& body);
  void submit(net::Request const& request, net::Responder& responder);
  void follow(net::Responder& responder, std::vector<JobId> ids, std::int64_t after,
              std::string first_line);

  Services services_;
};

}  // namespace flotte::rapi
