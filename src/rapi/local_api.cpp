#include "rapi/local_api.h"

#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/text.h"
#include "rapi/job_lines.h"
#include "rapi/live_query.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

constexpr std::string_view prefix = "/flotte/1/";
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

Result<json::object> body_of(net::Request const& request) {
  if (request.body.empty()) return json::object();
  auto const parsed = TRY(schema::parse(request.body));
  if (!parsed.is_object()) return fail(ErrorCode::WrongInput, "The body must be a JSON dict");
  return parsed.get_object();
}

Result<std::int64_t> number_in(json::object const& body, std::string_view name) {
  auto const* value = body.if_contains(name);
  if (value && value->is_int64()) return value->get_int64();
  return fail(ErrorCode::WrongInput, "'{}' must be a number", name);
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

std::string op_ids_of(json::array const& job) {
  std::vector<std::string_view> names;
  for (auto const& op : job) {
    if (op.is_object()) names.push_back(opcodes::op_id_of(op.get_object()));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

LocalApi::LocalApi(Services services)
    : services_(std::move(services)), users_(services_.seams.clock), routes_(make_routes()) {}

std::vector<Route> LocalApi::make_routes() {
  auto const answer = [this](Result<json::value> (LocalApi::*what)(Asked const&)) {
    return Answer([this, what](Asked const& asked) { return (this->*what)(asked); });
  };
  auto const streamed = [this](Result<void> (LocalApi::*what)(Asked const&, net::Responder&)) {
    return Streamed([this, what](Asked const& asked, net::Responder& responder) {
      return (this->*what)(asked, responder);
    });
  };
  using enum Right;
  using Api = LocalApi;
  return {
      {"POST", "submit", Write, "Submits jobs, and follows them.", streamed(&Api::submit)},
      {"GET", "jobs/{job}/follow", Read, "Follows a job to its end.", streamed(&Api::follow)},
      {"POST", "jobs/{job}/cancel", Write, "Cancels a job.", answer(&Api::cancel)},
      {"POST", "jobs/{job}/archive", Write, "Archives a job.", answer(&Api::archive)},
      {"POST", "jobs/{job}/priority", Write, "Moves a job.", answer(&Api::change_priority)},
      {"POST", "jobs/autoarchive", Write, "Archives old jobs.", answer(&Api::archive_old)},
      {"POST", "query", Read, "Lists objects.", answer(&Api::query)},
      {"POST", "query-fields", Read, "Lists the fields of a list.", answer(&Api::query_fields)},
      {"GET", "cluster", Read, "Tells of the cluster.", answer(&Api::cluster)},
      {"POST", "queue", Write, "Drains the queue, or ends that.", answer(&Api::drain)},
      {"POST", "watcher", Write, "Pauses the watcher, or lets it look.",
       answer(&Api::tell_watcher)},
      {"POST", "init", Write, "Makes the cluster.", answer(&Api::initialise)},
      {"POST", "destroy", Write, "Ends the cluster.", answer(&Api::destroy)},
  };
}

void LocalApi::handle(net::Request const& request, net::Responder& responder) {
  auto const answered = answer(request, responder);
  if (answered) return;
  json::object body;
  body["error"] = jobs::encode_error(answered.error(), ErrorClass::Prereq);
  (void)responder.send({.status = http_status(answered.error()), .body = json::serialize(body)});
}

Result<void> LocalApi::answer(net::Request const& request, net::Responder& responder) {
  auto const rest = request.path.starts_with(prefix)
                        ? std::string_view(request.path).substr(prefix.size())
                        : std::string_view();
  auto const [route, is_path_known, job] = TRY(find_route(routes_, request.method, rest));
  if (!route) {
    return fail(ErrorCode::UnknownEntity, "No such path: {}{}",
                is_path_known ? request.method + " " : "", request.path);
  }
  Asked const asked{request, TRY(body_of(request)), job, principal_of(request.peer)};
  if (auto const* streamed = std::get_if<Streamed>(&route->answers)) {
    return (*streamed)(asked, responder);
  }
  auto const& answers = std::get<Answer>(route->answers);
  auto result = answers(asked);
  // Not the body: there may be secrets in it.
  if (route->right == Right::Write) {
    log::info("{}: {}{}", asked.who.text(), rest,
              result ? "" : fmt::format(" failed: {}", result.error().message));
  }
  if (!result) return Failure(std::move(result).error());
  (void)responder.send({.body = json::serialize(*result)});
  return {};
}

jobs::Principal LocalApi::principal_of(net::Peer const& peer) {
  if (peer.transport != net::Transport::Unix) return {.name = peer.address};
  return {.name = users_.of(peer.uid), .uid = peer.uid};
}

Result<void> LocalApi::check_initialised() const {
  if (services_.seams.config.is_initialised()) return {};
  return fail(ErrorCode::WrongState, "{}", not_initialised);
}

Result<void> LocalApi::submit(Asked const& asked, net::Responder& responder) {
  TRY(check_initialised());
  auto const jobs = TRY(jobs_in(asked.body));
  auto const follows = flag_in(asked.body, "follow");
  if (follows) TRY(services_.followers.check_room());
  auto const ids = services_.queue.submit(jobs, asked.who);
  std::vector<JobId> made;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!ids[i]) continue;
    made.push_back(*ids[i]);
    log::info("{} submitted job {}: {}", asked.who.text(), number(*ids[i]), op_ids_of(jobs[i]));
  }
  if (!follows) {
    (void)responder.send({.body = json::serialize(submitted(ids))});
    return {};
  }
  return stream(responder, std::move(made), 0, line_of({{"submitted", submitted(ids)}}));
}

Result<void> LocalApi::follow(Asked const& asked, net::Responder& responder) {
  auto const after = asked.request.query.find("after");
  auto const serial = after == asked.request.query.end() ? 0 : whole_number(after->second);
  if (!serial) return fail(ErrorCode::WrongInput, "Invalid serial number '{}'", after->second);
  TRY(services_.queue.job(*asked.job, jobs::JobQueue::Logs::Without));
  TRY(services_.followers.check_room());
  return stream(responder, {*asked.job}, *serial, "");
}

Result<void> LocalApi::stream(net::Responder& responder, std::vector<JobId> ids, std::int64_t after,
                              std::string first_line) {
  if (ids.size() > jobs_followed_max) ids.resize(jobs_followed_max);
  auto stream = responder.hand_over(200, "application/x-ndjson");
  // Who went away needs no answer.
  if (stream)
    services_.followers.add(*std::move(stream), std::move(ids), after, std::move(first_line));
  return {};
}

Result<json::value> LocalApi::cluster(Asked const&) {
  TRY(check_initialised());
  return cluster_dict(*services_.seams.config.snapshot(), services_.queue.is_drained(),
                      services_.watcher_paused_until());
}

Result<json::value> LocalApi::initialise(Asked const& asked) {
  return json::value(number(TRY(services_.initialise(asked.body, asked.who))));
}

Result<json::value> LocalApi::destroy(Asked const&) {
  TRY(services_.destroy());
  return json::value(nullptr);
}

Result<json::value> LocalApi::query(Asked const& asked) {
  TRY(check_initialised());
  return run_query(services_.seams, services_.queue, services_.leader_epoch, asked.body);
}

Result<json::value> LocalApi::query_fields(Asked const& asked) {
  return run_query_fields(asked.body);
}

Result<json::value> LocalApi::drain(Asked const& asked) {
  TRY(services_.queue.set_drained(flag_in(asked.body, "drain")));
  return json::value(nullptr);
}

Result<json::value> LocalApi::tell_watcher(Asked const& asked) {
  auto const& body = asked.body;
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

Result<json::value> LocalApi::cancel(Asked const& asked) {
  return json::value(answer_of(services_.queue.cancel(*asked.job)));
}

Result<json::value> LocalApi::archive(Asked const& asked) {
  return json::value(TRY(services_.queue.archive(*asked.job)));
}

Result<json::value> LocalApi::archive_old(Asked const& asked) {
  auto const seconds = TRY(number_in(asked.body, "age_s"));
  auto const [archived, left] = services_.queue.auto_archive(
      seconds < 0 ? std::nullopt : std::optional<Duration>(std::chrono::seconds(seconds)));
  return json::value(json::array{archived, left});
}

Result<json::value> LocalApi::change_priority(Asked const& asked) {
  auto const priority = TRY(number_in(asked.body, "priority"));
  return json::value(answer_of(services_.queue.change_priority(*asked.job, priority)));
}

}  // namespace flotte::rapi
