#include "net/tcp.h"

#include <sys/socket.h>

#include <cerrno>

namespace flotte::net {
namespace {

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

}  // namespace

Io<Addresses> resolve(std::string const& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto const failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) return tl::unexpected(IoError{IoError::Kind::System, gai_strerror(failure)});
  return Addresses(found, ::freeaddrinfo);
}

Io<Descriptor> connect_tcp(addrinfo const& address, Instant deadline) {
  Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto const connected =
      connect_socket(socket.number(), address.ai_addr, address.ai_addrlen, deadline);
  if (!connected) return tl::unexpected(connected.error());
  tune_tcp(socket.number());
  return socket;
}

}  // namespace flotte::net
