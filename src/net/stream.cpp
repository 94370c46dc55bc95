#include "net/stream.h"

#include "net/message.h"

namespace flotte::net {

void SocketStream::write(std::string_view chunk) {
  if (chunk.empty() || is_finished_) return;
  if (is_chunked_) {
    add_chunk(unsent_, chunk);
  } else {
    unsent_ += chunk;
  }
}

void SocketStream::finish() {
  if (is_finished_) return;
  if (is_chunked_) unsent_ += last_chunk;
  is_finished_ = true;
}

bool SocketStream::flush() {
  while (sent_ < unsent_.size()) {
    auto const count = connection_.channel->write_some(std::string_view(unsent_).substr(sent_));
    if (!count) return false;
    if (*count == 0) {
      // Of what has left nothing is kept, however long the rest takes.
      if (sent_ > unsent_.size() / 2) {
        unsent_ = unsent_.substr(sent_);
        sent_ = 0;
      }
      return true;
    }
    sent_ += *count;
  }
  unsent_ = {};
  sent_ = 0;
  if (is_finished_) connection_.channel->end_writing();
  return true;
}

bool SocketStream::is_client_gone() const {
  return is_peer_gone(socket());
}

}  // namespace flotte::net
