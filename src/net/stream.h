// SocketStream: an answer in pieces that has left its handler, with its connection. Inside net
// only.
#pragma once

#include <memory>
#include <string>

#include "net/channel.h"
#include "net/http.h"

namespace flotte::net {

class SocketStream final : public Stream {
 public:
  // `is_chunked`: the client speaks HTTP/1.1.
  SocketStream(Connection connection, bool is_chunked)
      : connection_(std::move(connection)), is_chunked_(is_chunked) {}

  void write(std::string_view chunk) override;
  void finish() override;
  bool flush() override;
  std::size_t unsent_bytes() const override { return unsent_.size() - sent_; }
  bool is_client_gone() const override;
  int socket() const override { return connection_.socket.number(); }

 private:
  Connection connection_;
  bool is_chunked_;
  bool is_finished_ = false;
  std::string unsent_;
  std::size_t sent_ = 0;  // of these
};

}  // namespace flotte::net
