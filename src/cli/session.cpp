#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>

#include "net/client.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto request_timeout = 120s;
// A job may have nothing to say for long. That the controller has gone, the connection tells.
constexpr auto stream_idle_max = 24h;

std::string text_of(json::value const& value) {
  return value.is_string() ? std::string(std::string_view(value.get_string()))
                           : json::serialize(value);
}

CommandError no_daemon(std::string const& why) {
  return {
      fmt::format("Cannot communicate with the master daemon.\nIs flotte-controllerd running? "
                  "Start it with 'flotte daemons start'. ({})",
                  why)};
}

std::string wrong_name(std::string const& message) {
  return fmt::format("Failure: unknown/wrong parameter name '{}'", message);
}

// Mon Nov 23 13:56:19 2026 text
void print_log(json::array const& entry) {
  auto const seconds = static_cast<std::time_t>(entry.at(1).at(0).to_number<std::int64_t>());
  std::tm broken{};
  ::localtime_r(&seconds, &broken);
  char stamp[64];
  std::strftime(stamp, sizeof stamp, "%a %b %e %H:%M:%S %Y", &broken);
  std::printf("%s %s\n", stamp, text_of(entry.at(3)).c_str());
  std::fflush(stdout);
}

// A line that is rewritten in place; only on a terminal.
class ProgressBar {
 public:
  ~ProgressBar() { clear(); }
  void show(json::object const& progress) {
    if (!is_terminal_) return;
    auto const* fraction = progress.if_contains("fraction");
    auto const* text = progress.if_contains("text");
    constexpr int width = 30;
    auto const done = fraction && fraction->is_number() ? fraction->to_number<double>() : 0.0;
    auto const filled = static_cast<std::size_t>(width * std::clamp(done, 0.0, 1.0));
    auto const bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r[%s] %3.0f%% %.40s", bar.c_str(), done * 100,
                 text ? text_of(*text).c_str() : "");
    is_shown_ = true;
  }
  void clear() {
    if (is_shown_) std::fputs("\r\033[K", stderr);
    is_shown_ = false;
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) != 0;
  bool is_shown_ = false;
};

// What one follower has seen, line by line.
struct Following {
  FollowOptions options;
  std::int64_t job = 0;
  std::int64_t serial = 0;
  std::optional<CommandError> refused;
  std::optional<json::object> done;
  ProgressBar bar;

  void take(std::string_view line) {
    auto const parsed = schema::parse(line);
    if (!parsed || !parsed->is_object()) return;
    auto const& object = parsed->get_object();
    if (auto const* submitted = object.if_contains("submitted")) {
      auto const& first = submitted->as_array().at(0).as_array();
      if (first.at(0).as_bool()) {
        job = first.at(1).to_number<std::int64_t>();
      } else {
        refused = from_wire(first.at(1));
      }
    } else if (auto const* entry = object.if_contains("log")) {
      bar.clear();
      serial = entry->at(0).to_number<std::int64_t>();
      if (options.prints_log) print_log(entry->as_array());
    } else if (auto const* progress = object.if_contains("progress")) {
      bar.show(progress->as_object());
    } else if (auto const* end = object.if_contains("done")) {
      done = end->as_object();
    }
  }
};

// [[[node, script, output], ...]], one a line.
std::string failed_hooks(json::array const& arguments) {
  auto const* scripts = arguments.empty() ? nullptr : arguments[0].if_array();
  if (!scripts) return {};
  std::string lines;
  for (auto const& script : *scripts) {
    auto const* parts = script.if_array();
    if (!parts || parts->size() != 3) continue;
    auto const output = text_of((*parts)[2]);
    lines += fmt::format("\n  node: {}, script: {}{}", text_of((*parts)[0]), text_of((*parts)[1]),
                         output.empty() ? " (no output)" : ", output: " + output);
  }
  return lines;
}

// The results, or the error of the first opcode that failed.
Outcome<json::array> result_of(json::object const& done, std::int64_t job) {
  auto const status = text_of(done.at("status"));
  auto const& results = done.at("opresult").as_array();
  if (status == "success") return results;
  auto const& statuses = done.at("opstatus").as_array();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].as_string() == "canceled") {
      return stop("Failure: command execution error:\nJob was canceled");
    }
    if (statuses[i].as_string() == "error") return tl::unexpected(from_wire(results.at(i)));
  }
  return stop(fmt::format("Job {} ended as {}", job, status));
}

}  // namespace

struct Session::Connection {
  std::unique_ptr<net::Client> client;
};

Session::Session(Paths paths) : paths_(std::move(paths)) {}
Session::~Session() = default;

tl::unexpected<CommandError> stop(Error const& error) {
  if (error.error_class == ErrorClass::Unreachable) return tl::unexpected(no_daemon(error.message));
  if (error.error_class == ErrorClass::Parameter) return stop("Parameter Error: " + error.message);
  if (error.error_class == ErrorClass::Hypervisor || error.error_class == ErrorClass::Generic) {
    return stop("Unhandled Ganeti error: " + error.message);
  }
  if (error.error_class == ErrorClass::Name) return stop(wrong_name(error.message));
  return stop(
      fmt::format("Failure: prerequisites not met for this operation:\nerror type: {}, "
                  "error details:\n{}",
                  to_string(error.code), error.message));
}

CommandError from_wire(json::value const& error) {
  auto const* pair = error.if_array();
  if (!pair || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_array()) {
    return {"Unhandled Ganeti error: " + json::serialize(error)};
  }
  auto const name = text_of((*pair)[0]);
  auto const& arguments = (*pair)[1].get_array();
  auto const message = arguments.empty() ? std::string() : text_of(arguments[0]);
  if (name == "OpPrereqError") {
    if (message.starts_with("Cluster not initialized")) return {message, exit_failure};
    if (arguments.size() < 2)
      return {"Failure: prerequisites not met for this operation:\n" + message};
    return {
        fmt::format("Failure: prerequisites not met for this operation:\nerror type: {}, error "
                    "details:\n{}",
                    text_of(arguments[1]), message)};
  }
  if (name == "OpExecError" || name == "NodeError") {
    return {"Failure: command execution error:\n" + message};
  }
  if (name == "ParameterError") return {wrong_name(message)};
  if (name == "TypeEnforcementError") return {"Parameter Error: " + message};
  if (name == "TagError") return {"Failure: invalid tag(s) given:\n" + message};
  if (name == "HooksAbort") return {"Failure: hooks execution failed:" + failed_hooks(arguments)};
  if (name == "JobQueueDrainError") {
    return {
        "Unhandled Ganeti error: Queue drained; 'gnt-cluster queue undrain' makes it accept jobs "
        "again"};
  }
  if (name == "JobQueueFull") {
    return {
        "Failure: the job queue is full and doesn't accept new job submissions until old jobs are "
        "archived"};
  }
  if (name == "JobCanceled") return {"Job was canceled"};
  return {"Unhandled Ganeti error: " + message};
}

Outcome<json::value> Session::ask(std::string const& method, std::string const& path,
                                  json::object const& body) {
  if (!connection_) {
    auto client = net::Client::create(net::UnixClientOptions{.path = paths_.controller_socket()});
    if (!client) return stop(client.error());
    connection_ = std::make_unique<Connection>(Connection{std::move(*client)});
  }
  auto const response =
      connection_->client->request({.method = method,
                                    .target = "/flotte/1/" + path,
                                    .body = method == "GET" ? "" : json::serialize(body),
                                    // Twice submitted would be two jobs.
                                    .is_idempotent = path != "submit"},
                                   request_timeout);
  if (!response) return tl::unexpected(no_daemon(response.error().message));
  auto parsed = schema::parse(response->body);
  if (!parsed) return stop("The controller's answer is no JSON: " + parsed.error().message);
  if (parsed->is_object() && parsed->get_object().contains("error")) {
    return tl::unexpected(from_wire(parsed->get_object().at("error")));
  }
  return *std::move(parsed);
}

Outcome<json::value> Session::get(std::string const& path) {
  return ask("GET", path, {});
}
Outcome<json::value> Session::post(std::string const& path, json::object const& body) {
  return ask("POST", path, body);
}

Outcome<std::vector<std::int64_t>> Session::submit(json::array const& jobs) {
  auto const answer = post("submit", {{"jobs", jobs}, {"follow", false}});
  if (!answer) return tl::unexpected(answer.error());
  std::vector<std::int64_t> ids;
  for (auto const& one : answer->as_array()) {
    if (!one.at(0).as_bool()) return tl::unexpected(from_wire(one.at(1)));
    ids.push_back(one.at(1).to_number<std::int64_t>());
  }
  return ids;
}

Outcome<json::array> Session::run(json::array const& ops, FollowOptions options) {
  auto client = net::Client::create(net::UnixClientOptions{.path = paths_.controller_socket()});
  if (!client) return stop(client.error());
  Following following{.options = options};
  json::object const body{{"jobs", json::array{ops}}, {"follow", true}};
  auto const response = (*client)->stream({.method = "POST",
                                           .target = "/flotte/1/submit",
                                           .body = json::serialize(body),
                                           .is_idempotent = false},
                                          stream_idle_max, [&](std::string_view line) {
                                            following.take(line);
                                            return true;
                                          });
  if (following.refused) return tl::unexpected(*following.refused);
  if (following.done) return result_of(*following.done, following.job);
  if (response && !response->is_success()) {
    auto const parsed = schema::parse(response->body);
    if (parsed && parsed->is_object() && parsed->get_object().contains("error")) {
      return tl::unexpected(from_wire(parsed->get_object().at("error")));
    }
  }
  if (following.job == 0) {
    return tl::unexpected(no_daemon(response ? "it gave no answer" : response.error().message));
  }
  following.bar.clear();
  return follow_from(following.job, following.serial, options);
}

Outcome<json::array> Session::follow(std::int64_t id, FollowOptions options) {
  return follow_from(id, 0, options);
}

// A controller that is restarted goes on with the job; so does who waits for it.
Outcome<json::array> Session::follow_from(std::int64_t id, std::int64_t serial,
                                          FollowOptions options) {
  std::optional<std::chrono::steady_clock::time_point> give_up_at;
  for (;;) {
    auto client = net::Client::create(net::UnixClientOptions{.path = paths_.controller_socket()});
    if (!client) return stop(client.error());
    Following following{.options = options, .job = id, .serial = serial};
    auto const response = (*client)->stream(
        {.method = "GET", .target = fmt::format("/flotte/1/jobs/{}/follow?after={}", id, serial)},
        stream_idle_max, [&](std::string_view line) {
          following.take(line);
          return true;
        });
    if (following.done) return result_of(*following.done, id);
    if (response && !response->is_success()) {
      auto const parsed = schema::parse(response->body);
      if (parsed && parsed->is_object() && parsed->get_object().contains("error")) {
        return tl::unexpected(from_wire(parsed->get_object().at("error")));
      }
    }
    serial = following.serial;
    auto const now = std::chrono::steady_clock::now();
    auto const was_there = response || !response.error().not_attempted;
    if (was_there || !give_up_at) give_up_at = now + options.reconnect_max;
    if (now >= *give_up_at) {
      return stop(
          fmt::format("Lost the controller while waiting; job {} goes on when it is back: "
                      "gnt-job watch {}",
                      id, id));
    }
    std::this_thread::sleep_for(300ms);
  }
}

}  // namespace flotte::cli
