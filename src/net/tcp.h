// Connecting by TCP. Inside net only.
#pragma once

#include <netdb.h>

#include <cstdint>
#include <memory>
#include <string>

#include "net/channel.h"

namespace flotte::net {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Host names may take the resolver's time; nodes are addressed by number.
Io<Addresses> resolve(std::string const& host, std::uint16_t port);

// To that one address, in time; tuned by tune_tcp().
Io<Descriptor> connect_tcp(addrinfo const& address, Instant deadline);

}  // namespace flotte::net
