// NodeDaemon: what flotte-noded is, as an object: directories, epoch, the local socket and, where
// there is a cluster, the TCP port with mutual TLS.
//
// Used by its main and by tests. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/paths.h"
#include "base/random.h"
#include "node/daemon/leader_epoch.h"
#include "node/daemon/machinery.h"
#include "node/daemon/membership.h"
#include "node/daemon/service.h"
#include "rpc/dispatch.h"

namespace flotte::net {
class Server;
}

namespace flotte::node {

class NodeDaemon {
 public:
  // Serves when it returns.
  static Result<std::unique_ptr<NodeDaemon>> create(Paths const& paths, Machinery machinery,
                                                    Clock& clock, Random& random);
  ~NodeDaemon();  // stop()
  NodeDaemon(NodeDaemon const&) = delete;
  NodeDaemon& operator=(NodeDaemon const&) = delete;

  // Ends every call: scripts are killed, guests are not touched. Waits for calls that can't be
  // ended at once.
  void stop();
  // The same, but false when a call still works after so long; then only the end of the process
  // is left.
  bool stop_within(Duration patience);

  std::uint16_t port() const;  // 0 before there is a cluster
  std::vector<std::string> calls() const { return dispatcher_.names(); }

 private:
  NodeDaemon(Paths paths, Machinery machinery, Clock& clock, Random& random,
             std::int64_t leader_epoch);

  void close();
  Result<void> open_local();
  Result<void> open_network();

  Result<rpc::BootstrapReply> bootstrap(rpc::Bootstrap const& wish);
  Result<rpc::BootstrapReply> make_and_serve(rpc::Bootstrap const& wish);
  Result<rpc::Nothing> leave();
  Result<void> refuse_while_guests_run();
  Result<rpc::CryptoRenewed> renew(rpc::RenewCrypto const& wish);
  Result<void> reload_certificates();

  Paths const paths_;
  Machinery machinery_;
  Clock& clock_;
  Random& random_;
  LeaderEpoch epoch_;
  rpc::Dispatcher dispatcher_;
  Service service_;

  // Guards the cluster's files and network_: one bootstrap or leave at a time.
  mutable std::mutex mutex_;
  std::unique_ptr<net::Server> local_;
  std::unique_ptr<net::Server> network_;
};

}  // namespace flotte::node
