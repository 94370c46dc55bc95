// Connector: how a Client gets a new connection. Inside net only.
//
// It keeps OpenSSL out of client.cpp, and so out of programs that use Unix sockets only.
#pragma once

#include "net/channel.h"

namespace flotte::net {

struct Connector {
  virtual ~Connector() = default;
  virtual Io<Connection> connect(Instant deadline) = 0;
  // For messages and the header Host.
  virtual std::string address() const = 0;
  virtual std::string host() const = 0;
};

}  // namespace flotte::net
