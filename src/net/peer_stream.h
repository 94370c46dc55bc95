// PeerStream: bytes over TLS between two who know each other's very certificate, as a disk goes
// from one cluster to another (docs/ganeti.md, "Moves between clusters"). TLS 1.2 or later.
//
// Blocking; each wait looks a few times a second whether it shall go on. A stream belongs to one
// thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace flotte::net {

// PEM texts.
struct PeerCertificates {
  std::string own;   // with its private key
  std::string peer;  // the only one that is taken
};

// False: whoever waits gives up.
using GoesOn = std::function<bool()>;

class PeerStream {
 public:
  virtual ~PeerStream() = default;
  // How many bytes; 0: the other side said that this is the end. One that is cut off is an error.
  virtual Result<std::size_t> read(std::span<char> room, GoesOn const& goes_on) = 0;
  // All of it.
  virtual Result<void> write(std::string_view bytes, GoesOn const& goes_on) = 0;
  // Says that this is the end; the other side may still say something.
  virtual void end_writing() = 0;
};

class PeerListener {
 public:
  virtual ~PeerListener() = default;
  // `address`: a literal IPv4 or IPv6 address. The kernel chooses the port.
  static Result<std::unique_ptr<PeerListener>> open(std::string const& address,
                                                    PeerCertificates const& certificates);
  virtual std::uint16_t port() const = 0;
  // Waits for the one who has the certificate; others are sent away.
  virtual Result<std::unique_ptr<PeerStream>> accept(Duration wait_max, GoesOn const& goes_on) = 0;
};

struct PeerAddress {
  std::string host;  // a name or a literal address
  std::uint16_t port = 0;
};

// Tries again each second where nobody listens yet; who shows another certificate is refused at
// once.
Result<std::unique_ptr<PeerStream>> connect_to_peer(PeerAddress const& address,
                                                    PeerCertificates const& certificates,
                                                    Duration wait_max, GoesOn const& goes_on);

}  // namespace flotte::net
