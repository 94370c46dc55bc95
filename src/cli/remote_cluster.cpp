#include "cli/remote_cluster.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "cli/answers.h"
#include "net/http.h"

namespace flotte::cli {
namespace {

bool may_be_asked_again(Error const& error) {
  return error.error_class == ErrorClass::Unreachable;
}

Result<RemoteJobId> job_of(std::string const& cluster, json::value const& answer) {
  if (auto const id = number(answer)) return *id;
  return fail_as(ErrorClass::Prereq, ErrorCode::EnvironmentError,
                 "{} answered with no job but with {}", cluster, json::serialize(answer));
}

}  // namespace

bool has_ended(std::string_view status) {
  return status == "success" || status == "error" || status == "canceled";
}

RemoteCluster::RemoteCluster(std::string name, Rapi& rapi, Clock& clock, Patience patience)
    : name_(std::move(name)), rapi_(rapi), clock_(clock), patience_(patience) {}

Result<json::value> RemoteCluster::ask(std::string const& method, std::string const& target,
                                       json::value const& body) {
  auto const give_up_at = clock_.now() + patience_.longest;
  for (;;) {
    auto answer = rapi_.ask(method, target, body);
    if (answer || !may_be_asked_again(answer.error())) return answer;
    auto const is_for_later = method != "GET" && answer.error().code == is_busy;
    if (is_for_later || clock_.now() >= give_up_at) return answer;
    clock_.sleep_for(patience_.pause);
  }
}

std::string RemoteCluster::with_reason(std::string const& target) const {
  if (reason_.empty()) return target;
  auto const mark = target.find('?') == std::string::npos ? '?' : '&';
  return fmt::format("{}{}reason={}", target, mark, net::percent_encode(reason_));
}

Result<json::value> RemoteCluster::get(std::string const& target, json::value const& body) {
  return ask("GET", target, body);
}

Result<std::optional<json::value>> RemoteCluster::find(std::string const& target) {
  auto answer = get(target);
  if (answer) return std::optional(*std::move(answer));
  if (answer.error().code == ErrorCode::UnknownEntity) return std::nullopt;
  return Failure(answer.error());
}

Result<RemoteJobId> RemoteCluster::submit(std::string const& method, std::string const& target,
                                          json::value const& body) {
  auto const id = TRY(job_of(name_, TRY(ask(method, with_reason(target), body))));
  ours_.insert(id);
  return id;
}

Result<RemoteJobId> RemoteCluster::submit_once(std::string const& method, std::string const& target,
                                               json::value const& body, IsIt const& is_it) {
  auto const give_up_at = clock_.now() + patience_.longest;
  for (;;) {
    auto const answer = rapi_.ask(method, with_reason(target), body);
    if (answer) {
      auto const id = TRY(job_of(name_, *answer));
      ours_.insert(id);
      return id;
    }
    auto const& error = answer.error();
    if (!may_be_asked_again(error) || error.code == is_busy) return Failure(error);
    if (error.not_attempted && clock_.now() >= give_up_at) return Failure(error);
    clock_.sleep_for(patience_.pause);
    if (error.not_attempted) continue;
    for (auto const& job : TRY(jobs(is_it))) {
      if (ours_.insert(job.id).second) return job.id;
    }
    return fail_as(ErrorClass::Prereq, ErrorCode::EnvironmentError,
                   "{}; there is no such job on {}", error.message, name_);
  }
}

Result<json::array> RemoteCluster::run(std::string const& method, std::string const& target,
                                       json::value const& body) {
  JobFollower job(*this, TRY(submit(method, target, body)));
  while (!job.has_ended()) TRY(job.look([](LogLine const&) {}));
  return job.results();
}

Result<std::vector<RemoteJob>> RemoteCluster::jobs(IsIt const& is_it) {
  auto const answer = TRY(get("/2/jobs?bulk=1"));
  std::vector<RemoteJob> found;
  auto const* rows = answer.if_array();
  for (auto const& row : rows ? *rows : json::array()) {
    RemoteJob job{number_in(row, "id").value_or(0), text_in(row, "status"), list_in(row, "ops")};
    auto const fits = [&](json::value const& op) {
      return op.is_object() && is_it(op.get_object());
    };
    if (std::ranges::any_of(job.ops, fits)) found.push_back(std::move(job));
  }
  std::ranges::sort(found, std::greater(), &RemoteJob::id);
  return found;
}

Result<bool> RemoteCluster::cancel(RemoteJobId id) {
  auto const answer = TRY(ask("DELETE", fmt::format("/2/jobs/{}", id), {}));
  auto const* is_done = item(answer, 0);
  return is_done && is_done->is_bool() && is_done->get_bool();
}

JobFollower::JobFollower(RemoteCluster& cluster, RemoteJobId id) : cluster_(cluster), id_(id) {}

Result<void> JobFollower::look(OnLogLine const& on_line) {
  json::value const known = status_.empty()
                                ? json::value()
                                : json::value(json::array{json::value(json::string_view(status_))});
  auto const news = cluster_.get(fmt::format("/2/jobs/{}/wait", id_),
                                 json::object{{"fields", json::array{"status"}},
                                              {"previous_job_info", known},
                                              {"previous_log_serial", serial_}});
  if (!news) {
    if (news.error().code != ErrorCode::UnknownEntity) return Failure(news.error());
    return fail_as(ErrorClass::JobLost, ErrorCode::UnknownEntity,
                   "{} does not know of its job {} any more", cluster_.name(), id_);
  }
  if (news->is_null()) {
    // It has waited; should it not have, nobody is asked in a circle.
    cluster_.clock().sleep_for(std::chrono::milliseconds(100));
    return {};
  }
  auto const lines = list_in(*news, "log_entries");
  for (auto const& line : lines) {
    auto const* serial = item(line, 0);
    auto const* type = item(line, 2);
    auto const* content = item(line, 3);
    if (!serial || !type || !content) continue;
    serial_ = *serial;
    on_line({text(*type), *content});
  }
  auto const fields = list_in(*news, "job_info");
  if (!fields.empty()) status_ = text(fields[0]);
  return {};
}

Result<json::array> JobFollower::results() {
  if (told_.is_null()) told_ = TRY(cluster_.get(fmt::format("/2/jobs/{}", id_)));
  auto const results = list_in(told_, "opresult");
  if (has_succeeded()) return results;
  auto const statuses = list_in(told_, "opstatus");
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto const has_failed = i >= statuses.size() || text(statuses[i]) == "error";
    if (has_failed && results[i].is_array()) return Failure(job_error(results[i]));
  }
  auto const is_canceled = status_ == "canceled";
  return fail_as(is_canceled ? ErrorClass::JobCanceled : ErrorClass::Exec, ErrorCode::WrongState,
                 "job {} of {} {}", id_, cluster_.name(),
                 is_canceled ? "was canceled" : "failed and does not say why");
}

Error job_error(json::value const& told) {
  auto const* name = item(told, 0);
  auto const* arguments = item(told, 1);
  auto const* message = arguments ? item(*arguments, 0) : nullptr;
  if (!name || !message) {
    return Error{ErrorCode::InternalError, json::serialize(told), ErrorClass::Exec};
  }
  auto const* code = item(*arguments, 1);
  auto error_class = error_class_from_python(text(*name));
  // What the job met is not what we meet.
  if (error_class == ErrorClass::Unreachable) error_class = ErrorClass::Exec;
  return Error{code ? error_code_from(text(*code)).value_or(ErrorCode::None) : ErrorCode::None,
               message->is_string() ? text(*message) : json::serialize(*message), error_class};
}

}  // namespace flotte::cli
