// Session: a command's conversation with the controller: requests, submitting and following jobs,
// errors as Ganeti words them (docs/ganeti.md, "Errors and exit codes"). Main thread only.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/paths.h"
#include "base/result.h"

namespace flotte::cli {

namespace json = boost::json;

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;
constexpr int exit_not_confirmed = 13;
constexpr int exit_unknown_field = 14;

// A failure that ends the command: its text goes to standard error as it is.
struct CommandError {
  std::string text;
  int exit_code = exit_failure;
};
template <class T>
using Outcome = tl::expected<T, CommandError>;
inline tl::unexpected<CommandError> stop(std::string text, int exit_code = exit_failure) {
  return tl::unexpected(CommandError{std::move(text), exit_code});
}
// An error of our own, before anything was asked: worded as a prerequisite error.
tl::unexpected<CommandError> stop(Error const& error);

struct FollowOptions {
  bool prints_log = true;
  // How long a controller that is gone is looked for, from when the connection was lost.
  std::chrono::milliseconds reconnect_max = std::chrono::minutes(1);
};

class Session {
 public:
  explicit Session(Paths paths);
  ~Session();

  Paths const& paths() const { return paths_; }

  Outcome<json::value> get(std::string const& path);
  Outcome<json::value> post(std::string const& path, json::object const& body);

  // The id of each job, or the error of the first that was refused.
  Outcome<std::vector<std::int64_t>> submit(json::array const& jobs);
  // One job, submitted and followed to its end in one request; its log is printed. The results of
  // its opcodes.
  Outcome<json::array> run(json::array const& ops, FollowOptions options = {});
  // Follows a job that exists. When the controller goes away meanwhile it is waited for.
  Outcome<json::array> follow(std::int64_t id, FollowOptions options = {});

 private:
  struct Connection;
  Outcome<json::value> ask(std::string const& method, std::string const& path,
                           json::object const& body);
  Outcome<json::array> follow_from(std::int64_t id, std::int64_t serial, FollowOptions options);

  Paths paths_;
  std::unique_ptr<Connection> connection_;
};

// Of {"error": [class, [message, code]]}.
CommandError from_wire(json::value const& error);

}  // namespace flotte::cli
