#include "net/peer_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <thread>
#include <tuple>

#include "net/listener.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace flotte::net {
namespace {

constexpr std::chrono::milliseconds look_interval{250};
// Who connects and then says nothing keeps the one who is waited for from his turn no longer.
constexpr std::chrono::seconds handshake_max{10};
constexpr std::chrono::seconds attempt_max{20};
constexpr std::chrono::seconds retry_interval{1};
constexpr std::chrono::seconds last_words_max{1};

Failure given_up() {
  return fail(ErrorCode::EnvironmentError, "It was given up");
}

// Waits in short pieces, so that it ends soon after `goes_on` says no.
Result<void> wait_within(int socket, Wait what, Instant until, GoesOn const& goes_on,
                         std::string_view late) {
  for (;;) {
    if (!goes_on()) return given_up();
    auto const waited = wait_for(socket, what, std::min(until, deadline_after(look_interval)));
    if (waited) return {};
    if (waited.error().kind != IoError::Kind::Timeout) {
      return fail(ErrorCode::EnvironmentError, "{}", waited.error().text);
    }
    if (deadline_after(Duration::zero()) >= until) {
      return fail(ErrorCode::EnvironmentError, "{}", late);
    }
  }
}

std::string with_advice(IoError const& error) {
  return error.kind == IoError::Kind::Closed ? error.text + ", see what the job there says"
                                             : error.text;
}

class TlsPeerStream final : public PeerStream {
 public:
  // What the context made must not outlive it.
  TlsPeerStream(std::shared_ptr<TlsContext const> tls, Connection connection)
      : tls_(std::move(tls)), connection_(std::move(connection)) {}

  Result<std::size_t> read(std::span<char> room, GoesOn const& goes_on) override {
    for (;;) {
      auto const count = connection_.channel->read_some(room, deadline_after(look_interval));
      if (count) return *count;
      if (count.error().kind != IoError::Kind::Timeout) {
        return fail(ErrorCode::EnvironmentError, "Can't read from the other side: {}",
                    with_advice(count.error()));
      }
      if (!goes_on()) return given_up();
    }
  }

  Result<void> write(std::string_view bytes, GoesOn const& goes_on) override {
    while (!bytes.empty()) {
      auto const count = connection_.channel->write_some(bytes);
      if (!count) {
        return fail(ErrorCode::EnvironmentError, "Can't write to the other side: {}",
                    why_it_hung_up(count.error()));
      }
      bytes.remove_prefix(*count);
      if (*count > 0) continue;
      if (!goes_on()) return given_up();
      std::ignore =
          wait_for(connection_.socket.number(), Wait::Write, deadline_after(look_interval));
    }
    return {};
  }

  void end_writing() override { connection_.channel->end_writing(); }

 private:
  // Who refuses a certificate says so after this side's handshake is over, and hangs up.
  std::string why_it_hung_up(IoError const& seen) {
    if (seen.kind != IoError::Kind::Closed) return seen.text;
    std::array<char, 64> room{};
    auto const said = connection_.channel->read_some(room, deadline_after(last_words_max));
    auto const is_refused = !said && said.error().kind == IoError::Kind::Refused;
    return with_advice(is_refused ? said.error() : seen);
  }

  std::shared_ptr<TlsContext const> tls_;
  Connection connection_;
};

class TlsPeerListener final : public PeerListener {
 public:
  TlsPeerListener(Listener listener, std::shared_ptr<TlsContext const> tls)
      : listener_(std::move(listener)), tls_(std::move(tls)) {}

  std::uint16_t port() const override { return listener_.port(); }

  Result<std::unique_ptr<PeerStream>> accept(Duration wait_max, GoesOn const& goes_on) override {
    auto const until = deadline_after(wait_max);
    std::string refused;  // the last one who was sent away, and why
    for (;;) {
      TRY(wait_within(listener_.socket(), Wait::Read, until, goes_on,
                      refused.empty() ? "nobody connected in time"
                                      : "nobody connected who was waited for; " + refused));
      Descriptor socket(
          ::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket.is_open()) continue;
      tune_tcp(socket.number());
      Peer peer;
      auto channel = tls_->accept(socket.number(), deadline_after(handshake_max), peer);
      if (channel) {
        return std::make_unique<TlsPeerStream>(tls_,
                                               Connection{std::move(socket), std::move(*channel)});
      }
      refused = fmt::format("the last who did was sent away: {}", channel.error().text);
    }
  }

 private:
  Listener listener_;
  std::shared_ptr<TlsContext const> tls_;
};

std::string with_port(PeerAddress const& address) {
  auto const is_ipv6 = address.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", address.host, address.port)
                 : fmt::format("{}:{}", address.host, address.port);
}

Io<Connection> connect_once(PeerAddress const& address, TlsContext const& tls, Instant deadline) {
  auto const addresses = resolve(address.host, address.port);
  if (!addresses) return tl::unexpected(addresses.error());
  auto error = IoError{IoError::Kind::System, "no address"};
  for (auto const* one = addresses->get(); one != nullptr; one = one->ai_next) {
    auto socket = connect_tcp(*one, deadline);
    if (!socket) {
      error = socket.error();
      continue;
    }
    auto channel = tls.connect(socket->number(), deadline);
    if (channel) return Connection{std::move(*socket), std::move(*channel)};
    error = channel.error();
    if (error.kind == IoError::Kind::Refused) break;
  }
  return tl::unexpected(error);
}

}  // namespace

Result<std::unique_ptr<PeerListener>> PeerListener::open(std::string const& address,
                                                         PeerCertificates const& certificates) {
  auto tls =
      TRY(TlsContext::for_peers(TlsContext::Side::Server, certificates.own, certificates.peer));
  auto listener = TRY(Listener::tcp({.address = address}));
  return std::make_unique<TlsPeerListener>(std::move(listener), std::move(tls));
}

Result<std::unique_ptr<PeerStream>> connect_to_peer(PeerAddress const& address,
                                                    PeerCertificates const& certificates,
                                                    Duration wait_max, GoesOn const& goes_on) {
  std::shared_ptr<TlsContext const> const tls =
      TRY(TlsContext::for_peers(TlsContext::Side::Client, certificates.own, certificates.peer));
  auto const until = deadline_after(wait_max);
  for (;;) {
    if (!goes_on()) return given_up();
    auto connection = connect_once(address, *tls, std::min(until, deadline_after(attempt_max)));
    if (connection) return std::make_unique<TlsPeerStream>(tls, std::move(*connection));
    auto const is_over = connection.error().kind == IoError::Kind::Refused ||
                         deadline_after(retry_interval) >= until;
    if (is_over) {
      return fail(ErrorCode::EnvironmentError, "Can't connect to {}: {}", with_port(address),
                  connection.error().text);
    }
    auto const pause_end = deadline_after(retry_interval);
    while (goes_on() && deadline_after(Duration::zero()) < pause_end) {
      std::this_thread::sleep_for(look_interval);
    }
  }
}

}  // namespace flotte::net
