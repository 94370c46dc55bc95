// NodeClient: asks node daemons over HTTP with mutual TLS; answers stream back as JSON lines.
//
// Used by the controller, one for all nodes. Blocking; thread-safe: each node has a pool of
// kept-alive connections. API in rpc/wire.h.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/paths.h"
#include "rpc/node.h"

namespace flotte::net {
class Client;
struct Request;
}  // namespace flotte::net

namespace flotte::rpc {

struct NodeClientOptions {
  std::string certificate_file;  // the controller's, with its key
  std::string ca_file;
  // A node that says nothing at all for so long is taken for dead; a working call says that it is
  // alive far more often.
  std::chrono::seconds silence_max{30};
};

class NodeClient final : public Node {
 public:
  explicit NodeClient(Paths const& paths)
      : NodeClient(NodeClientOptions{paths.controller_certificate(), paths.cluster_ca()}) {}
  explicit NodeClient(NodeClientOptions options);
  ~NodeClient() override;

  // Certificates that were renewed are taken up by the next call: those under way go on with what
  // they began with. When `progress` returns false the node is asked to stop the call, and the
  // answer (most likely an error) is still waited for: nobody may undo what is still being done.
  Result<json::value> invoke(model::Node const& node, std::string_view call,
                             json::object const& arguments, CallContext const& context,
                             Progress const& progress) override;

  // From now on every call, also those under way, ends soon with Unreachable. What they do on
  // their nodes goes on. For the end of the controller.
  void stop() { is_stopping_ = true; }

 private:
  struct Conversation;
  struct Address;
  struct Known {
    std::string certificates;  // identity of the files when they were read
    std::shared_ptr<net::Client> client;
  };

  Result<json::value> invoke_once(model::Node const& node, net::Request const& request,
                                  CallContext const& context, Progress const& progress,
                                  std::string_view call, Known& used);
  // `certificates`: their identity now.
  Result<std::shared_ptr<net::Client>> client_of(model::Node const& node,
                                                 std::string const& certificates);
  std::string certificates_now() const;
  void forget(model::Node const& node, std::shared_ptr<net::Client> const& client);
  void ask_to_stop(model::Node const& node, CallContext const& context);

  NodeClientOptions options_;
  // The simulation has other nodes, so that this needs no other clock.
  SystemClock clock_;
  std::atomic<bool> is_stopping_ = false;
  std::mutex mutex_;
  std::map<Address, Known> clients_;
};

}  // namespace flotte::rpc
