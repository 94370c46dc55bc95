// Client: HTTP/1.1 to one server, over a Unix socket or mutual TLS, with kept-alive connections.
//
// Used by rpc, store (etcd) and cli. Blocking; thread-safe: threads that ask at once use several
// connections, up to a bound. A program that makes only Unix clients is not linked with libssl.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"

namespace flotte::net {

struct ClientLimits {
  std::size_t connections_max = 32;  // at once; more requests wait
  std::size_t body_bytes_max = 256 * 1024 * 1024;
  std::size_t line_bytes_max = 16 * 1024 * 1024;            // of a stream
  Duration connect_timeout = std::chrono::seconds(10);      // TLS handshake included
  Duration idle_connection_max = std::chrono::seconds(30);  // less than the server's idle_timeout
};

struct UnixClientOptions {
  std::string path;
  ClientLimits limits = {};
};

struct TlsClientOptions {
  std::string host;  // address or host name; only where to connect to, not whom to trust
  std::uint16_t port = 0;
  std::string certificate_file = {};  // PEM: certificate and key; empty: none is shown
  std::string ca_file;                // who signs the server's certificate
  std::string expected_name = {};     // must equal its common name or one of its DNS or IP names
  // Instead of a name: it is enough that `ca_file` vouches for the certificate, or holds it.
  bool takes_any_name = false;
  ClientLimits limits = {};
};

struct Connector;

class Client {
 public:
  static Result<std::unique_ptr<Client>> create(UnixClientOptions options);
  static Result<std::unique_ptr<Client>> create(TlsClientOptions options);
  ~Client();
  Client(Client const&) = delete;
  Client& operator=(Client const&) = delete;

  // Any status is a Response. Errors are of class Unreachable and say which address and why;
  // Error::not_attempted tells that the request certainly was not carried out.
  Result<Response> request(Request const& request, Duration timeout);

  // Returning false ends the stream early (and closes the connection).
  using OnLine = std::function<bool(std::string_view line)>;
  // Hands over each line of a 2xx answer as it arrives, without its newline; the Response then has
  // no body. Any other answer comes as a whole. `idle_timeout` is the longest silence.
  Result<Response> stream(Request const& request, Duration idle_timeout, OnLine const& on_line);

 private:
  struct State;
  Client(std::unique_ptr<Connector> connector, ClientLimits limits);
  std::unique_ptr<State> state_;
};

// Does a server answer on a Unix socket, whatever it answers?
bool answers(std::string const& unix_socket, Duration timeout);

}  // namespace flotte::net
