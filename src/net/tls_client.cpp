// Client::create() for TLS, apart from the Client itself: see unix_client.cpp.
#include "net/client.h"
#include "net/connector.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace flotte::net {
namespace {

class TlsConnector final : public Connector {
 public:
  TlsConnector(std::unique_ptr<TlsContext> tls, std::string host, std::uint16_t port)
      : tls_(std::move(tls)), host_(std::move(host)), port_(port) {}

  Io<Connection> connect(Instant deadline) override {
    auto const addresses = resolve(host_, port_);
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
  Io<Connection> connect_to(addrinfo const& address, Instant deadline) const {
    auto socket = connect_tcp(address, deadline);
    if (!socket) return tl::unexpected(socket.error());
    auto channel = tls_->connect(socket->number(), deadline);
    if (!channel) return tl::unexpected(channel.error());
    return Connection{std::move(*socket), std::move(*channel)};
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
