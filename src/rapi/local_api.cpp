#include "rapi/local_api.h"

#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "rapi/live_query.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view prefix = "/flotte/1/";
// A follower whose command went away is noticed at the latest after this.
constexpr auto follow_poll = 2s;
constexpr std::size_t jobs_followed_max = 1000;

constexpr std::string_view not_initialised =
    "Cluster not initialized or this machine is not part of a cluster";

unsigned http_status(Error const& error) {
  switch (error.code) {
    case ErrorCode::UnknownEntity:
      return 404;
    case ErrorCode::InternalError:
      return 500;
    default:
      return 400;
  }
}

void send_error(net::Responder& responder, Error error) {
  json::object body;
  body["error"] = jobs::encode_error(error, ErrorClass::Prereq);
  (void)responder.send({.status = http_status(error), .body = json::serialize(body)});
}

Result<json::object> body_of(net::Request const& request) {
  if (request.body.empty()) return json::object();
  auto const parsed = TRY(schema::parse(request.body));
  if (!parsed.is_object()) return fail(ErrorCode::WrongInput, "The body must be a JSON dict");
  return parsed.get_object();
}

Result<std::int64_t> parse_number(std::string_view text) {
  if (auto const number = whole_number(text)) return *number;
  return fail(ErrorCode::WrongInput, "Invalid job ID '{}'", text);
}

Result<std::vector<json::array>> jobs_in(json::object const& body) {
  auto const* jobs = body.if_contains("jobs");
  if (!jobs || !jobs->is_array()) return fail(ErrorCode::WrongInput, "'jobs' must be a list");
  std::vector<json::array> list;
  for (auto const& job : jobs->get_array()) {
    if (!job.is_array()) return fail(ErrorCode::WrongInput, "A job must be a list of opcodes");
    list.push_back(job.get_array());
  }
  return list;
}

bool flag_in(json::object const& body, std::string_view name) {
  auto const* value = body.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

json::array submitted(std::vector<Result<JobId>> const& ids) {
  json::array answer;
  for (auto const& id : ids) {
    if (id) {
      answer.push_back(json::array{true, number(*id)});
    } else {
      answer.push_back(json::array{false, jobs::encode_error(id.error(), ErrorClass::Prereq)});
    }
  }
  return answer;
}

json::array answer_of(jobs::CancelAnswer const& answer) {
  return json::array{answer.ok, json::value(json::string_view(answer.text))};
}

std::string line_of(json::object const& object) {
  return json::serialize(object) + "\n";
}

json::object done_line(jobs::Job const& job) {
  json::array statuses;
  json::array results;
  for (auto const& op : job.ops) {
    statuses.push_back(json::value(jobs::to_string(op.status)));
    results.push_back(op.result);
  }
  json::object done;
  done["status"] = jobs::to_string(job.status());
  done["opstatus"] = std::move(statuses);
  done["opresult"] = std::move(results);
  json::object line;
  line["job"] = number(job.id);
  line["done"] = std::move(done);
  return line;
}

// What one job's follower has been told so far.
struct Followed {
  JobId id{};
  jobs::Status status = jobs::Status::Queued;
  std::int64_t log_serial = 0;
  std::uint64_t progress = 0;
};

std::string lines_of(jobs::Change const& change, Followed& known) {
  std::string lines;
  for (auto const& entry : change.new_log) {
    json::object line;
    line["job"] = number(known.id);
    line["log"] = entry.wire();
    lines += line_of(line);
    known.log_serial = entry.serial;
  }
  if (change.progress) {
    json::object line;
    line["job"] = number(known.id);
    line["progress"] = *change.progress;
    lines += line_of(line);
  }
  if (change.status != known.status && !jobs::is_final(change.status)) {
    json::object line;
    line["job"] = number(known.id);
    line["status"] = jobs::to_string(change.status);
    lines += line_of(line);
  }
  known.status = change.status;
  return lines;
}

}  // namespace

void LocalApi::handle(net::Request const& request, net::Responder& responder) {
  if (!request.path.starts_with(prefix)) {
    return send_error(responder,
                      {ErrorCode::UnknownEntity, fmt::format("No such path: {}", request.path)});
  }
  auto const rest = std::string_view(request.path).substr(prefix.size());
  if (rest == "submit" && request.method == "POST") return submit(request, responder);
  if (rest.starts_with("jobs/") && rest.ends_with("/follow")) {
    auto const id = parse_number(rest.substr(5, rest.size() - 5 - 7));
    auto const after = request.query.find("after");
    auto const serial =
        after == request.query.end() ? Result<std::int64_t>(0) : parse_number(after->second);
    if (!id) return send_error(responder, id.error());
    if (!serial) return send_error(responder, serial.error());
    if (auto const job = services_.queue.job(JobId{*id}); !job) {
      return send_error(responder, job.error());
    }
    return follow(responder, {JobId{*id}}, *serial, "");
  }
  auto const result = answer(request);
  if (!result) return send_error(responder, result.error());
  (void)responder.send({.body = json::serialize(*result)});
}

Result<json::value> LocalApi::answer(net::Request const& request) {
  auto const rest = std::string_view(request.path).substr(prefix.size());
  auto const is_post = request.method == "POST";
  auto const body = TRY(body_of(request));
  if (rest == "cluster") return cluster();
  if (rest == "query" && is_post) return query(body);
  if (rest == "query-fields" && is_post) return query_fields(body);
  if (rest == "init" && is_post) return json::value(number(TRY(services_.initialise(body))));
  if (rest == "destroy" && is_post) {
    TRY(services_.destroy());
    return json::value(nullptr);
  }
  if (rest == "queue" && is_post) {
    TRY(services_.queue.set_drained(flag_in(body, "drain")));
    return json::value(nullptr);
  }
  if (rest == "watcher" && is_post) return tell_watcher(body);
  if (rest.starts_with("jobs/")) return answer_job(request.method, rest.substr(5), request);
  return fail(ErrorCode::UnknownEntity, "No such path: {} {}", request.method, request.path);
}

Result<json::value> LocalApi::answer_job(std::string_view method, std::string_view rest,
                                         net::Request const& request) {
  auto& queue = services_.queue;
  auto const body = TRY(body_of(request));
  if (rest == "autoarchive" && method == "POST") {
    auto const* age = body.if_contains("age_s");
    if (!age || !age->is_int64()) return fail(ErrorCode::WrongInput, "'age_s' must be a number");
    auto const seconds = age->get_int64();
    auto const [archived, left] = queue.auto_archive(
        seconds < 0 ? std::nullopt : std::optional<Duration>(std::chrono::seconds(seconds)));
    return json::value(json::array{archived, left});
  }
  auto const slash = rest.find('/');
  auto const id = JobId{TRY(parse_number(rest.substr(0, slash)))};
  auto const verb = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  if (method == "POST" && verb == "cancel") return json::value(answer_of(queue.cancel(id)));
  if (method == "POST" && verb == "archive") return json::value(TRY(queue.archive(id)));
  if (method == "POST" && verb == "priority") {
    auto const* priority = body.if_contains("priority");
    if (!priority || !priority->is_int64()) {
      return fail(ErrorCode::WrongInput, "'priority' must be a number");
    }
    return json::value(answer_of(queue.change_priority(id, priority->get_int64())));
  }
  return fail(ErrorCode::UnknownEntity, "No such path: {} {}", method, request.path);
}

void LocalApi::submit(net::Request const& request, net::Responder& responder) {
  if (!services_.seams.config.is_initialised()) {
    return send_error(responder, {ErrorCode::WrongState, std::string(not_initialised)});
  }
  auto const body = body_of(request);
  if (!body) return send_error(responder, body.error());
  auto const jobs = jobs_in(*body);
  if (!jobs) return send_error(responder, jobs.error());
  auto const ids = services_.queue.submit(*jobs);
  if (!flag_in(*body, "follow")) {
    (void)responder.send({.body = json::serialize(submitted(ids))});
    return;
  }
  json::object first;
  first["submitted"] = submitted(ids);
  std::vector<JobId> followed;
  for (auto const& id : ids) {
    if (id) followed.push_back(*id);
  }
  follow(responder, std::move(followed), 0, line_of(first));
}

// The jobs are told one after the other, as a waiting command shows them.
void LocalApi::follow(net::Responder& responder, std::vector<JobId> ids, std::int64_t after,
                      std::string first_line) {
  if (ids.size() > jobs_followed_max) ids.resize(jobs_followed_max);
  auto& queue = services_.queue;
  auto& clock = services_.seams.clock;
  if (!responder.start_stream(200, "application/x-ndjson")) return;
  auto pending = std::move(first_line);
  for (auto const id : ids) {
    Followed known{.id = id, .log_serial = after};
    for (;;) {
      if (!pending.empty() && !responder.write(pending)) return;
      pending.clear();
      if (jobs::is_final(known.status)) break;
      auto const change = queue.wait_change(id, known.status, known.log_serial, known.progress,
                                            clock.now() + follow_poll);
      if (!change) break;  // archived meanwhile
      if (*change) {
        pending = lines_of(**change, known);
      } else if (responder.client_gone()) {
        return;
      }
    }
    auto const job = queue.job(id);
    if (job) pending += line_of(done_line(*job));
  }
  if (!pending.empty() && !responder.write(pending)) return;
  (void)responder.finish();
}

Result<json::value> LocalApi::query(json::object const& body) {
  if (!services_.seams.config.is_initialised()) {
    return fail(ErrorCode::WrongState, "{}", not_initialised);
  }
  return run_query(services_.seams, services_.queue, services_.leader_epoch, body);
}

Result<json::value> LocalApi::query_fields(json::object const& body) {
  return run_query_fields(body);
}

Result<json::value> LocalApi::tell_watcher(json::object const& body) {
  if (flag_in(body, "look")) {
    TRY(services_.watcher_looks(flag_in(body, "ignore_pause")));
    return json::value(nullptr);
  }
  auto const* until = body.if_contains("paused_until");
  if (!until || !(until->is_int64() || until->is_null())) {
    return fail(ErrorCode::WrongInput, "'paused_until' must be a number or null");
  }
  TRY(services_.pause_watcher(until->is_null() ? std::nullopt : std::optional(until->get_int64())));
  return json::value(nullptr);
}

Result<json::value> LocalApi::cluster() {
  auto const& config = services_.seams.config;
  if (!config.is_initialised()) return fail(ErrorCode::WrongState, "{}", not_initialised);
  return cluster_dict(*config.snapshot(), services_.queue.is_drained(),
                      services_.watcher_paused_until());
}

}  // namespace flotte::rapi
