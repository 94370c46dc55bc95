// Service: HTTP requests to calls of a Dispatcher, with the checks that stand before every call:
// who asks, by which door, and under which leadership.
//
// Used by NodeDaemon; both of its servers hand their requests over. Thread-safe. API in rpc/wire.h.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "net/http.h"
#include "node/daemon/call_table.h"
#include "node/daemon/leader_epoch.h"
#include "rpc/dispatch.h"

namespace flotte::node {

// Local: root's Unix socket. Network: mutual TLS, from the controller.
enum class Door { Local, Network };

class Service {
 public:
  // `local_only`: names of calls that never come over the network.
  Service(rpc::Dispatcher const& dispatcher, LeaderEpoch& epoch, Clock& clock,
          std::set<std::string, std::less<>> local_only);

  void handle(Door door, net::Request const& request, net::Responder& responder);

  CallTable& calls() { return calls_; }

 private:
  Result<void> check_peer(Door door, net::Peer const& peer) const;
  Result<void> check_call(Door door, std::string_view call) const;
  void handle_call(Door door, std::string_view call, net::Request const& request,
                   net::Responder& responder);
  Result<void> handle_cancel(net::Request const& request);

  rpc::Dispatcher const& dispatcher_;
  LeaderEpoch& epoch_;
  std::set<std::string, std::less<>> local_only_;
  CallTable calls_;
};

}  // namespace flotte::node
