// Server: HTTP/1.1 over TCP (with or without TLS) and over a Unix socket.
//
// Used by both daemons. One thread per connection, one for accepting; connections, sizes and times
// are bounded, so that a hostile client costs at most one slot for a short time. What a handler has
// handed over is no longer the server's. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"

namespace flotte::net {

enum class ClientCertificate { None, Required };

struct TlsServerOptions {
  std::string certificate_file;  // PEM: certificate (chain) and private key
  std::string key_file = {};     // PEM: the private key; empty: it is in the file above
  std::string ca_file = {};      // PEM: who signs the clients' certificates
  ClientCertificate client_certificate = ClientCertificate::Required;
};

struct TcpListen {
  std::string address = "127.0.0.1";         // a literal IPv4 or IPv6 address
  std::uint16_t port = 0;                    // 0: the kernel chooses, Server::port() tells
  std::optional<TlsServerOptions> tls = {};  // none: plain HTTP
};

struct UnixListen {
  std::string path;
  mode_t mode = 0600;
  std::string group = {};  // owns the socket file if such a group exists
};

struct ServerOptions {
  std::optional<TcpListen> tcp = {};
  std::optional<UnixListen> unix_socket = {};

  std::size_t connections_max = 256;
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 16 * 1024 * 1024;
  bool keeps_alive = true;
  Headers headers = {};  // added to every answer, e.g. Server
  // What is answered to who speaks no HTTP, too much or too slowly; none: the text.
  std::function<Response(unsigned status, std::string_view text)> refusal = {};

  Duration idle_timeout = std::chrono::seconds(75);    // between two requests
  Duration header_timeout = std::chrono::seconds(10);  // TLS handshake; request line and headers
  Duration body_timeout = std::chrono::seconds(60);    // the whole body
  Duration write_timeout = std::chrono::seconds(60);   // a client that reads nothing of an answer
};

class Server {
 public:
  // Listens when it returns. A socket file on which nobody answers is replaced.
  static Result<std::unique_ptr<Server>> create(ServerOptions options, Handler handler);
  ~Server();  // stop()
  Server(Server const&) = delete;
  Server& operator=(Server const&) = delete;

  // Ends every connection and waits for the handlers, whose writes fail and whose client_gone()
  // becomes true. Not to be called by a handler.
  void stop();

  // From now on new connections are shown the certificate that is in the files now. An error
  // changes nothing.
  Result<void> renew_certificate();

  // Connections from before end, each when no handler works for it: who came in with a certificate
  // that is worth nothing any more stays no longer.
  void end_older_connections();

  std::uint16_t port() const;  // of the TCP listener; 0 without one

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flotte::net
