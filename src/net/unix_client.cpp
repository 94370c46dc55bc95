// Client::create() for Unix sockets, apart from TLS so that a command needs no OpenSSL.
#include <sys/socket.h>

#include <cerrno>

#include "net/client.h"
#include "net/connector.h"

namespace flotte::net {
namespace {

class UnixConnector final : public Connector {
 public:
  explicit UnixConnector(std::string path) : path_(std::move(path)) {}

  Io<Connection> connect(Instant deadline) override {
    auto const address = unix_address(path_);
    if (!address) {
      return tl::unexpected(IoError{IoError::Kind::System, address.error().message});
    }
    // Blocking: a non-blocking connect to a full listen queue fails at once instead of waiting.
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto const left =
        std::max<Duration>(deadline - SystemClock().now(), std::chrono::milliseconds(1));
    auto const seconds = std::chrono::floor<std::chrono::seconds>(left);
    auto const rest = std::chrono::duration_cast<std::chrono::microseconds>(left - seconds);
    timeval const patience{.tv_sec = seconds.count(), .tv_usec = rest.count()};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    auto const* generic = reinterpret_cast<sockaddr const*>(&address->address);
    if (::connect(socket.number(), generic, sizeof address->address) != 0) {
      auto const kind = errno == EAGAIN ? IoError::Kind::Timeout : IoError::Kind::System;
      return tl::unexpected(
          IoError{kind, errno == EAGAIN ? "too many wait there" : errno_text(errno)});
    }
    auto channel = plain_channel(socket.number());
    return Connection{std::move(socket), std::move(channel)};
  }

  std::string address() const override { return path_; }
  std::string host() const override { return "localhost"; }

 private:
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(UnixClientOptions options) {
  if (options.path.empty()) return fail(ErrorCode::WrongInput, "A Unix client needs a path");
  return std::unique_ptr<Client>(
      new Client(std::make_unique<UnixConnector>(std::move(options.path)), options.limits));
}

bool answers(std::string const& unix_socket, Duration timeout) {
  auto const client = Client::create(UnixClientOptions{.path = unix_socket});
  return client && (*client)->request({.method = "GET", .target = "/"}, timeout);
}

}  // namespace flotte::net
