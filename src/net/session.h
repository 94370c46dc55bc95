// Session: the requests of one connection, one after the other, and their answers.
//
// Inside net only. Runs on the connection's thread; `is_busy` and `is_stopping` are shared.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "net/channel.h"
#include "net/http.h"
#include "net/parser.h"
#include "net/server.h"

namespace flotte::net {

class Session {
 public:
  struct Shared {
    ServerOptions const& options;
    Handler const& handler;
    std::atomic<bool> const& is_stopping;
    std::atomic<bool>& is_busy;             // a handler works: not to be evicted
    std::atomic<bool>& is_resting;          // between two requests
    std::atomic<bool> const& is_dismissed;  // to end as soon as it rests
    // A handler has returned: whoever waits for room may have it.
    std::function<void()> became_idle;
    // Of hand_over(): the server gives the socket away.
    std::function<Descriptor()> give_away;
  };

  Session(Shared shared, int socket, std::unique_ptr<Channel> channel, Peer peer);

  // Until the client leaves, misbehaves, is silent too long, or the server stops.
  void serve();

 private:
  enum class Next { KeepAlive, Close };

  Next serve_request(Instant first_byte_deadline);
  Io<void> receive(RequestParser& parser, Instant first_byte_deadline);
  void refuse(ParseFault const& fault);
  Next handle(Request const& request, RequestParser const& parser);

  Shared shared_;
  int socket_;
  std::unique_ptr<Channel> channel_;  // none: it was handed over
  Peer peer_;
  Buffer buffer_;
};

}  // namespace flotte::net
