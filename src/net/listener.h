// Listening sockets: TCP, and Unix with rights and stale files. Inside net only; for Server.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "net/channel.h"
#include "net/server.h"

namespace flotte::net {

// Closes its socket, and removes its socket file if it is still its own.
class Listener {
 public:
  static Result<Listener> tcp(TcpListen const& options);
  // A file on which nobody answers is replaced, any other is refused.
  static Result<Listener> unix_socket(UnixListen const& options);
  Listener(Listener&& other) noexcept;
  ~Listener();

  int socket() const { return socket_.number(); }
  std::uint16_t port() const;  // TCP only

 private:
  explicit Listener(Descriptor socket) : socket_(std::move(socket)) {}

  Descriptor socket_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace flotte::net
