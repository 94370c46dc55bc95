// Channel: bytes to and from a connected socket, plain or encrypted, where every wait has an end.
//
// Inside net only. A Channel is used by one thread; shutdown(2) of its socket by another thread
// ends any wait at once. The socket is non-blocking and owned by whoever owns the Channel.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace flotte::net {

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

struct IoError {
  enum class Kind {
    Timeout,
    Closed,   // the other side, or shutdown(2)
    Refused,  // the other side or we ended the TLS handshake: nothing was carried out
    System,
  };
  Kind kind;
  std::string text;
};
template <class T>
using Io = tl::expected<T, IoError>;

class Channel {
 public:
  virtual ~Channel() = default;

  // 0: the other side ended the connection in order.
  virtual Io<std::size_t> read_some(std::span<char> buffer, Instant deadline) = 0;
  // Gives up when not a byte leaves for `stall_max`.
  virtual Io<void> write_all(std::string_view bytes, Duration stall_max) = 0;
  // What leaves at once; 0: nothing does. What is left is to be written next, whole.
  virtual Io<std::size_t> write_some(std::string_view bytes) = 0;
  // Says that nothing more will be written.
  virtual void end_writing() = 0;
};

// Over the socket as it is. Borrowed, and made non-blocking.
std::unique_ptr<Channel> plain_channel(int socket);

struct Connection {
  Descriptor socket;
  std::unique_ptr<Channel> channel;
};

enum class Wait { Read, Write };
Io<void> wait_for(int socket, Wait what, Instant deadline);

// Has the other side gone (or the socket been shut down)? Never waits.
bool is_peer_gone(int socket);
// Is there input, or an end? A kept-alive connection with either can't be used again.
bool has_input(int socket);

// After an answer that the client may not expect yet: closing with unread input would send a reset
// which overtakes the answer. Reads and forgets input until the client closes, for a bounded time.
void linger(int socket, Channel& channel);

// What was received is acknowledged now: a client that waits with its next segment until then (RFC
// 896) would wait as long as the kernel does.
void acknowledge_now(int socket);

Instant deadline_after(Duration duration);

// Within which so much must have been taken, however slowly: nobody keeps a thread for ever by
// reading a byte now and then.
Instant deadline_of(std::size_t bytes, Duration stall_max);
void set_non_blocking(int socket);
// No delay of small writes; a dead peer is noticed within a minute.
void tune_tcp(int socket);

std::string errno_text(int number);

// Paths longer than sun_path go through the open parent directory, which must outlive the use.
struct UnixAddress {
  sockaddr_un address{};
  Descriptor directory;
};
Result<UnixAddress> unix_address(std::string const& path);

// What was read from a channel and not used yet; of fixed size.
class Buffer {
 public:
  explicit Buffer(std::size_t capacity) : bytes_(capacity) {}

  std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  bool is_full() const { return end_ - begin_ == bytes_.size(); }
  void use(std::size_t count) { begin_ += count; }
  Io<std::size_t> fill(Channel& channel, Instant deadline);

 private:
  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace flotte::net
