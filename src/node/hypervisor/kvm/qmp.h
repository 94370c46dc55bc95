// Qmp: one connection to QEMU's monitor (QMP, docs/interop/qmp-spec in QEMU). Hostile input is
// bounded. One thread.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <deque>
#include <string>

#include "base/result.h"

namespace flotte::node {

class Qmp {
 public:
  // Connects and negotiates capabilities. Unreachable when nobody listens.
  static Result<Qmp> connect(std::string const& socket_path, std::chrono::milliseconds timeout);
  Qmp(Qmp&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        next_id_(other.next_id_),
        buffer_(std::move(other.buffer_)),
        events_(std::move(other.events_)) {}
  Qmp& operator=(Qmp&&) = delete;
  ~Qmp();

  // The "return" value; QEMU's own error as EnvironmentError.
  Result<boost::json::value> run(std::string_view command, boost::json::object arguments = {},
                                 std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // The same; a copy of the descriptor goes with it (`add-fd`, `getfd`).
  Result<boost::json::value> run_with(int fd, std::string_view command,
                                      boost::json::object arguments);
  // True when an event of that name came before the deadline; false at the deadline or when the
  // connection closed.
  bool wait_for_event(std::string_view name, std::chrono::milliseconds timeout);

 private:
  Qmp(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Result<boost::json::object> read_message(std::chrono::steady_clock::time_point deadline);
  Result<boost::json::value> exchange(std::string_view command, boost::json::object arguments,
                                      std::chrono::milliseconds timeout, int fd);
  Result<void> send(std::string_view text, int fd);
  Failure unreachable(std::string_view why) const;

  std::string path_;
  int fd_ = -1;
  std::int64_t next_id_ = 1;
  std::string buffer_;
  std::deque<std::string> events_;
};

}  // namespace flotte::node
