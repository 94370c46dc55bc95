#include "jobs/job_queue.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/crash.h"
#include "base/log.h"
#include "base/lookup.h"
#include "base/seeded_fault.h"
#include "base/text.h"
#include "jobs/execution.h"
#include "jobs/keys.h"
#include "jobs/row.h"
#include "store/config_store.h"
#include "store/store.h"

namespace flotte::jobs {
namespace {

constexpr std::size_t unarchived_jobs_max = 5000;
constexpr std::size_t opcodes_a_job_max = 100;
constexpr std::size_t jobs_a_submit_max = 1000;
constexpr std::size_t workers_max = 64;

struct Dependency {
  JobId job{};
  std::vector<std::string> statuses;
};

Result<std::vector<Dependency>> dependencies_of(json::object const& op) {
  std::vector<Dependency> found;
  auto const common = TRY(opcodes::common_of(op));
  if (!common.depends) return found;
  for (auto const& entry : *common.depends) {
    auto const* pair = entry.if_array();
    if (!pair || pair->size() != 2 || !(*pair)[0].is_int64() || !(*pair)[1].is_array()) {
      return fail(ErrorCode::WrongInput, "depends must be a list of [job, [statuses]], not {}",
                  json::serialize(entry));
    }
    Dependency dependency{JobId{(*pair)[0].get_int64()}, {}};
    for (auto const& status : (*pair)[1].get_array()) {
      if (!status.is_string()) return fail(ErrorCode::WrongInput, "depends: statuses must be str");
      dependency.statuses.emplace_back(std::string_view(status.get_string()));
    }
    found.push_back(std::move(dependency));
  }
  return found;
}

// −1 is the job before this one in the same submit.
Result<void> make_absolute(json::object& op, std::vector<Result<JobId>> const& before) {
  TRY(dependencies_of(op));
  auto* depends = op.if_contains("depends");
  if (!depends || !depends->is_array()) return {};
  for (auto& entry : depends->get_array()) {
    auto& id = entry.get_array()[0];
    if (id.get_int64() >= 0) continue;
    auto const back = static_cast<std::size_t>(-id.get_int64());
    if (back > before.size() || !before[before.size() - back]) {
      return fail(ErrorCode::WrongInput, "Relative job id {} points at no job of this request",
                  id.get_int64());
    }
    id = number(*before[before.size() - back]);
  }
  return {};
}

// What was submitted is the last word of why.
void add_to_reason_trail(json::object& op, JobId job, std::size_t index, WallTime now) {
  auto const name = lower_case(std::string(opcodes::op_id_of(op).substr(3)));
  auto& reason = op["reason"];
  if (!reason.is_array()) reason.emplace_array();
  reason.get_array().push_back(
      json::array{json::string_view("gnt:opcode:" + name),
                  json::string_view(fmt::format("job={};index={}", number(job), index)),
                  now.time_since_epoch() / std::chrono::nanoseconds(1)});
}

std::string serial_slot_key(std::size_t slot) {
  return slot == 0 ? std::string(serial_key) : fmt::format("{}/{}", serial_key, slot);
}

std::string wish_key(JobId job) {
  return fmt::format("{}{:012}", wishes_prefix, number(job));
}

void put_job(store::Txn& txn, Job const& job) {
  txn.put(job_key(job.id), json::serialize(encode(job)));
}

}  // namespace

// While one lives, nobody else writes about the job. Made and ended with the queue's mutex held.
class JobQueue::Writing {
 public:
  Writing(JobQueue& queue, std::unique_lock<std::mutex>& guard, JobId id)
      : clock_(queue.seams_.clock), changed_(queue.changed_) {
    for (;;) {
      auto const found = queue.rows_.find(id);
      if (found == queue.rows_.end()) return;
      if (!found->second->is_being_written) {
        row_ = found->second.get();
        row_->is_being_written = true;
        return;
      }
      if (queue.is_stopping_) return;
      clock_.wait(guard, changed_);
    }
  }
  ~Writing() {
    if (!row_) return;
    row_->is_being_written = false;
    clock_.notify_all(changed_);
  }
  Writing(Writing const&) = delete;
  Writing& operator=(Writing const&) = delete;

  // Null: there is no such job, or the queue stops before its turn comes.
  Row* row() const { return row_; }

 private:
  Clock& clock_;
  std::condition_variable& changed_;
  Row* row_ = nullptr;
};

JobQueue::JobQueue(Seams seams, UnitTable const& units, std::int64_t leader_epoch)
    : seams_(seams), units_(units), leader_epoch_(leader_epoch) {}

JobQueue::~JobQueue() {
  stop();
}

Result<std::unique_ptr<JobQueue>> JobQueue::create(Seams seams, UnitTable const& units,
                                                   std::int64_t leader_epoch,
                                                   std::vector<std::string> const& crashes) {
  std::unique_ptr<JobQueue> queue(new JobQueue(seams, units, leader_epoch));
  TRY(queue->load(crashes));
  return queue;
}

std::vector<SetAside> JobQueue::set_aside() const {
  std::lock_guard const guard(mutex_);
  std::vector<SetAside> list;
  for (auto const& [id, row] : rows_) {
    if (!row->job.set_aside.empty()) list.push_back({id, row->job.set_aside});
  }
  return list;
}

void JobQueue::start() {
  std::unique_lock guard(mutex_);
  is_started_ = true;
  // Those with a journal held their locks together when the controller died: they get them before
  // all others.
  for (auto const& [id, row] : rows_) {
    if (row->journal) ask_for_locks(*row);
  }
  // Also before those of a higher priority, which are asked for next.
  for (auto const id : locks_.grant()) ready_.push_back(id);
  schedule(guard);
}

void JobQueue::stop() {
  depose();
  std::vector<std::thread> workers;
  {
    std::lock_guard const guard(mutex_);
    workers.swap(workers_);
  }
  for (auto& worker : workers) seams_.clock.join(worker);
}

void JobQueue::depose() {
  {
    std::lock_guard const guard(mutex_);
    is_stopping_ = true;
  }
  seams_.clock.notify_all(work_);
  seams_.clock.notify_all(changed_);
}

std::vector<Result<JobId>> JobQueue::submit(std::vector<json::array> const& jobs) {
  std::vector<Result<JobId>> answer;
  std::vector<std::unique_ptr<Row>> rows;
  auto const now = stamp(seams_.clock.wall());
  auto const refuse_all = [&](Error const& error) {
    return std::vector<Result<JobId>>(jobs.size(), Failure(error));
  };
  if (jobs.size() > jobs_a_submit_max) {
    return refuse_all({ErrorCode::WrongInput,
                       fmt::format("At most {} jobs a request", jobs_a_submit_max),
                       ErrorClass::Prereq});
  }

  std::unique_lock guard(mutex_);
  if (is_drained_) {
    return refuse_all(
        {ErrorCode::WrongState, "Job queue is drained, refusing job", ErrorClass::QueueDrained});
  }
  if (rows_.size() + jobs.size() > unarchived_jobs_max) {
    return refuse_all({ErrorCode::TempInsufficientResources,
                       "Job queue is full; archive old jobs with 'gnt-job autoarchive all'",
                       ErrorClass::QueueFull});
  }
  for (auto const& ops : jobs) {
    auto row = std::make_unique<Row>();
    auto const fill = [&]() -> Result<JobId> {
      if (ops.empty()) return fail(ErrorCode::WrongInput, "A job needs at least one opcode");
      if (ops.size() > opcodes_a_job_max) {
        return fail(ErrorCode::WrongInput, "A job has at most {} opcodes", opcodes_a_job_max);
      }
      auto const job_id = JobId{last_id_ + 1};
      for (auto const& op : ops) {
        OpState state;
        state.input = TRY(opcodes::normalise(op));
        state.priority = TRY(opcodes::common_of(state.input)).priority;
        TRY(make_absolute(state.input, answer));
        add_to_reason_trail(state.input, job_id, row->job.ops.size(), seams_.clock.wall());
        row->job.ops.push_back(std::move(state));
      }
      last_id_ = number(job_id);
      return job_id;
    };
    auto id = fill();
    if (id) {
      row->job.id = *id;
      row->job.received_timestamp = now;
      rows.push_back(std::move(row));
    } else if (id.error().error_class == ErrorClass::ByStage) {
      id.error().error_class = ErrorClass::Prereq;
    }
    answer.push_back(std::move(id));
  }
  if (rows.empty()) return answer;
  store::Txn txn;
  for (auto const& row : rows) {
    put_job(txn, row->job);
    storing_.insert(row->job.id);
  }
  auto const slot = take_serial_slot();
  txn.put(serial_slot_key(slot), std::to_string(last_id_));
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  guard.lock();
  serial_slots_.erase(slot);
  for (auto& row : rows) {
    auto const id = row->job.id;
    storing_.erase(id);
    if (stored) {
      rows_[id] = std::move(row);
      to_ask_.insert(id);
    }
    look_again_at_dependents(id);
  }
  schedule(guard);
  return stored ? answer : refuse_all(stored.error());
}

std::size_t JobQueue::take_serial_slot() {
  std::size_t slot = 0;
  while (serial_slots_.contains(slot)) ++slot;
  serial_slots_.insert(slot);
  return slot;
}

// Moves every row on as far as it can go without a worker.
void JobQueue::schedule(std::unique_lock<std::mutex>& guard) {
  CHECK(guard.owns_lock());
  if (!is_started_ || is_stopping_) return;
  for (auto const id : std::exchange(to_ask_, {})) {
    auto const found = rows_.find(id);
    if (found == rows_.end() || !found->second->is_idle()) continue;
    if (dependencies_met(*found->second)) ask_for_locks(*found->second);
  }
  for (auto const id : locks_.grant()) ready_.push_back(id);
  if (ready_.empty()) return;
  spawn_worker_if_needed();
  seams_.clock.notify_all(work_);
}

void JobQueue::ask_for_locks(Row& row) {
  crash::Blame const blame(blame_line(row.job.id));
  auto const* unit = units_.find(opcodes::op_id_of(row.op().input));
  auto const snapshot = seams_.config.snapshot();
  // An error here comes again when the opcode runs, and is reported then.
  auto locks = unit ? unit->locks(row.op().input, *snapshot) : Result<LockSet>(LockSet{});
  row.locks = locks ? together(std::move(*locks), row.plan_locks) : LockSet{};
  row.wants_locks = true;
  row.op().status = Status::Waiting;
  locks_.request(row.job.id, row.op().priority, row.locks);
  touch(row);
}

void JobQueue::look_again_at_dependents(JobId id) {
  auto const [first, last] = dependents_.equal_range(id);
  for (auto entry = first; entry != last; ++entry) to_ask_.insert(entry->second);
  dependents_.erase(first, last);
}

// A dependency that ended otherwise than wished ends this job too. One that has not ended is
// remembered: this job is looked at again then.
bool JobQueue::dependencies_met(Row& row) {
  auto const dependencies = dependencies_of(row.op().input);
  if (!dependencies) return true;
  for (auto const& dependency : *dependencies) {
    auto const found = rows_.find(dependency.job);
    if (storing_.contains(dependency.job)) {
      dependents_.emplace(dependency.job, row.job.id);
      return false;
    }
    // Archived or unknown: it ended, and nobody can say how.
    if (found == rows_.end()) {
      if (number(dependency.job) <= last_id_) continue;
      end_soon(row, Status::Error,
               encode_error({ErrorCode::UnknownEntity,
                             fmt::format("Dependency on unknown job {}", number(dependency.job)),
                             ErrorClass::Prereq},
                            ErrorClass::Prereq));
      return false;
    }
    auto const status = found->second->job.status();
    if (!found->second->has_ended()) {
      row.op().status = Status::Waiting;
      dependents_.emplace(dependency.job, row.job.id);
      return false;
    }
    auto const& wished = dependency.statuses;
    if (!wished.empty() && std::ranges::find(wished, to_string(status)) == wished.end()) {
      end_soon(row, Status::Canceled, "Job canceled by dependency");
      return false;
    }
  }
  return true;
}

// A worker writes it; that it ends is true when it is durable.
void JobQueue::end_soon(Row& row, Status status, json::value result) {
  row.ends_as = {status, std::move(result)};
  ready_.push_front(row.job.id);
}

// Its opcodes from that one on never run.
void JobQueue::end_job(Job& job, std::size_t from, Status status, json::value const& result) const {
  auto const now = stamp(seams_.clock.wall());
  for (auto i = from; i < job.ops.size(); ++i) {
    job.ops[i].status = status;
    job.ops[i].result = result;
    job.ops[i].end_timestamp = now;
  }
  job.end_timestamp = now;
}

void JobQueue::touch(Row&) {
  seams_.clock.notify_all(changed_);
}

void JobQueue::spawn_worker_if_needed() {
  auto const limit = std::min<std::size_t>(
      workers_max, static_cast<std::size_t>(std::max<std::int64_t>(
                       1, seams_.config.snapshot()->settings().max_running_jobs)));
  while (workers_idle_ < ready_.size() && workers_.size() < limit) {
    ++workers_idle_;
    workers_.push_back(seams_.clock.start_thread(fmt::format("job-{}", workers_.size()),
                                                 [this] { run_worker(); }));
  }
}

void JobQueue::run_worker() {
  for (;;) {
    JobId id{};
    {
      std::unique_lock guard(mutex_);
      while (ready_.empty() && !is_stopping_) seams_.clock.wait(guard, work_);
      if (is_stopping_) return;
      id = ready_.front();
      ready_.pop_front();
      --workers_idle_;
    }
    execute(id);
    std::unique_lock guard(mutex_);
    ++workers_idle_;
    schedule(guard);
  }
}

// One opcode of a job whose locks are held.
void JobQueue::execute(JobId id) {
  crash::Blame const blame(blame_line(id));
  std::unique_lock guard(mutex_);
  auto& row = *known_at(rows_, id);
  row.is_executing = true;
  auto const* unit = begin_opcode(row);
  auto status = Status::Error;
  json::value result;
  store::Txn txn;
  if (unit) {
    if (has_fault(SeededFault::LockReleasedEarly)) {
      locks_.release(id);
      schedule(guard);
    }
    guard.unlock();
    Execution execution(*this, row);
    auto const outcome = execution.run(*unit);
    guard.lock();
    if (outcome == Execution::Outcome::Stopped) return;
    if (outcome == Execution::Outcome::OtherLocks) {
      row.is_executing = row.wants_locks = false;
      to_ask_.insert(id);
      return locks_.release(id);
    }
    status = execution.status();
    result = execution.result();
    row.leaves_journal = execution.close_journal(txn);
  }

  Writing const writing(*this, guard, id);
  if (!writing.row()) return;
  if (unit) {
    end_opcode(row, status, std::move(result));
  } else {
    end_unrun(row);
  }
  auto const has_ended = is_final(row.job.status());
  put_job(txn, row.job);
  if (has_ended && row.wish.is_any()) txn.remove(wish_key(id));
  guard.unlock();
  auto const is_stored = store_end(id, txn);
  guard.lock();
  if (!is_stored) return;
  row.is_executing = row.wants_locks = false;
  row.progress.reset();
  locks_.release(id);
  if (has_ended) {
    look_again_at_dependents(id);
  } else {
    to_ask_.insert(id);
  }
  touch(row);
}

// Null: it is not to run.
Unit const* JobQueue::begin_opcode(Row& row) {
  auto& op = row.op();
  auto const* unit = units_.find(opcodes::op_id_of(op.input));
  if (!unit || row.ends_as || (row.wish.cancel && !row.journal)) return nullptr;
  auto const now = stamp(seams_.clock.wall());
  op.status = Status::Running;
  if (op.start_timestamp.empty()) op.start_timestamp = now;
  op.exec_timestamp = now;
  if (row.job.start_timestamp.empty()) row.job.start_timestamp = now;
  touch(row);
  return unit;
}

// The opcodes after one that failed don't run.
void JobQueue::end_opcode(Row& row, Status status, json::value result) {
  auto& op = row.op();
  op.status = status;
  op.result = std::move(result);
  op.end_timestamp = stamp(seams_.clock.wall());
  row.plan_locks.clear();
  auto const is_last = row.current + 1 == row.job.ops.size();
  if (!is_last) ++row.current;
  if (!is_last && status != Status::Success) end_job(row.job, row.current, status, op.result);
  if (is_last) row.job.end_timestamp = op.end_timestamp;
}

void JobQueue::end_unrun(Row& row) {
  if (row.ends_as) {
    end_job(row.job, row.current, row.ends_as->first, row.ends_as->second);
  } else if (row.wish.cancel) {
    end_job(row.job, row.current, Status::Canceled, "Job canceled by request");
  } else {
    Error const unknown{
        ErrorCode::InternalError,
        fmt::format("Opcode {} is not built yet", opcodes::op_id_of(row.op().input)),
        ErrorClass::Prereq};
    end_job(row.job, row.current, Status::Error, encode_error(unknown, ErrorClass::Prereq));
  }
}

// The result is told only when it is durable. A store that can't write now is asked again: the job
// has ended. False: the queue is stopping, or another controller leads.
bool JobQueue::store_end(JobId id, store::Txn const& txn) {
  for (auto pause = std::chrono::milliseconds(100);;) {
    auto const stored = seams_.store.txn(txn);
    if (stored) return true;
    if (stored.error().error_class == ErrorClass::Deposed) {
      depose();
      return false;
    }
    log::error("The end of job {} can't be stored: {}", number(id), stored.error().message);
    seams_.clock.sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(5000));
    std::lock_guard const guard(mutex_);
    if (is_stopping_) return false;
  }
}

Result<Job> JobQueue::job(JobId id) const {
  {
    std::lock_guard const guard(mutex_);
    if (auto const row = rows_.find(id); row != rows_.end()) return as_told(*row->second);
  }
  auto const stored = TRY(seams_.store.range_prefix(archive_key(id)));
  if (stored.empty()) return fail(ErrorCode::UnknownEntity, "Job {} not found", number(id));
  auto job = TRY(decode_job(TRY(schema::parse(stored.front().value))));
  job.is_archived = true;
  return job;
}

std::vector<Job> JobQueue::jobs() const {
  std::lock_guard const guard(mutex_);
  std::vector<Job> list;
  list.reserve(rows_.size());
  for (auto const& [id, row] : rows_) list.push_back(as_told(*row));
  return list;
}

std::vector<json::object> JobQueue::unfinished_opcodes() const {
  std::lock_guard const guard(mutex_);
  std::vector<json::object> list;
  for (auto const& [id, row] : rows_) {
    if (row->has_ended()) continue;
    for (auto const& op : row->job.ops) list.push_back(op.input);
  }
  return list;
}

// While its end is being stored a job still counts as running: what is told must be durable.
Job JobQueue::as_told(Row const& row) const {
  auto job = row.job;
  if (row.is_executing && is_final(job.status())) job.ops[row.current].status = Status::Running;
  return job;
}

std::vector<LockManager::Entry> JobQueue::locks() const {
  std::lock_guard const guard(mutex_);
  return locks_.entries();
}

json::array JobQueue::journal(JobId id) const {
  json::array lines;
  auto const entries = seams_.store.range_prefix(journal_prefix(id) + "step/");
  if (!entries) return lines;
  for (auto const& kv : *entries) {
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

Result<std::optional<Change>> JobQueue::wait_change(JobId id, Status known_status,
                                                    std::int64_t known_log_serial,
                                                    std::uint64_t& known_progress,
                                                    Instant deadline) const {
  std::unique_lock guard(mutex_);
  for (;;) {
    auto const found = rows_.find(id);
    if (found == rows_.end()) {
      return fail(ErrorCode::UnknownEntity, "Job {} not found", number(id));
    }
    auto const& row = *found->second;
    // While the end is being stored the job still counts as running: what is told must be durable.
    auto const status =
        row.is_executing && is_final(row.job.status()) ? Status::Running : row.job.status();
    Change change{.job = id, .status = status};
    for (auto const& op : row.job.ops) {
      for (auto const& entry : op.log) {
        if (entry.serial > known_log_serial) change.new_log.push_back(entry);
      }
    }
    if (row.progress && row.progress_serial != known_progress) {
      known_progress = row.progress_serial;
      change.progress = row.progress;
    }
    if (status != known_status || !change.new_log.empty() || change.progress) {
      return std::optional(std::move(change));
    }
    if (seams_.clock.now() >= deadline || is_stopping_) return std::optional<Change>();
    seams_.clock.wait_until(guard, changed_, deadline);
  }
}

CancelAnswer JobQueue::cancel(JobId id) {
  std::unique_lock guard(mutex_);
  Writing const writing(*this, guard, id);
  if (!writing.row()) return no_longer_here(id);
  auto& row = *writing.row();
  if (is_final(row.job.status())) {
    return {false, fmt::format("Job {} is no longer waiting in the queue", number(id))};
  }
  if (row.is_executing || row.journal || row.ends_as) {
    auto wish = row.wish;
    wish.cancel = true;
    auto const stored = store_wish(guard, row, wish);
    if (!stored) return {false, stored.error().message};
    return {true, fmt::format("Job {} will be canceled and what it did undone", number(id))};
  }
  // Nobody else takes it while its end is written.
  row.is_executing = true;
  locks_.release(id);
  row.wants_locks = false;
  std::erase(ready_, id);
  auto ended = row.job;
  end_job(ended, row.current, Status::Canceled, "Job canceled by request");
  store::Txn txn;
  put_job(txn, ended);
  if (row.wish.is_any()) txn.remove(wish_key(id));
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  guard.lock();
  row.is_executing = false;
  if (stored) {
    row.job = std::move(ended);
    look_again_at_dependents(id);
  } else {
    to_ask_.insert(id);
  }
  touch(row);
  schedule(guard);
  if (!stored) return {false, stored.error().message};
  return {true, fmt::format("Job {} canceled", number(id))};
}

// It counts when it is durable.
Result<void> JobQueue::store_wish(std::unique_lock<std::mutex>& guard, Row& row, Wish const& wish) {
  store::Txn txn;
  txn.put(wish_key(row.job.id), json::serialize(schema::encode(wish)));
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  guard.lock();
  TRY(stored);
  row.wish = wish;
  touch(row);
  return {};
}

CancelAnswer JobQueue::no_longer_here(JobId id) const {
  if (is_stopping_) return {false, "The controller is stopping; ask again"};
  return {false, fmt::format("Job {} not found", number(id))};
}

Result<bool> JobQueue::archive(JobId id) {
  store::Txn txn;
  std::unique_lock guard(mutex_);
  auto const found = rows_.find(id);
  if (found == rows_.end()) return fail(ErrorCode::UnknownEntity, "Job {} not found", number(id));
  if (!found->second->has_ended() || found->second->is_being_written) return false;
  // Nobody else archives it meanwhile.
  auto row = rows_.extract(found);
  auto const& archived = *row.mapped();
  txn.remove(job_key(id));
  if (archived.wish.is_any() || archived.waits_for_people()) txn.remove(wish_key(id));
  txn.delete_prefix(journal_prefix(id));
  txn.put(archive_key(id), json::serialize(encode(archived.job)));
  if (!archived.unreadable.empty()) {
    txn.put(fmt::format("{}{:012}", unreadable_prefix, number(id)), archived.unreadable);
  }
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  if (stored) return true;
  guard.lock();
  rows_.insert(std::move(row));
  return Failure(stored.error());
}

std::pair<std::int64_t, std::int64_t> JobQueue::auto_archive(std::optional<Duration> age) {
  auto const now = stamp(seams_.clock.wall())[0];
  auto const seconds =
      age ? std::chrono::duration_cast<std::chrono::seconds>(*age).count() : std::int64_t{0};
  std::vector<JobId> old;
  std::int64_t left = 0;
  {
    std::lock_guard const guard(mutex_);
    for (auto const& [id, row] : rows_) {
      auto const& job = row->job;
      auto const& ended = job.end_timestamp.empty() ? job.received_timestamp : job.end_timestamp;
      auto const is_old = !age || (!ended.empty() && now - ended[0] >= seconds);
      if (is_old && is_final(job.status()) && !row->waits_for_people()) {
        old.push_back(id);
      } else {
        ++left;
      }
    }
  }
  auto const archived =
      std::ranges::count_if(old, [this](JobId id) { return archive(id).value_or(false); });
  return {archived, left + std::ssize(old) - archived};
}

CancelAnswer JobQueue::change_priority(JobId id, std::int64_t priority) {
  std::unique_lock guard(mutex_);
  Writing const writing(*this, guard, id);
  if (!writing.row()) return no_longer_here(id);
  auto& row = *writing.row();
  if (is_final(row.job.status())) {
    return {false, fmt::format("Job {} is finished", number(id))};
  }
  auto wish = row.wish;
  wish.priority = priority;
  auto const stored = store_wish(guard, row, wish);
  if (!stored) return {false, stored.error().message};
  row.apply_priority();
  locks_.change_priority(id, priority);
  schedule(guard);
  return {true, fmt::format("Priorities of pending opcodes for job {} have been changed to {}",
                            number(id), priority)};
}

Result<void> JobQueue::set_drained(bool is_drained) {
  store::Txn txn;
  if (is_drained) {
    txn.put(std::string(drain_key), "true");
  } else {
    txn.remove(std::string(drain_key));
  }
  TRY(seams_.store.txn(txn));
  std::lock_guard const guard(mutex_);
  is_drained_ = is_drained;
  return {};
}

bool JobQueue::is_drained() const {
  std::lock_guard const guard(mutex_);
  return is_drained_;
}

}  // namespace flotte::jobs
