#include "net/server.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <list>
#include <mutex>
#include <thread>

#include "base/boundary.h"
#include "base/log.h"
#include "net/channel.h"
#include "net/listener.h"
#include "net/session.h"
#include "net/tls.h"

namespace flotte::net {
namespace {

// When accept(2) fails for want of descriptors or memory: don't spin, look again soon.
constexpr auto accept_retry = std::chrono::milliseconds(100);

struct Guest {
  Descriptor socket;
  Transport transport;
  Peer peer;
  std::thread thread;
  std::atomic<bool> is_busy = false;
  std::atomic<bool> is_resting = false;    // between two requests
  std::atomic<bool> is_dismissed = false;  // to end as soon as it rests
  bool is_evicted = false;                 // under the mutex, as is_finished
  bool is_finished = false;
};

std::string address_text(sockaddr_storage const& address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(reinterpret_cast<sockaddr const*>(&address), size, host.data(), host.size(),
                    port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown address";
  }
  auto const* const shape = address.ss_family == AF_INET6 ? "[{}]:{}" : "{}:{}";
  return fmt::format(fmt::runtime(shape), host.data(), port.data());
}

Peer unix_peer(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  Peer peer{.transport = Transport::Unix, .address = "unix socket"};
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.uid = credentials.uid;
    peer.gid = credentials.gid;
    peer.pid = credentials.pid;
  }
  return peer;
}

}  // namespace

struct Server::State {
  State(ServerOptions server_options, Handler server_handler)
      : options(std::move(server_options)), handler(std::move(server_handler)) {}

  ServerOptions const options;
  Handler const handler;
  SystemClock clock;
  Descriptor wake;  // an eventfd: a guest left, or stop()
  std::optional<Listener> tcp;
  std::optional<Listener> unix_socket;
  std::atomic<bool> is_stopping = false;
  std::atomic<bool> keeps_out = false;  // somebody waits, and there is no room

  std::mutex mutex;
  std::shared_ptr<TlsContext const> tls;  // under the mutex
  std::list<Guest> guests;                // oldest first
  std::thread acceptor;
  std::once_flag stopped;

  void stop();
  void accept_until_stopped();
  bool make_room();
  void accept_one(int listener, Transport transport);
  void serve(Guest& guest);
  void talk_with(Guest& guest);
  void reap();
  void wake_acceptor();
  void wait_for_something(bool lets_in, bool& is_tcp_ready, bool& is_unix_ready);
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::create(ServerOptions options, Handler handler) {
  if (!options.tcp && !options.unix_socket) {
    return fail(ErrorCode::WrongInput, "A server needs an address to listen on");
  }
  auto state = std::make_unique<State>(std::move(options), std::move(handler));
  state->wake = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->wake.is_open()) {
    return fail(ErrorCode::EnvironmentError, "Can't start a server: {}", errno_text(errno));
  }
  if (auto const& tcp = state->options.tcp) {
    if (tcp->tls) state->tls = TRY(TlsContext::for_server(*tcp->tls));
    state->tcp.emplace(TRY(Listener::tcp(*tcp)));
  }
  if (auto const& unix_socket = state->options.unix_socket) {
    state->unix_socket.emplace(TRY(Listener::unix_socket(*unix_socket)));
  }
  auto* raw = state.get();
  state->acceptor = state->clock.start_thread("net-accept", [raw] { raw->accept_until_stopped(); });
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Result<void> Server::renew_certificate() {
  CHECK(state_->options.tcp && state_->options.tcp->tls);
  std::shared_ptr<TlsContext const> renewed =
      TRY(TlsContext::for_server(*state_->options.tcp->tls));
  std::lock_guard const lock(state_->mutex);
  state_->tls = std::move(renewed);
  return {};
}

void Server::end_older_connections() {
  std::lock_guard const lock(state_->mutex);
  for (auto& guest : state_->guests) {
    guest.is_dismissed = true;
    // One that has not asked anything yet is answered once: its client could not know.
    if (guest.is_resting && guest.socket.is_open()) ::shutdown(guest.socket.number(), SHUT_RDWR);
  }
}

void Server::stop() {
  std::call_once(state_->stopped, [this] { state_->stop(); });
}

void Server::State::stop() {
  is_stopping = true;
  wake_acceptor();
  acceptor.join();
  {
    std::lock_guard const lock(mutex);
    for (auto& guest : guests) {
      if (guest.socket.is_open()) ::shutdown(guest.socket.number(), SHUT_RDWR);
    }
  }
  for (auto& guest : guests) guest.thread.join();
  guests.clear();
  tcp.reset();
  unix_socket.reset();
}

std::uint16_t Server::port() const {
  return state_->tcp ? state_->tcp->port() : std::uint16_t{0};
}

void Server::State::accept_until_stopped() {
  // Not while somebody who waits could not be let in.
  bool lets_in = true;
  while (!is_stopping) {
    bool is_tcp_ready = false;
    bool is_unix_ready = false;
    wait_for_something(lets_in, is_tcp_ready, is_unix_ready);
    if (is_stopping) return;
    reap();
    auto const is_awaited = is_tcp_ready || is_unix_ready;
    if (is_awaited || !lets_in) {
      // Before it is looked: who becomes idle meanwhile rings.
      keeps_out = true;
      lets_in = make_room();
      keeps_out = !lets_in;
    }
    if (!is_awaited || !lets_in) continue;
    auto const accepted = boundary("Accepting a connection", [&] {
      if (is_unix_ready) accept_one(unix_socket->socket(), Transport::Unix);
      if (is_tcp_ready) {
        accept_one(tcp->socket(), options.tcp->tls ? Transport::Tls : Transport::Tcp);
      }
    });
    if (!accepted) log::warning("{}", accepted.error().message);
  }
}

// Waits for a client, or, when there is no room for one, for a guest to leave; the clients wait in
// the listen queue meanwhile.
void Server::State::wait_for_something(bool lets_in, bool& is_tcp_ready, bool& is_unix_ready) {
  auto const interest = [lets_in](std::optional<Listener> const& listener) {
    return pollfd{
        .fd = listener && lets_in ? listener->socket() : -1, .events = POLLIN, .revents = 0};
  };
  std::array<pollfd, 3> entries{pollfd{.fd = wake.number(), .events = POLLIN, .revents = 0},
                                interest(tcp), interest(unix_socket)};
  ::poll(entries.data(), entries.size(), -1);
  if (entries[0].revents != 0) {
    std::uint64_t count = 0;
    (void)!::read(wake.number(), &count, sizeof count);
  }
  is_tcp_ready = entries[1].revents != 0;
  is_unix_ready = entries[2].revents != 0;
}

// For one who waits. At the bound, the oldest guest for whom no handler works has to go: so idle or
// slow clients can't keep others out. False while there is none, or it has not left yet.
bool Server::State::make_room() {
  std::lock_guard const lock(mutex);
  if (guests.size() < options.connections_max) return true;
  for (auto& guest : guests) {
    if (guest.is_finished) return false;
    if (guest.is_busy) continue;
    if (guest.is_evicted) return false;
    guest.is_evicted = true;
    if (guest.socket.is_open()) ::shutdown(guest.socket.number(), SHUT_RDWR);
    return false;
  }
  return false;
}

void Server::State::accept_one(int listener, Transport transport) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Descriptor socket(::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.is_open()) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      log::warning("Can't accept a connection: {}", errno_text(errno));
      clock.sleep_for(accept_retry);
    }
    return;
  }
  Peer peer;
  if (transport == Transport::Unix) {
    peer = unix_peer(socket.number());
  } else {
    tune_tcp(socket.number());
    peer = {.transport = Transport::Tcp, .address = address_text(address, size)};
  }

  std::lock_guard const lock(mutex);
  auto& guest = guests.emplace_back();
  guest.socket = std::move(socket);
  guest.transport = transport;
  guest.peer = std::move(peer);
  try {
    guest.thread = clock.start_thread("net-guest", [this, &guest] { serve(guest); });
  } catch (std::exception const& exception) {
    log::warning("Can't serve a connection: {}", exception.what());
    guests.pop_back();
  }
}

void Server::State::serve(Guest& guest) {
  auto const served = boundary("A connection", [&] { talk_with(guest); });
  if (!served) log::error("{}", served.error().message);
  std::lock_guard const lock(mutex);
  guest.socket.close();
  guest.is_finished = true;
  wake_acceptor();
}

void Server::State::talk_with(Guest& guest) {
  auto const socket = guest.socket.number();
  auto channel = Io<std::unique_ptr<Channel>>();
  if (guest.transport == Transport::Tls) {
    auto const context = [&] {
      std::lock_guard const lock(mutex);
      return tls;
    }();
    channel = context->accept(socket, deadline_after(options.header_timeout), guest.peer);
  } else {
    channel = plain_channel(socket);
  }
  if (channel) {
    auto const give_away = [&] {
      std::lock_guard const lock(mutex);
      return std::move(guest.socket);
    };
    auto const became_idle = [&] {
      if (keeps_out) wake_acceptor();
    };
    Session session({options, handler, is_stopping, guest.is_busy, guest.is_resting,
                     guest.is_dismissed, became_idle, give_away},
                    socket, *std::move(channel), guest.peer);
    session.serve();
  } else {
    // Where everybody may come, many do who want nothing: scanners, checks whether a port is open.
    auto const is_for_few = options.tcp->tls->client_certificate == ClientCertificate::Required;
    auto const text = fmt::format("No TLS with {}: {}", guest.peer.address, channel.error().text);
    is_for_few ? log::info("{}", text) : log::debug("{}", text);
    // The alert that says why must not be overtaken by a reset.
    linger(socket, *plain_channel(socket));
  }
}

void Server::State::reap() {
  std::list<Guest> finished;
  {
    std::lock_guard const lock(mutex);
    for (auto guest = guests.begin(); guest != guests.end();) {
      auto const next = std::next(guest);
      if (guest->is_finished) finished.splice(finished.end(), guests, guest);
      guest = next;
    }
  }
  for (auto& guest : finished) guest.thread.join();
}

void Server::State::wake_acceptor() {
  std::uint64_t const one = 1;
  (void)!::write(wake.number(), &one, sizeof one);
}

}  // namespace flotte::net
