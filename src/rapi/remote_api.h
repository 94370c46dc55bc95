// RemoteApi: Ganeti's RAPI, version 2: who asks, what for, whether he may, and the answer. Routes
// are rows of two tables, reads.h and changes.h. Ganeti's rules: docs/ganeti.md, "Remote API".
//
// The handler of net::Server: called on many threads at once.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "jobs/principal.h"
#include "net/http.h"
#include "rapi/accounts.h"
#include "rapi/changes.h"
#include "rapi/reads.h"
#include "rapi/shared_answers.h"

namespace flotte::rapi {

class RemoteApi {
 public:
  struct Options {
    bool requires_authentication = false;  // nothing is for everybody
  };

  // The accounts outlive it.
  RemoteApi(Services services, Accounts& accounts, Options options);

  void handle(net::Request const& request, net::Responder& responder);
  // To be called now and then: gives memory back.
  void tidy() { shared_.forget_old(); }
  // {"code", "message", "explain"}; what the server itself refuses, too.
  static net::Response refused(Refusal const& refusal);

 private:
  using Serves = Granted<void> (RemoteApi::*)(RemoteCall const& call, jobs::Principal const& who,
                                              net::Responder& responder);
  struct Resource {
    std::string_view method;
    std::string_view path;
    std::string_view permission;
    Access access;
    std::variant<Read const*, Change const*, Serves> answers;
  };
  struct Found {
    Resource const* resource = nullptr;
    std::vector<std::string> places;
  };
  using AccountPtr = std::shared_ptr<Account const>;

  static std::vector<Resource> make_resources();
  Granted<void> answer(net::Request const& request, net::Responder& responder);
  Granted<Found> find(net::Request const& request) const;
  Granted<AccountPtr> account_of(net::Request const& request);
  Granted<void> check_access(Resource const& resource, Account const* account) const;
  Granted<JobId> submit(Change const& change, RemoteCall const& call, jobs::Principal const& who);
  Granted<void> wait(RemoteCall const& call, jobs::Principal const& who, net::Responder& responder);
  Granted<void> describe(RemoteCall const& call, jobs::Principal const& who,
                         net::Responder& responder);
  Granted<void> tell_metrics(RemoteCall const& call, jobs::Principal const& who,
                             net::Responder& responder);

  Granted<SharedAnswers::Text> answer_of(Read const& read, RemoteCall const& call);

  Services services_;
  SharedAnswers shared_{services_};
  Accounts& accounts_;
  Options options_;
  std::vector<Resource> resources_;
};

}  // namespace flotte::rapi
