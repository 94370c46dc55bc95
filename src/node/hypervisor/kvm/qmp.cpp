#include "node/hypervisor/kvm/qmp.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cstring>

#include "schema/schema.h"
#include "sys/deeds.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t message_bytes_max = 4 << 20;
constexpr std::size_t events_kept_max = 100;
constexpr int no_fd = -1;

constexpr std::size_t lines_read_max = 10'000;  // in wait for one answer

timeval as_timeval(std::chrono::milliseconds timeout) {
  auto const ms = std::max<std::int64_t>(timeout.count(), 1);
  return {static_cast<time_t>(ms / 1000), static_cast<suseconds_t>(ms % 1000 * 1000)};
}

}  // namespace

Result<Qmp> Qmp::connect(std::string const& socket_path, std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Qmp qmp(socket_path, fd);
  if (socket_path.size() >= sizeof address.sun_path) {
    return qmp.unreachable("the path is too long for a socket");
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  // Also bounds connect(), which waits while another client is served.
  auto const limit = as_timeval(timeout);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  // sockaddr is what the kernel's interface asks for; sockaddr_un begins with the same family
  // field.
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return qmp.unreachable(std::strerror(errno));
  }
  auto const greeting = TRY(qmp.read_message(SteadyClock::now() + timeout));
  if (!greeting.contains("QMP")) return qmp.unreachable("it is not QMP");
  TRY(qmp.run("qmp_capabilities", {}, timeout));
  return qmp;
}

Qmp::~Qmp() {
  if (fd_ >= 0) ::close(fd_);
}

Result<json::value> Qmp::run(std::string_view command, json::object arguments,
                             std::chrono::milliseconds timeout) {
  return exchange(command, std::move(arguments), timeout, no_fd);
}

Result<json::value> Qmp::run_with(int fd, std::string_view command, json::object arguments) {
  return exchange(command, std::move(arguments), std::chrono::seconds(10), fd);
}

Result<json::value> Qmp::exchange(std::string_view command, json::object arguments,
                                  std::chrono::milliseconds timeout, int fd) {
  auto const id = next_id_++;
  json::object request{{"execute", json::string_view(command)}, {"id", id}};
  if (!arguments.empty()) request["arguments"] = std::move(arguments);
  auto const is_question = command.starts_with("query-") || command == "qmp_capabilities";
  if (!is_question) sys::moment("qmp", command);
  TRY(send(json::serialize(request) + "\n", fd));
  auto const deadline = SteadyClock::now() + timeout;
  for (std::size_t lines = 0; lines < lines_read_max; ++lines) {
    auto const message = TRY(read_message(deadline));
    // The answer to an earlier command whose time was up.
    auto const* answered = message.if_contains("id");
    if (!answered || *answered != id) continue;
    if (!is_question) sys::moment("qmp", command);
    if (auto const* value = message.if_contains("return")) return *value;
    if (auto const* error = message.if_contains("error"); error && error->is_object()) {
      auto const* why = error->get_object().if_contains("desc");
      return fail(ErrorCode::EnvironmentError, "QEMU refused {}: {}", command,
                  why && why->is_string() ? std::string_view(why->get_string()) : "no reason");
    }
  }
  return unreachable("it talks without answering");
}

bool Qmp::wait_for_event(std::string_view name, std::chrono::milliseconds timeout) {
  auto const deadline = SteadyClock::now() + timeout;
  for (;;) {
    auto const known = std::ranges::find(events_, name);
    if (known != events_.end()) {
      events_.erase(known);
      return true;
    }
    if (!read_message(deadline)) return false;
  }
}

Failure Qmp::unreachable(std::string_view why) const {
  return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError,
                 "QEMU's monitor {} does not answer: {}", path_, why);
}

// The descriptor, if any, goes with the first byte (unix(7), SCM_RIGHTS).
Result<void> Qmp::send(std::string_view text, int fd) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  while (!text.empty()) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd != no_fd) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      auto* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    auto const sent = sys::sendmsg(fd_, message);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return unreachable(std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(sent));
    fd = no_fd;
  }
  return {};
}

// One line is one message. Events are kept aside for wait_for_event().
Result<json::object> Qmp::read_message(SteadyClock::time_point deadline) {
  for (;;) {
    auto const end = buffer_.find('\n');
    if (end != std::string::npos) {
      auto const line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      auto const parsed = TRY(schema::parse(line));
      if (!parsed.is_object()) return fail(ErrorCode::EnvironmentError, "QMP: not an object");
      if (auto const* event = parsed.get_object().if_contains("event");
          event && event->is_string()) {
        if (events_.size() >= events_kept_max) events_.pop_front();
        events_.emplace_back(std::string_view(event->get_string()));
      }
      return parsed.get_object();
    }
    if (buffer_.size() > message_bytes_max) {
      return fail(ErrorCode::EnvironmentError, "QMP: a message is too long");
    }
    auto const left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now())
            .count();
    pollfd ready{fd_, POLLIN, 0};
    auto const polled =
        ::poll(&ready, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (polled == 0 && SteadyClock::now() >= deadline) return unreachable("time is up");
    if (polled <= 0) continue;
    std::array<char, 16384> part{};
    auto const got = ::read(fd_, part.data(), part.size());
    if (got <= 0) return unreachable("it closed the connection");
    buffer_.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace flotte::node
