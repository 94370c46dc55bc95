// HTTP messages as values, and Responder: how a handler answers.
//
// Used by whoever serves or asks over HTTP (rapi, rpc, controller, node, cli). Values; a Responder
// belongs to one request and is used by one thread at a time.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::net {

enum class Transport { Unix, Tcp, Tls };

// Who is on the other side, as the kernel or the TLS handshake vouches for it.
struct Peer {
  Transport transport = Transport::Tcp;
  std::string address = {};  // "10.0.0.1:4711", "[::1]:4711" or "unix socket"

  // Unix sockets only (SO_PEERCRED).
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;

  // TLS only; empty unless the peer showed a certificate that our authority signed. Digests are
  // lower-case hex.
  std::string certificate_name = {};  // common name
  std::string certificate_sha1 = {};
  std::string certificate_sha256 = {};
};

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

// The first value of that name (any case), or empty.
std::string_view header_value(Headers const& headers, std::string_view name);

// Decoded; values of one key keep their order.
using Query = std::multimap<std::string, std::string, std::less<>>;

struct Request {
  std::string method = "GET";
  std::string target = "/";       // as sent: path and query, percent-encoded
  std::string content_type = {};  // sent unless empty
  Headers headers = {};
  std::string body = {};

  // Client only: may a request be sent again when a kept-alive connection turns out to be closed?
  bool is_idempotent = true;

  // Filled in by the server.
  std::string path = {};  // decoded, without the query
  Query query = {};
  Peer peer = {};

  std::string_view header(std::string_view name) const { return header_value(headers, name); }
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";  // sent unless empty
  Headers headers = {};
  std::string body = {};

  std::string_view header(std::string_view name) const { return header_value(headers, name); }
  bool is_success() const { return status >= 200 && status < 300; }
};

// An answer in pieces that needs neither its handler nor a thread: what can't leave at once is kept
// until flush(). It owns the connection, which ends with it; what isn't finished then is cut off.
// Used by one thread at a time, which may be another one than the handler's. Nothing blocks.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual void write(std::string_view chunk) = 0;
  virtual void finish() = 0;
  // Sends what the client takes now. False: it can't be reached any more.
  virtual bool flush() = 0;
  virtual std::size_t unsent_bytes() const = 0;
  virtual bool is_client_gone() const = 0;
  // To wait for: writable while bytes are unsent, hung up when the client has gone.
  virtual int socket() const = 0;
};

// Either send() once, or start_stream(), any number of write(), finish(), or hand_over() once. A
// stream that is not finished when the handler returns is cut off, which the client sees as a
// failure.
class Responder {
 public:
  virtual ~Responder() = default;

  virtual Result<void> send(Response const& response) = 0;

  virtual Result<void> start_stream(unsigned status, std::string_view content_type) = 0;
  // Flushed at once. Fails when the client went away, doesn't read, or the server stops.
  virtual Result<void> write(std::string_view chunk) = 0;
  virtual Result<void> finish() = 0;

  // The head of the answer is kept in the stream; the server knows of the connection no more, so
  // that it counts in none of its bounds.
  virtual Result<std::unique_ptr<Stream>> hand_over(unsigned status,
                                                    std::string_view content_type) = 0;

  // True also when the server stops: a handler that waits for something else asks now and then.
  virtual bool client_gone() = 0;
};

// Called on a thread of its own; may block for hours as long as it looks at client_gone().
using Handler = std::function<void(Request const&, Responder&)>;

// "Not Found" for 404.
std::string_view reason_phrase(unsigned status);

// For one path segment, query key or query value: everything but A-Z a-z 0-9 - . _ ~ is escaped.
std::string percent_encode(std::string_view text);
// Fails on a broken escape or a control character.
Result<std::string> percent_decode(std::string_view text);
// "a=1&b=x+y": plus means space.
Result<Query> parse_query(std::string_view text);

}  // namespace flotte::net
