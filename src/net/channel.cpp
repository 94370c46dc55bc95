#include "net/channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace flotte::net {
namespace {

constexpr auto wait_max = std::chrono::hours(24 * 365);
constexpr auto linger_max = std::chrono::seconds(1);
constexpr std::size_t linger_bytes_max = 4 * 1024 * 1024;

Instant now() {
  return SystemClock().now();
}

int milliseconds_until(Instant deadline) {
  constexpr auto slice_max = std::chrono::milliseconds(std::chrono::hours(24));
  auto const left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), slice_max).count());
}

IoError system_error(int number) {
  auto const is_end = number == EPIPE || number == ECONNRESET;
  return {is_end ? IoError::Kind::Closed : IoError::Kind::System, errno_text(number)};
}

short poll_now(int socket, short events) {
  pollfd poll_entry{.fd = socket, .events = events, .revents = 0};
  return ::poll(&poll_entry, 1, 0) > 0 ? poll_entry.revents : short{0};
}

class PlainChannel final : public Channel {
 public:
  explicit PlainChannel(int socket) : socket_(socket) {}

  Io<std::size_t> read_some(std::span<char> buffer, Instant deadline) override {
    while (true) {
      auto const count = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return tl::unexpected(system_error(errno));
      if (auto waited = wait_for(socket_, Wait::Read, deadline); !waited) {
        return tl::unexpected(waited.error());
      }
    }
  }

  Io<void> write_all(std::string_view bytes, Duration stall_max) override {
    auto const until = deadline_of(bytes.size(), stall_max);
    while (!bytes.empty()) {
      auto const count = write_some(bytes);
      if (!count) return tl::unexpected(count.error());
      bytes.remove_prefix(*count);
      if (*count > 0) continue;
      auto const deadline = std::min(until, deadline_after(stall_max));
      if (auto waited = wait_for(socket_, Wait::Write, deadline); !waited) {
        return waited;
      }
    }
    return {};
  }

  Io<std::size_t> write_some(std::string_view bytes) override {
    while (true) {
      auto const count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EAGAIN) return 0;
      if (errno != EINTR) return tl::unexpected(system_error(errno));
    }
  }

  void end_writing() override { ::shutdown(socket_, SHUT_WR); }

 private:
  int socket_;
};

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

std::unique_ptr<Channel> plain_channel(int socket) {
  set_non_blocking(socket);
  return std::make_unique<PlainChannel>(socket);
}

Io<void> wait_for(int socket, Wait what, Instant deadline) {
  short const events = what == Wait::Read ? POLLIN : POLLOUT;
  pollfd poll_entry{.fd = socket, .events = events, .revents = 0};
  while (true) {
    auto const ready = ::poll(&poll_entry, 1, milliseconds_until(deadline));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return tl::unexpected(system_error(errno));
    if (now() >= deadline) return tl::unexpected(IoError{IoError::Kind::Timeout, "timed out"});
  }
}

bool is_peer_gone(int socket) {
  return poll_now(socket, POLLRDHUP) != 0;
}

bool has_input(int socket) {
  return poll_now(socket, POLLIN | POLLRDHUP) != 0;
}

void linger(int socket, Channel& channel) {
  channel.end_writing();
  auto const deadline = deadline_after(linger_max);
  std::vector<char> scrap(16 * 1024);
  for (std::size_t total = 0; total < linger_bytes_max;) {
    if (!wait_for(socket, Wait::Read, deadline)) return;
    auto const count = ::recv(socket, scrap.data(), scrap.size(), 0);
    if (count <= 0) return;
    total += static_cast<std::size_t>(count);
  }
}

Instant deadline_after(Duration duration) {
  return now() + std::min<Duration>(duration, wait_max);
}

void set_non_blocking(int socket) {
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

void tune_tcp(int socket) {
  auto const set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 20);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 50'000);
}

Instant deadline_of(std::size_t bytes, Duration stall_max) {
  constexpr std::size_t slowest = 64 * 1024;  // a second
  return deadline_after(stall_max + std::chrono::seconds(bytes / slowest));
}

void acknowledge_now(int socket) {
  int const on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

std::string errno_text(int number) {
  return std::system_category().message(number);
}

Result<UnixAddress> unix_address(std::string const& path) {
  UnixAddress result;
  result.address.sun_family = AF_UNIX;
  auto name = path;
  if (path.size() >= sizeof result.address.sun_path) {
    auto const slash = std::min(path.rfind('/'), path.size());
    result.directory =
        Descriptor(::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.directory.is_open()) {
      return fail(ErrorCode::EnvironmentError, "Can't use the socket {}: {}", path,
                  errno_text(errno));
    }
    name = fmt::format("/proc/self/fd/{}{}", result.directory.number(), path.substr(slash));
  }
  if (name.empty() || name.size() >= sizeof result.address.sun_path) {
    return fail(ErrorCode::WrongInput, "'{}' can't be the path of a socket", path);
  }
  std::memcpy(result.address.sun_path, name.data(), name.size());
  return result;
}

Io<std::size_t> Buffer::fill(Channel& channel, Instant deadline) {
  std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  auto const count = channel.read_some(std::span(bytes_).subspan(end_), deadline);
  if (count) end_ += *count;
  return count;
}

}  // namespace flotte::net
