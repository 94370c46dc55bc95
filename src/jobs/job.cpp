#include "jobs/job.h"

#include <algorithm>
#include <array>

namespace flotte::jobs {
namespace {

constexpr std::array status_names{"queued",  "waiting", "canceling", "running",
                                  "success", "error",   "canceled"};

Result<Status> status_from(std::string_view name) {
  for (std::size_t i = 0; i < status_names.size(); ++i) {
    if (status_names[i] == name) return static_cast<Status>(i);
  }
  return fail(ErrorCode::InternalError, "Unknown job status '{}'", name);
}

json::value time_value(std::vector<std::int64_t> const& time) {
  if (time.empty()) return nullptr;
  return json::array{time[0], time[1]};
}

Result<std::vector<std::int64_t>> time_from(json::object const& from, std::string_view name) {
  std::optional<std::vector<std::int64_t>> time;
  if (auto const* value = from.if_contains(name)) {
    TRY(schema::CodecFor<decltype(time)>::codec.decode(&time, *value, name,
                                                       schema::UnknownKeys::Refuse));
  }
  if (!time) return std::vector<std::int64_t>();
  if (time->size() != 2) return fail(ErrorCode::InternalError, "{} is no time stamp", name);
  return *time;
}

json::object encode_op(OpState const& op) {
  json::array log;
  for (auto const& entry : op.log) log.push_back(entry.wire());
  json::object out;
  out["input"] = op.input;
  out["status"] = to_string(op.status);
  out["result"] = op.result;
  out["log"] = std::move(log);
  out["priority"] = op.priority;
  out["start_timestamp"] = time_value(op.start_timestamp);
  out["exec_timestamp"] = time_value(op.exec_timestamp);
  out["end_timestamp"] = time_value(op.end_timestamp);
  return out;
}

Result<OpState> decode_op(json::value const& from) {
  if (!from.is_object()) return fail(ErrorCode::InternalError, "A stored opcode is no dict");
  auto const& object = from.get_object();
  auto const* input = object.if_contains("input");
  auto const* status = object.if_contains("status");
  auto const* log = object.if_contains("log");
  auto const* result = object.if_contains("result");
  auto const* priority = object.if_contains("priority");
  if (!input || !input->is_object() || !status || !status->is_string() || !log ||
      !log->is_array() || !result || !priority || !priority->is_int64()) {
    return fail(ErrorCode::InternalError, "A stored opcode lacks a part");
  }
  OpState op;
  op.input = input->get_object();
  op.status = TRY(status_from(std::string_view(status->get_string())));
  op.result = *result;
  op.priority = priority->get_int64();
  for (auto const& entry : log->get_array()) op.log.push_back(TRY(log_entry_from(entry)));
  op.start_timestamp = TRY(time_from(object, "start_timestamp"));
  op.exec_timestamp = TRY(time_from(object, "exec_timestamp"));
  op.end_timestamp = TRY(time_from(object, "end_timestamp"));
  return op;
}

}  // namespace

std::string_view to_string(Status status) {
  return status_names[static_cast<std::size_t>(status)];
}

Result<LogEntry> log_entry_from(json::value const& from) {
  if (!from.is_array() || from.get_array().size() != 4 || !from.get_array()[0].is_int64() ||
      !from.get_array()[2].is_string()) {
    return fail(ErrorCode::InternalError, "A log entry of a stored job is not valid");
  }
  auto const& row = from.get_array();
  LogEntry entry;
  entry.serial = row[0].get_int64();
  TRY(schema::CodecFor<std::vector<std::int64_t>>::codec.decode(&entry.time, row[1], "log",
                                                                schema::UnknownKeys::Refuse));
  if (entry.time.size() != 2) return fail(ErrorCode::InternalError, "Invalid time in a job's log");
  entry.type = std::string(std::string_view(row[2].get_string()));
  entry.content = row[3];
  return entry;
}

json::array LogEntry::wire() const {
  return {serial, time_value(time), type, content};
}

Status Job::status() const {
  auto const has = [&](Status wanted) {
    return std::ranges::any_of(ops, [&](OpState const& op) { return op.status == wanted; });
  };
  if (has(Status::Error)) return Status::Error;
  if (has(Status::Canceling)) return Status::Canceling;
  if (has(Status::Canceled)) return Status::Canceled;
  if (has(Status::Running)) return Status::Running;
  if (has(Status::Waiting)) return Status::Waiting;
  auto const all_done =
      std::ranges::all_of(ops, [](OpState const& op) { return op.status == Status::Success; });
  if (all_done) return Status::Success;
  // Between two opcodes the job goes on running.
  return has(Status::Success) ? Status::Running : Status::Queued;
}

std::vector<std::int64_t> stamp(WallTime time) {
  auto const us =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  return {us / 1'000'000, us % 1'000'000};
}

json::object encode(Job const& job) {
  json::array ops;
  for (auto const& op : job.ops) ops.push_back(encode_op(op));
  json::object out;
  out["id"] = number(job.id);
  if (job.submitted_by) out["submitted_by"] = schema::encode(*job.submitted_by);
  out["ops"] = std::move(ops);
  out["received_timestamp"] = time_value(job.received_timestamp);
  out["start_timestamp"] = time_value(job.start_timestamp);
  out["end_timestamp"] = time_value(job.end_timestamp);
  if (!job.crashed_epochs.empty()) {
    out["crashed_epochs"] = json::array(job.crashed_epochs.begin(), job.crashed_epochs.end());
  }
  return out;
}

Result<Job> decode_job(json::value const& stored) {
  if (!stored.is_object()) return fail(ErrorCode::InternalError, "A stored job is no dict");
  auto const& object = stored.get_object();
  auto const* id = object.if_contains("id");
  auto const* ops = object.if_contains("ops");
  if (!id || !id->is_int64() || !ops || !ops->is_array() || ops->get_array().empty()) {
    return fail(ErrorCode::InternalError, "A stored job lacks its id or its opcodes");
  }
  Job job;
  job.id = JobId{id->get_int64()};
  if (auto const* by = object.if_contains("submitted_by")) {
    job.submitted_by = TRY(schema::decode<Principal>(*by, schema::UnknownKeys::Ignore));
  }
  for (auto const& op : ops->get_array()) job.ops.push_back(TRY(decode_op(op)));
  job.received_timestamp = TRY(time_from(object, "received_timestamp"));
  job.start_timestamp = TRY(time_from(object, "start_timestamp"));
  job.end_timestamp = TRY(time_from(object, "end_timestamp"));
  if (auto const* epochs = object.if_contains("crashed_epochs"); epochs && epochs->is_array()) {
    for (auto const& epoch : epochs->get_array()) {
      if (epoch.is_int64()) job.crashed_epochs.push_back(epoch.get_int64());
    }
  }
  return job;
}

json::value encode_error(Error const& error, ErrorClass by_stage) {
  // That a node did not answer is for the stage to judge, too: no client of Ganeti knows more.
  auto const is_by_stage =
      error.error_class == ErrorClass::ByStage || error.error_class == ErrorClass::Unreachable;
  auto const error_class = is_by_stage ? by_stage : error.error_class;
  json::array arguments{error.message};
  // Only the prerequisite error carries Ganeti's code as a second argument.
  if (error_class == ErrorClass::Prereq && error.code != ErrorCode::None) {
    arguments.push_back(json::value(to_string(error.code)));
  }
  return json::array{python_class(error_class), std::move(arguments)};
}

}  // namespace flotte::jobs
