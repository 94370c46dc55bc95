// LocalApi: what the gnt-* commands ask of the controller over its Unix socket; docs/local-api.md
// lists the routes.
//
// The handler of net::Server: called on many threads at once. Who may open the socket may do
// everything; who it was is known to the job and to the log.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "jobs/job_queue.h"
#include "net/http.h"
#include "rapi/followers.h"
#include "rapi/route.h"
#include "sys/users.h"

namespace flotte::rapi {

struct Services {
  jobs::Seams seams;
  jobs::JobQueue& queue;
  std::int64_t leader_epoch;
  // What only the controller itself can do.
  std::function<Result<JobId>(json::object const& settings, jobs::Principal const& by)> initialise;
  std::function<Result<void>()> destroy;
  // Seconds since the epoch; none: it is not paused.
  std::function<Result<void>(std::optional<std::int64_t> until)> pause_watcher;
  std::function<std::optional<std::int64_t>()> watcher_paused_until;
  // Returns when it has looked.
  std::function<Result<void>(bool ignores_pause)> watcher_looks;
};

class LocalApi {
 public:
  // So many commands may follow jobs at a time.
  LocalApi(Services services, std::size_t followers_max);

  void handle(net::Request const& request, net::Responder& responder);

 private:
  std::vector<Route> make_routes();
  Result<void> answer(net::Request const& request, net::Responder& responder);
  jobs::Principal principal_of(net::Peer const& peer);
  Result<void> check_initialised() const;

  Result<json::value> cluster(Asked const& asked);
  Result<json::value> initialise(Asked const& asked);
  Result<json::value> destroy(Asked const& asked);
  Result<json::value> query(Asked const& asked);
  Result<json::value> query_fields(Asked const& asked);
  Result<json::value> drain(Asked const& asked);
  Result<json::value> tell_watcher(Asked const& asked);
  Result<json::value> cancel(Asked const& asked);
  Result<json::value> archive(Asked const& asked);
  Result<json::value> archive_old(Asked const& asked);
  Result<json::value> change_priority(Asked const& asked);
  Result<void> submit(Asked const& asked, net::Responder& responder);
  Result<void> follow(Asked const& asked, net::Responder& responder);
  Result<void> stream(net::Responder& responder, std::vector<JobId> ids, std::int64_t after,
                      std::string first_line);

  Services services_;
  sys::UserNames users_;
  Followers followers_;
  std::vector<Route> routes_;
};

}  // namespace flotte::rapi
