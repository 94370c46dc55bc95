// TLS over a socket: certificates from PEM files, both sides verified, TLS 1.2 and later.
//
// Inside net only; hides OpenSSL. A TlsContext is shared by threads, a channel belongs to one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/channel.h"
#include "net/http.h"
#include "net/server.h"

namespace flotte::net {

using ServerName = std::optional<std::string>;

class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> for_server(TlsServerOptions const& options);
  // Empty `certificate_file`: shows none. No name: the server is whoever `ca_file` vouches for.
  static Result<std::unique_ptr<TlsContext>> for_client(std::string const& certificate_file,
                                                        std::string const& ca_file,
                                                        ServerName expected_name);
  // Of one that listens or connects, with PEM texts: its certificate and key, and the only
  // certificate that it takes from the other side.
  enum class Side { Server, Client };
  static Result<std::unique_ptr<TlsContext>> for_peers(Side side, std::string_view own_pem,
                                                       std::string_view peer_pem);
  ~TlsContext();

  // Handshakes. The socket is borrowed.
  Io<std::unique_ptr<Channel>> accept(int socket, Instant deadline, Peer& peer) const;
  Io<std::unique_ptr<Channel>> connect(int socket, Instant deadline) const;

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flotte::net
