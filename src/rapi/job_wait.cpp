#include "rapi/job_wait.h"

#include <boost/json/serialize.hpp>
#include <memory>

#include "base/text.h"
#include "rapi/live_query.h"
#include "rapi/rows.h"

namespace flotte::rapi {
namespace {

constexpr std::size_t fields_max = 50;

// What outlives everybody who waits.
struct Sources {
  jobs::Seams seams;
  jobs::JobQueue& queue;
  std::int64_t leader_epoch;
};

// What a waiting program knows.
struct Known {
  JobId job{};
  json::array fields;
  json::value info;  // null: nothing
  std::int64_t log_serial = 0;
  std::uint64_t progress = 0;
};

Granted<Known> known_in(RemoteCall const& call) {
  auto const id = whole_number(call.place(0));
  if (!id) return refuse(404, "");
  auto const* body = call.body ? call.body->if_object() : nullptr;
  if (!body) return refuse(400, "Body contents: a dict is expected");
  Known known{.job = JobId{*id}, .fields = {}, .info = nullptr};
  auto const* fields = body->if_contains("fields");
  if (!fields) return refuse(400, "Required parameter 'fields' is missing");
  if (!fields->is_array()) return refuse(400, "The 'fields' parameter should be a list");
  known.fields = fields->get_array();
  if (known.fields.size() > fields_max) return refuse(400, "At most {} fields", fields_max);
  if (auto const* info = body->if_contains("previous_job_info")) {
    if (!info->is_array() && !info->is_null()) {
      return refuse(400, "The 'previous_job_info' parameter should be a list");
    }
    known.info = *info;
  }
  if (auto const* serial = body->if_contains("previous_log_serial"); serial && !serial->is_null()) {
    if (!serial->is_int64()) {
      return refuse(400, "The 'previous_log_serial' parameter should be a number");
    }
    known.log_serial = serial->get_int64();
  }
  return known;
}

Result<json::array> info_of(Sources const& sources, Known const& known) {
  json::object const question{{"what", "job"},
                              {"fields", known.fields},
                              {"names", json::array{std::to_string(number(known.job))}}};
  auto answer = TRY(run_query(sources.seams, sources.queue, sources.leader_epoch, question));
  json::array info;
  for (auto const& cell : answer.get_object()["data"].get_array().front().get_array()) {
    info.push_back(cell.get_array()[1]);
  }
  return info;
}

// Nothing: what the caller knows is all there is.
Result<std::optional<std::string>> news(Sources const& sources, Known& known) {
  // As if he knew of no status but the first: so he is told what the log has.
  auto const change =
      TRY(sources.queue.change(known.job, jobs::Status::Queued, known.log_serial, known.progress));
  auto info = TRY(info_of(sources, known));
  json::array log;
  if (change) {
    for (auto const& entry : change->new_log) log.push_back(entry.wire());
  }
  auto const has_ended = change && jobs::is_final(change->status);
  if (info == known.info && log.empty() && !has_ended) return std::nullopt;
  return json::serialize(
      json::object{{"job_info", std::move(info)}, {"log_entries", std::move(log)}});
}

}  // namespace

Granted<void> wait_for_job(Services const& services, RemoteCall const& call,
                           net::Responder& responder) {
  auto known = known_in(call);
  if (!known) return tl::unexpected(known.error());
  auto const until = services.seams.clock.now() + job_wait_max;
  Sources const sources{services.seams, services.queue, services.leader_epoch};
  auto now = news(sources, *known);
  if (!now) return tl::unexpected(refusal_of(now.error()));
  if (*now) {
    (void)responder.send({.body = **std::move(now)});
    return {};
  }
  if (auto const room = services.followers.check_room_to_wait(); !room) {
    return tl::unexpected(refusal_of(room.error()));
  }
  auto const job = known->job;
  auto const look =
      [sources, known = *std::move(known)](bool is_time_up) mutable -> std::optional<std::string> {
    auto told = news(sources, known);
    // One that was archived meanwhile is looked for by the next question.
    if (!told) return "null";
    if (!*told && is_time_up) return "null";
    return *std::move(told);
  };
  auto stream = responder.hand_over(200, "application/json");
  // Who went away needs no answer.
  if (stream) services.followers.wait(*std::move(stream), job, look, until);
  return {};
}

}  // namespace flotte::rapi
