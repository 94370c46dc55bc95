// LocalApi: what the gnt-* commands ask of the controller over its Unix socket; docs/local-api.md
// lists the routes.
//
// The handler of net::Server: called on many threads at once. Who may open the socket may do
// everything; who it was is known to the job and to the log.
#pragma once

#include <string>
#include <vector>

#include "net/http.h"
#include "rapi/route.h"
#include "rapi/services.h"
#include "sys/users.h"

namespace flotte::rapi {

class LocalApi {
 public:
  explicit LocalApi(Services services);

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
  std::vector<Route> routes_;
};

}  // namespace flotte::rapi
