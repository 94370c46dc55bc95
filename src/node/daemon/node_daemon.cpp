#include "node/daemon/node_daemon.h"

#include <algorithm>

#include "base/log.h"
#include "net/server.h"
#include "node/daemon/cluster_keys.h"
#include "node/daemon/settings.h"
#include "node/daemon/state_files.h"
#include "rpc/node_calls.h"

namespace flotte::node {
namespace {

// How soon a waiting call notices that it shall stop.
constexpr std::chrono::milliseconds poll_interval{50};
constexpr double delay_max_s = 86'400;

Result<rpc::Nothing> delay(rpc::TestDelay const& call, rpc::Progress const& progress,
                           Clock& clock) {
  if (!(call.duration_s >= 0 && call.duration_s <= delay_max_s)) {
    return fail(ErrorCode::WrongInput, "The duration must be from 0 to {} seconds, not {}",
                delay_max_s, call.duration_s);
  }
  auto const deadline = clock.now() + std::chrono::duration_cast<Duration>(
                                          std::chrono::duration<double>(call.duration_s));
  while (clock.now() < deadline) {
    clock.sleep_until(std::min(deadline, Instant(clock.now() + poll_interval)));
    if (progress && !progress(just_asking)) {
      return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "The delay was ended early");
    }
  }
  return rpc::Nothing{};
}

bool has_master_address(Membership const& member) {
  return !member.master_ip.empty() && !member.master_netdev.empty();
}

}  // namespace

Result<std::unique_ptr<NodeDaemon>> NodeDaemon::create(Paths const& paths, Machinery machinery,
                                                       Clock& clock, Random& random) {
  TRY(prepare_directories(paths));
  auto const epoch = TRY(LeaderEpoch::read(paths.lib() + "/leader-epoch"));
  std::unique_ptr<NodeDaemon> daemon(
      new NodeDaemon(paths, std::move(machinery), clock, random, epoch));
  if (auto const member = TRY(read_membership(paths))) {
    std::lock_guard const lock(daemon->mutex_);
    // With what is half renewed it works as well: that keeps no node away.
    auto const finished =
        finish_renewal(paths, *member, clock.wall(), [] { return Result<void>(); });
    if (!finished) log::error("Renewing the certificates: {}", finished.error().message);
    TRY(daemon->open_network());
  }
  // Last: whoever waits for the start of the daemon waits for this socket.
  TRY(daemon->open_local());
  return daemon;
}

NodeDaemon::NodeDaemon(Paths paths, Machinery machinery, Clock& clock, Random& random,
                       std::int64_t leader_epoch)
    : paths_(std::move(paths)),
      machinery_(std::move(machinery)),
      clock_(clock),
      random_(random),
      epoch_(paths_.lib() + "/leader-epoch", leader_epoch),
      service_(dispatcher_, epoch_, clock,
               {std::string(rpc::Bootstrap::name), std::string(rpc::LeaveCluster::name),
                std::string(rpc::RenewCrypto::name)}) {
  using rpc::CallContext;
  using rpc::Progress;
  dispatcher_.on<rpc::TestDelay>(
      [this](rpc::TestDelay const& call, CallContext const&, Progress const& progress) {
        return delay(call, progress, clock_);
      });
  dispatcher_.on<rpc::Bootstrap>([this](rpc::Bootstrap const& wish, CallContext const&,
                                        Progress const&) { return bootstrap(wish); });
  dispatcher_.on<rpc::LeaveCluster>(
      [this](rpc::LeaveCluster const&, CallContext const&, Progress const&) { return leave(); });
  dispatcher_.on<rpc::RenewCrypto>([this](rpc::RenewCrypto const& wish, CallContext const&,
                                          Progress const&) { return renew(wish); });
  if (machinery_.add_calls) machinery_.add_calls(dispatcher_);
}

NodeDaemon::~NodeDaemon() {
  stop();
}

// First the work, then those who wait for its answers.
void NodeDaemon::stop() {
  service_.calls().stop();
  close();
}

bool NodeDaemon::stop_within(Duration patience) {
  if (!service_.calls().stop(clock_.now() + patience)) return false;
  close();
  return true;
}

void NodeDaemon::close() {
  std::unique_ptr<net::Server> local;
  std::unique_ptr<net::Server> network;
  std::lock_guard const lock(mutex_);
  local = std::move(local_);
  network = std::move(network_);
}

std::uint16_t NodeDaemon::port() const {
  std::lock_guard const lock(mutex_);
  return network_ ? network_->port() : std::uint16_t{0};
}

Result<void> NodeDaemon::open_local() {
  constexpr mode_t root_only = 0600;
  net::ServerOptions options;
  options.unix_socket = net::UnixListen{.path = paths_.node_socket(), .mode = root_only};
  local_ = TRY(net::Server::create(std::move(options),
                                   [this](net::Request const& request, net::Responder& responder) {
                                     service_.handle(Door::Local, request, responder);
                                   }));
  return {};
}

Result<void> NodeDaemon::open_network() {
  if (network_) return {};
  auto const where = TRY(listen_settings(paths_));
  net::ServerOptions options;
  options.tcp = net::TcpListen{
      .address = where.address,
      .port = where.port,
      .tls = net::TlsServerOptions{.certificate_file = paths_.node_certificate(),
                                   .ca_file = paths_.cluster_ca(),
                                   .client_certificate = net::ClientCertificate::Required}};
  network_ = TRY(net::Server::create(
      std::move(options), [this](net::Request const& request, net::Responder& responder) {
        service_.handle(Door::Network, request, responder);
      }));
  log::info("Serving on {}:{}", where.address, network_->port());
  if (network_->port() == noded_port_default) return remove_state_file(paths_.node_port_file());
  constexpr mode_t mode = 0644;
  return write_state_file(paths_.node_port_file(), fmt::format("{}\n", network_->port()), mode);
}

Result<rpc::BootstrapReply> NodeDaemon::bootstrap(rpc::Bootstrap const& wish) {
  std::lock_guard const lock(mutex_);
  auto const is_new = !TRY(read_membership(paths_));
  if (is_new && machinery_.check_wish) TRY(machinery_.check_wish(wish));
  auto reply = make_and_serve(wish);
  if (reply || !is_new) return reply;
  // A refused wish leaves nothing behind.
  network_.reset();
  if (auto const removed = remove_cluster(paths_); !removed) {
    log::error("After a failed bootstrap: {}", removed.error().message);
  }
  return reply;
}

Result<rpc::BootstrapReply> NodeDaemon::make_and_serve(rpc::Bootstrap const& wish) {
  auto const member = TRY(make_cluster(paths_, wish, machine_identity(paths_), random_, clock_));
  if (!network_) {
    // The epochs of a new cluster's leaders begin anew.
    TRY(epoch_.forget());
    service_.calls().forget();
  }
  TRY(open_network());
  if (has_master_address(member)) TRY(machinery_.raise_master_address(member));
  log::info("Made cluster {}", member.cluster_name);
  return rpc::BootstrapReply{member.node_name, member.primary_ip, network_->port()};
}

Result<rpc::Nothing> NodeDaemon::leave() {
  std::lock_guard const lock(mutex_);
  TRY(refuse_while_guests_run());
  // Half a cluster has no address yet.
  auto const member = TRY(read_membership(paths_));
  // A controller that looks after the address could be about to bring it up again.
  network_.reset();
  if (member && has_master_address(*member)) {
    if (auto dropped = machinery_.drop_master_address(*member); !dropped) {
      TRY(open_network());
      return Failure(std::move(dropped).error());
    }
  }
  TRY(remove_cluster(paths_));
  TRY(remove_state_file(paths_.node_port_file()));
  TRY(epoch_.forget());
  service_.calls().forget();
  if (member) log::info("Left cluster {}", member->cluster_name);
  return rpc::Nothing{};
}

Result<void> NodeDaemon::refuse_while_guests_run() {
  auto const guests = TRY(machinery_.running_guests());
  if (guests.empty()) return {};
  return fail_as(ErrorClass::Prereq, ErrorCode::WrongState,
                 "Instances still run on this node: {}; stop them first", fmt::join(guests, ", "));
}

Result<rpc::CryptoRenewed> NodeDaemon::renew(rpc::RenewCrypto const& wish) {
  std::lock_guard const lock(mutex_);
  auto const member = TRY(read_membership(paths_));
  if (!member) {
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongState, "This machine belongs to no cluster");
  }
  rpc::CryptoRenewed reply{TRY(renew_keys(paths_, *member, wish, random_, clock_.wall(),
                                          [this] { return reload_certificates(); }))};
  // Those that were let in by what is worth nothing any more.
  if (network_ && (wish.cluster_certificate || wish.node_certificates) && !wish.dry_run) {
    network_->end_older_connections();
  }
  if (!reply.files.empty()) log::info("Renewed: {}", fmt::join(reply.files, ", "));
  return reply;
}

Result<void> NodeDaemon::reload_certificates() {
  if (!network_) return {};
  return network_->renew_certificate();
}

}  // namespace flotte::node
