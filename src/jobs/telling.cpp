// What is told of jobs: to lists, to people who look at one, and to commands that wait.
#include "base/log.h"
#include "jobs/job_queue.h"
#include "jobs/row.h"
#include "store/store.h"

namespace flotte::jobs {

Result<Job> JobQueue::job(JobId id, Logs logs) const {
  std::optional<Job> job;
  std::optional<std::vector<LogLine>> log;
  {
    Guard const guard(seams_.clock, mutex_);
    if (auto const row = rows_.find(id); row != rows_.end()) {
      job = as_told(*row->second);
      if (!row->second->has_ended()) log = row->second->log.after(0);
    }
  }
  if (!job) {
    auto const stored = TRY(seams_.store.range(archive_key(id), 1));
    if (stored.empty()) return fail(ErrorCode::UnknownEntity, "Job {} not found", number(id));
    job = TRY(decode_job(TRY(schema::parse(stored.front().value))));
    job->is_archived = true;
  }
  if (logs == Logs::Without) return *std::move(job);
  if (!log) log = log_from_store(id, 0);
  for (auto& line : *log) {
    if (line.op < job->ops.size()) job->ops[line.op].log.push_back(std::move(line.entry));
  }
  return *std::move(job);
}

std::vector<LogLine> JobQueue::log_from_store(JobId id, std::int64_t after) const {
  auto lines = stored_log(seams_.store, id, after);
  if (lines) return *std::move(lines);
  log::error("The log of job {}: {}", number(id), lines.error().message);
  return {};
}

std::vector<JobId> JobQueue::ids() const {
  Guard const guard(seams_.clock, mutex_);
  std::vector<JobId> list;
  list.reserve(rows_.size());
  for (auto const& [id, row] : rows_) list.push_back(id);
  return list;
}

std::vector<Job> JobQueue::jobs() const {
  Guard const guard(seams_.clock, mutex_);
  std::vector<Job> list;
  list.reserve(rows_.size());
  for (auto const& [id, row] : rows_) list.push_back(as_told(*row));
  return list;
}

std::vector<json::object> JobQueue::unfinished_opcodes() const {
  Guard const guard(seams_.clock, mutex_);
  std::vector<json::object> list;
  for (auto const& [id, row] : rows_) {
    if (row->has_ended()) continue;
    for (auto const& op : row->job.ops) list.push_back(op.input);
  }
  return list;
}

Job JobQueue::as_told(Row const& row) const {
  auto job = row.job;
  if (row.is_end_being_stored()) job.ops[row.current].status = Status::Running;
  return job;
}

std::vector<LockManager::Entry> JobQueue::locks() const {
  Guard const guard(seams_.clock, mutex_);
  return locks_.entries();
}

json::array JobQueue::journal(JobId id) const {
  json::array lines;
  auto const entries = seams_.store.range_prefix(journal_prefix(id) + "step/");
  if (!entries) return lines;
  for (auto const& kv : join_parts(*entries)) {
    auto const value = unseal(kv.value);
    auto const step =
        value ? schema::decode<StepRecord>(*value) : Result<StepRecord>(Failure(value.error()));
    if (!step) continue;
    // Arguments of calls stay out: they may hold secrets of an OS installation.
    json::object line;
    line["step"] = json::value(json::string_view(step->says));
    line["done"] = step->is_done;
    line["error"] =
        step->error ? json::value(json::string_view(*step->error)) : json::value(nullptr);
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<std::optional<Change>> JobQueue::change(JobId id, Status known_status,
                                               std::int64_t known_log_serial,
                                               std::uint64_t& known_progress) const {
  Guard guard(seams_.clock, mutex_);
  auto found = change_in_memory(id, known_status, known_log_serial, known_progress);
  guard.unlock();
  return with_stored_log(std::move(found), known_log_serial);
}

Result<std::optional<Change>> JobQueue::wait_change(JobId id, Status known_status,
                                                    std::int64_t known_log_serial,
                                                    std::uint64_t& known_progress,
                                                    Instant deadline) const {
  Guard guard(seams_.clock, mutex_);
  auto found = change_in_memory(id, known_status, known_log_serial, known_progress);
  while (found && !*found && seams_.clock.now() < deadline && !is_stopping_) {
    seams_.clock.wait_until(guard, changed_, deadline);
    found = change_in_memory(id, known_status, known_log_serial, known_progress);
  }
  guard.unlock();
  return with_stored_log(std::move(found), known_log_serial);
}

// What a job that has ended said is read after the queue was given up.
Result<std::optional<Change>> JobQueue::with_stored_log(Result<std::optional<Change>> change,
                                                        std::int64_t known_log_serial) const {
  if (!change || !*change) return change;
  auto& told = **change;
  if (!is_final(told.status) || !told.reads_log) return change;
  for (auto& line : log_from_store(told.job, known_log_serial)) {
    told.new_log.push_back(std::move(line.entry));
  }
  return change;
}

// With the queue's mutex held.
Result<std::optional<Change>> JobQueue::change_in_memory(JobId id, Status known_status,
                                                         std::int64_t known_log_serial,
                                                         std::uint64_t& known_progress) const {
  auto const found = rows_.find(id);
  if (found == rows_.end()) {
    return fail(ErrorCode::UnknownEntity, "Job {} not found", number(id));
  }
  auto const& row = *found->second;
  auto const status = row.is_end_being_stored() ? Status::Running : row.job.status();
  Change change{.job = id, .status = status};
  change.reads_log = row.log.is_forgotten() && row.log.last_serial() != known_log_serial;
  if (!row.log.is_forgotten()) {
    for (auto& line : row.log.after(known_log_serial)) {
      change.new_log.push_back(std::move(line.entry));
    }
  }
  for (auto const& op : row.job.ops) {
    for (auto const& entry : op.log) {
      if (entry.serial > known_log_serial) change.new_log.push_back(entry);
    }
  }
  if (row.progress && row.progress_serial != known_progress) {
    known_progress = row.progress_serial;
    change.progress = row.progress;
  }
  if (status == known_status && change.new_log.empty() && !change.progress) {
    return std::optional<Change>();
  }
  return std::optional(std::move(change));
}

}  // namespace flotte::jobs
