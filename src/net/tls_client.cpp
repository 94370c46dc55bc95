// Client::create() for TLS, apart from the Client itself: see unix_client.cpp.
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/client.h"
#include "net/connector.h"
#include "net/tls.h"

namespace flotte::net {
namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Finishes in time or fails; the socket must be non-blocking.
Io<void> connect_socket(int socket, sockaddr const* address, socklen_t size, Instant deadline) {
  auto const system_error = [](int number) {
    return tl::unexpected(IoError{IoError::Kind::System, errno_text(number)});
  };
  if (::connect(socket, address, size) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return system_error(errno);
  if (auto waited = wait_for(socket, Wait::Write, deadline); !waited) return waited;
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return system_error(error);
  return {};
}

class TlsConnector final : public Connector {
 public:
  TlsConnector(std::unique_ptr<TlsContext> tls, std::string host, std::uint16_t port)
      : tls_(std::move(tls)), host_(std::move(host)), port_(port) {}

  Io<Connection> connect(Instant deadline) override {
    auto const addresses = resolve();
    if (!addresses) return tl::unexpected(addresses.error());
    auto error = IoError{IoError::Kind::System, "no address"};
    for (auto const* address = addresses->get(); address != nullptr; address = address->ai_next) {
      auto connection = connect_to(*address, deadline);
      if (connection) return connection;
      error = connection.error();
    }
    return tl::unexpected(error);
  }

  std::string address() const override { return host(); }

  std::string host() const override {
    auto const is_ipv6 = host_.find(':') != std::string::npos;
    return is_ipv6 ? fmt::format("[{}]:{}", host_, port_) : fmt::format("{}:{}", host_, port_);
  }

 private:
  // Host names may take the resolver's time; nodes are addressed by number.
  Io<Addresses> resolve() const {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    auto const failure =
        ::getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found);
    if (failure != 0) return tl::unexpected(IoError{IoError::Kind::System, gai_strerror(failure)});
    return Addresses(found, ::freeaddrinfo);
  }

  Io<Connection> connect_to(addrinfo const& address, Instant deadline) const {
    Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    auto const connected =
        connect_socket(socket.number(), address.ai_addr, address.ai_addrlen, deadline);
    if (!connected) return tl::unexpected(connected.error());
    tune_tcp(socket.number());
    auto channel = tls_->connect(socket.number(), deadline);
    if (!channel) return tl::unexpected(channel.error());
    return Connection{std::move(socket), std::move(*channel)};
  }

  std::unique_ptr<TlsContext> tls_;
  std::string host_;
  std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(TlsClientOptions options) {
  auto tls = TRY(TlsContext::for_client(
      options.certificate_file, options.ca_file,
      options.takes_any_name ? ServerName() : ServerName(std::move(options.expected_name))));
  return std::unique_ptr<Client>(new Client(
      std::make_unique<TlsConnector>(std::move(tls), std::move(options.host), options.port),
      options.limits));
}

}  // namespace flotte::net
