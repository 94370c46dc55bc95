#include "jobs/job_queue.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/boundary.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/lookup.h"
#include "base/seeded_fault.h"
#include "base/text.h"
#include "base/utf8.h"
#include "jobs/execution.h"
#include "jobs/keys.h"
#include "jobs/row.h"
#include "net/sealing.h"
#include "store/config_store.h"
#include "store/store.h"

namespace flotte::jobs {
namespace {

constexpr std::size_t unarchived_jobs_max = 5000;
constexpr std::size_t opcodes_a_job_max = 100;
constexpr std::size_t jobs_a_submit_max = 1000;
// A job is one value of the store, with what it is given and what it answers.
constexpr std::size_t job_bytes_max = 1'000'000;
constexpr std::size_t results_bytes_max = 400'000;
static_assert(job_bytes_max + results_bytes_max < store::value_bytes_max);
constexpr std::size_t workers_max = 256;
// Holds locks for run_last(), before all jobs.
constexpr JobId last_of_all{0};
constexpr std::int64_t before_all_jobs = -1000;

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

// One that is too large to be stored says so instead.
json::value storable(json::value result, std::size_t bytes_max) {
  if (!result.is_structured() && !result.is_string()) return result;
  auto const size = json::serialize(result).size();
  if (size <= bytes_max) return result;
  auto* const error = result.if_array();
  auto* const parts = error && error->size() == 2 ? (*error)[1].if_array() : nullptr;
  auto* const text = parts && !parts->empty() ? (*parts)[0].if_string() : nullptr;
  if (!text) {
    return json::string(
        fmt::format("The result has {} bytes, more than the {} that are kept", size, bytes_max));
  }
  // Escaped, a byte is six at most.
  text->resize(beginning_of(*text, bytes_max / 8).size());
  text->append(" [the rest is left out]");
  return json::array{(*error)[0], json::array{*text}};
}

void put_job(store::Txn& txn, Job const& job) {
  txn.put(job_key(job.id), json::serialize(encode(job)));
}

}  // namespace

// While one lives, nobody else writes about the job. Made and ended with the queue's mutex held.
// While run_last() works none is made: it may forget all rows.
class JobQueue::Writing {
 public:
  Writing(JobQueue& queue, Guard& guard, JobId id)
      : queue_(queue), clock_(queue.seams_.clock), changed_(queue.changed_) {
    for (;;) {
      auto const found = queue.rows_.find(id);
      if (found == queue.rows_.end()) return;
      if (!found->second->is_being_written && !queue.is_ending_) {
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
  // It was archived.
  void forget_row() {
    queue_.rows_.erase(row_->job.id);
    row_ = nullptr;
    clock_.notify_all(changed_);
  }
  Writing(Writing const&) = delete;
  Writing& operator=(Writing const&) = delete;

  // Null: there is no such job, or the queue stops before its turn comes.
  Row* row() const { return row_; }

 private:
  JobQueue& queue_;
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
  Guard const guard(seams_.clock, mutex_);
  std::vector<SetAside> list;
  for (auto const& [id, row] : rows_) {
    if (!row->job.set_aside.empty()) list.push_back({id, row->job.set_aside});
  }
  return list;
}

void JobQueue::start() {
  Guard guard(seams_.clock, mutex_);
  is_started_ = true;
  // Those with a journal held their locks and claims together when the controller died: they get
  // them before all others.
  for (auto const& [id, row] : rows_) {
    if (!row->journal) continue;
    ask_for_locks(*row);
    take_claims_again(*row);
  }
  // Also before those of a higher priority, which are asked for next.
  take_granted();
  schedule(guard);
}

void JobQueue::stop() {
  depose();
  std::vector<std::thread> workers;
  {
    Guard const guard(seams_.clock, mutex_);
    workers.swap(workers_);
  }
  for (auto& worker : workers) seams_.clock.join(worker);
}

void JobQueue::depose() {
  {
    Guard const guard(seams_.clock, mutex_);
    is_stopping_ = true;
  }
  seams_.clock.notify_all(work_);
  seams_.clock.notify_all(changed_);
}

std::vector<Result<JobId>> JobQueue::submit(std::vector<json::array> const& jobs,
                                            Principal const& by, Together const& together) {
  std::vector<Result<JobId>> answer;
  std::vector<std::unique_ptr<Row>> rows;
  store::Txn txn;
  auto const now = stamp(seams_.clock.wall());
  auto const refuse_all = [&](Error const& error) {
    return std::vector<Result<JobId>>(jobs.size(), Failure(error));
  };
  if (jobs.size() > jobs_a_submit_max) {
    return refuse_all({ErrorCode::WrongInput,
                       fmt::format("At most {} jobs a request", jobs_a_submit_max),
                       ErrorClass::Prereq});
  }

  Guard guard(seams_.clock, mutex_);
  if (is_closing_) {
    return refuse_all(
        {ErrorCode::WrongState, "The cluster is being destroyed", ErrorClass::QueueDrained});
  }
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
        take_secrets(state.input, row->secrets);
        row->has_secrets = !row->secrets.empty();
        state.priority = TRY(opcodes::common_of(state.input)).priority;
        TRY(make_absolute(state.input, answer));
        add_to_reason_trail(state.input, job_id, row->job.ops.size(), seams_.clock.wall());
        row->job.ops.push_back(std::move(state));
      }
      row->job.id = job_id;
      row->job.submitted_by = by;
      row->job.received_timestamp = now;
      put_job(txn, row->job);
      if (auto const size = txn.operations.back().value.size(); size > job_bytes_max) {
        txn.operations.pop_back();
        return fail(ErrorCode::WrongInput,
                    "The job has {} bytes, and may have {}; submit it as several", size,
                    job_bytes_max);
      }
      // It would be stored and never be read again.
      if (!is_utf8(txn.operations.back().value)) {
        txn.operations.pop_back();
        return fail(ErrorCode::WrongInput, "The job has text that is not UTF-8");
      }
      last_id_ = number(job_id);
      return job_id;
    };
    auto id = fill();
    if (id) {
      rows.push_back(std::move(row));
    } else if (id.error().error_class == ErrorClass::ByStage) {
      id.error().error_class = ErrorClass::Prereq;
    }
    answer.push_back(std::move(id));
  }
  if (rows.empty()) return answer;
  for (auto const& row : rows) storing_.insert(row->job.id);
  auto const slot = take_serial_slot();
  txn.put(serial_slot_key(slot), std::to_string(last_id_));
  if (together) together(answer, txn);
  guard.unlock();
  auto const stored = store_new(rows, txn);
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

// What is secret of them is sealed beside them; nobody knows them yet.
Result<void> JobQueue::store_new(std::vector<std::unique_ptr<Row>> const& rows, store::Txn& txn) {
  auto const store = [&]() -> Result<void> {
    for (auto const& row : rows) TRY(seal_secrets(*row, txn));
    TRY(seams_.store.txn(txn));
    return {};
  };
  auto const stored = store();
  if (stored) return {};
  for (auto const& row : rows) {
    if (row->has_secrets) destroy_key(row->job.id);
  }
  return stored;
}

Result<void> JobQueue::seal_secrets(Row const& row, store::Txn& txn) {
  if (!row.has_secrets) return {};
  auto const key = net::sealing_key(seams_.random);
  TRY(seams_.keys.keep(row.job.id, key));
  txn.put(secrets_key(row.job.id), net::sealed(json::serialize(row.secrets), key));
  return {};
}

// What is left of a key is destroyed by the next controller.
void JobQueue::destroy_key(JobId id) const {
  auto const destroyed = seams_.keys.destroy(id);
  if (!destroyed) log::error("The key of job {}: {}", number(id), destroyed.error().message);
}

std::size_t JobQueue::take_serial_slot() {
  std::size_t slot = 0;
  while (serial_slots_.contains(slot)) ++slot;
  serial_slots_.insert(slot);
  return slot;
}

// Moves every row on as far as it can go without a worker.
void JobQueue::schedule(Guard& guard) {
  CHECK(guard.owns_lock());
  if (!is_started_ || is_stopping_) return;
  for (auto const id : std::exchange(to_ask_, {})) {
    auto const found = rows_.find(id);
    if (found == rows_.end() || !found->second->is_idle()) continue;
    if (dependencies_met(*found->second)) ask_for_locks(*found->second);
  }
  take_granted();
  if (is_closing_) seams_.clock.notify_all(changed_);
  if (ready_.empty()) return;
  spawn_worker_if_needed();
  seams_.clock.notify_all(work_);
}

void JobQueue::take_granted() {
  for (auto const id : locks_.grant()) {
    if (id == last_of_all) {
      holds_cluster_ = true;
    } else {
      ready_.push_back(id);
    }
  }
}

void JobQueue::ask_for_locks(Row& row) {
  crash::Blame const blame(blame_line(row.job.id));
  // An error here comes again when the opcode runs, and is reported then.
  auto locks = locks_of(row);
  row.locks = locks ? together(std::move(*locks), row.plan_locks) : LockSet{};
  row.wants_locks = true;
  row.op().status = Status::Waiting;
  locks_.request(row.job.id, row.op().priority, row.locks);
  touch(row);
}

Result<LockSet> JobQueue::locks_of(Row& row) const {
  if (row.journal && row.journal->plan.locks) return decode_locks(*row.journal->plan.locks);
  auto const* unit = units_.find(opcodes::op_id_of(row.op().input));
  if (!unit) return LockSet{};
  return unit->locks(row.op().input, *seams_.config.snapshot());
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

void JobQueue::touch(Row const& row) {
  ++changes_;
  seams_.clock.notify_all(changed_);
  if (listener_) listener_(row.job.id);
}

void JobQueue::on_change(std::function<void(JobId)> listener) {
  Guard const guard(seams_.clock, mutex_);
  listener_ = std::move(listener);
}

std::size_t JobQueue::running_max() const {
  auto const wished = seams_.config.snapshot()->settings().max_running_jobs;
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(1, wished)), 1,
                                 workers_max);
}

void JobQueue::spawn_worker_if_needed() {
  auto const limit = running_max();
  while (workers_idle_ < ready_.size() && workers_.size() < limit) {
    try {
      workers_.push_back(seams_.clock.start_thread(fmt::format("job-{}", workers_.size()),
                                                   [this] { run_worker(); }));
    } catch (std::system_error const& error) {
      // Those there are take one job after the other.
      return log::error("No more than {} jobs at a time: {}", workers_.size(), error.what());
    }
    ++workers_idle_;
  }
}

// There may be more of them than may work since the limit was lowered. While run_last() works
// nobody takes what needs no lock, either.
bool JobQueue::may_take() const {
  return !is_ending_ && !ready_.empty() && workers_.size() - workers_idle_ < running_max();
}

void JobQueue::run_worker() {
  Guard guard(seams_.clock, mutex_);
  for (;;) {
    while (!may_take() && !is_stopping_) seams_.clock.wait(guard, work_);
    if (is_stopping_) return;
    auto const id = ready_.front();
    ready_.pop_front();
    --workers_idle_;
    if (has_fault(SeededFault::JobTakenUnmarked)) {
      guard.unlock();
      guard.lock();
    }
    execute(guard, id);
    ++workers_idle_;
    schedule(guard);
  }
}

// One opcode of a job whose locks are held. Between its being taken and its being marked the queue
// is given up to nobody: a cancel would end it, and an archive free it, while it begins.
void JobQueue::execute(Guard& guard, JobId id) {
  crash::Blame const blame(blame_line(id));
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
      claims_.let_go(id);
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
  row.log.save(id, txn);
  if (has_ended && row.wish.is_any()) txn.remove(wish_key(id));
  auto const has_secrets = has_ended && row.has_secrets;
  if (has_secrets) txn.remove(secrets_key(id));
  guard.unlock();
  auto const is_stored = store_end(id, txn);
  if (is_stored && has_secrets) destroy_key(id);
  guard.lock();
  if (!is_stored) return;
  row.is_executing = row.wants_locks = false;
  row.progress.reset();
  row.log.saved();
  claims_.let_go(id);
  locks_.release(id);
  if (has_ended) {
    row.log.forget();
    row.secrets = {};
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
  op.result = storable(std::move(result), results_bytes_max / row.job.ops.size());
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
    Guard const guard(seams_.clock, mutex_);
    if (is_stopping_) return false;
  }
}

CancelAnswer JobQueue::cancel(JobId id) {
  Guard guard(seams_.clock, mutex_);
  Writing const writing(*this, guard, id);
  if (!writing.row()) return no_longer_here(id);
  auto& row = *writing.row();
  if (is_final(row.job.status())) {
    return {false, fmt::format("Job {} not found in queue; it has ended", number(id))};
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
  row.log.save(id, txn);
  if (row.wish.is_any()) txn.remove(wish_key(id));
  auto const has_secrets = row.has_secrets;
  if (has_secrets) txn.remove(secrets_key(id));
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  if (stored && has_secrets) destroy_key(id);
  guard.lock();
  row.is_executing = false;
  if (stored) {
    row.secrets = {};
    row.job = std::move(ended);
    row.log.forget();
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
Result<void> JobQueue::store_wish(Guard& guard, Row& row, Wish const& wish) {
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
  return {false, fmt::format("Job {} not found in queue", number(id))};
}

Result<bool> JobQueue::archive(JobId id) {
  store::Txn txn;
  Guard guard(seams_.clock, mutex_);
  Writing writing(*this, guard, id);
  if (!writing.row()) return fail(ErrorCode::UnknownEntity, "{}", no_longer_here(id).text);
  auto const& archived = *writing.row();
  if (!archived.has_ended()) return false;
  txn.remove(job_key(id));
  if (archived.wish.is_any() || archived.waits_for_people()) txn.remove(wish_key(id));
  txn.delete_prefix(journal_prefix(id));
  txn.put(archive_key(id), json::serialize(encode(archived.job)));
  if (!archived.unreadable.empty()) {
    txn.put(fmt::format("{}{:012}", unreadable_prefix, number(id)), archived.unreadable);
  }
  guard.unlock();
  auto const stored = seams_.store.txn(txn);
  guard.lock();
  TRY(stored);
  writing.forget_row();
  return true;
}

std::pair<std::int64_t, std::int64_t> JobQueue::auto_archive(std::optional<Duration> age) {
  auto const now = stamp(seams_.clock.wall())[0];
  auto const seconds =
      age ? std::chrono::duration_cast<std::chrono::seconds>(*age).count() : std::int64_t{0};
  std::vector<JobId> old;
  std::int64_t left = 0;
  {
    Guard const guard(seams_.clock, mutex_);
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

// From the lowest id on, which is as old as jobs come: one that is young ends the search.
Result<std::size_t> JobQueue::remove_archived(Duration age) {
  constexpr std::size_t at_once = 100;
  auto const youngest =
      stamp(seams_.clock.wall())[0] - std::chrono::duration_cast<std::chrono::seconds>(age).count();
  std::size_t unreadable = 0;  // among the oldest; looked at again each time, as they stay
  for (std::size_t removed = 0;;) {
    store::Txn txn;
    auto const wanted = unreadable + at_once;
    auto const oldest = TRY(seams_.store.range(archive_prefix, wanted));
    auto is_end = oldest.size() < wanted;
    unreadable = 0;
    for (auto const& kv : oldest) {
      auto const parsed = schema::parse(kv.value);
      auto const job = parsed ? decode_job(*parsed) : Result<Job>(Failure(parsed.error()));
      if (!job) {
        ++unreadable;  // left for people
        continue;
      }
      auto const& ended = job->end_timestamp.empty() ? job->received_timestamp : job->end_timestamp;
      if (!ended.empty() && ended[0] > youngest) {
        is_end = true;
        break;
      }
      // What was archived meanwhile may have come in front.
      if (txn.operations.size() >= 2 * at_once) {
        is_end = false;
        break;
      }
      txn.remove(kv.key);
      txn.delete_prefix(log_prefix(job->id));
      ++removed;
    }
    if (!txn.operations.empty()) TRY(seams_.store.txn(txn));
    if (is_end) return removed;
  }
}

CancelAnswer JobQueue::change_priority(JobId id, std::int64_t priority) {
  Guard guard(seams_.clock, mutex_);
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

bool JobQueue::take_claims(JobId id, std::uint64_t look, std::vector<std::string> const& claims) {
  if (claims.empty()) return true;
  Guard const guard(seams_.clock, mutex_);
  return claims_.take(id, look, claims);
}

// What it decided before the controller died.
void JobQueue::take_claims_again(Row const& row) {
  crash::Blame const blame(blame_line(row.job.id));
  auto const* unit = units_.find(row.journal->plan.op_id);
  if (!unit) return;
  // A plan that can't be read ends the opcode when it is gone on with.
  auto const claims = unit->claims(row.journal->plan.plan);
  if (!claims) return;
  auto const look = claims_.begin_look();
  claims_.take(row.job.id, look, *claims);
  claims_.end_look(look);
}

std::vector<std::string> JobQueue::take_some_claims_of(JobId id, std::uint64_t look,
                                                       std::vector<std::string> const& claims,
                                                       std::size_t count_max) {
  Guard const guard(seams_.clock, mutex_);
  return claims_.take_some_of(id, look, claims, count_max);
}

Failure JobQueue::claimed_by_another(JobId id, std::uint64_t look,
                                     std::vector<std::string> const& claims) {
  Guard const guard(seams_.clock, mutex_);
  auto const other = claims_.in_the_way(id, look, claims);
  if (!other) return fail(ErrorCode::ResourceNotUnique, "Another job took the same; try again");
  return fail(ErrorCode::ResourceNotUnique,
              "{} is being taken by job {}; try again when it has ended",
              other->first.substr(other->first.rfind('/') + 1), number(other->second));
}

Result<void> JobQueue::set_drained(bool is_drained) {
  store::Txn txn;
  if (is_drained) {
    txn.put(std::string(drain_key), "true");
  } else {
    txn.remove(std::string(drain_key));
  }
  Guard guard(seams_.clock, mutex_);
  auto const ended_before = clusters_ended_;
  while (is_ending_ || is_drain_written_) seams_.clock.wait(guard, changed_);
  if (clusters_ended_ != ended_before) {
    return fail(ErrorCode::WrongState, "The cluster has been destroyed");
  }
  is_drain_written_ = true;
  guard.unlock();
  auto const stored = boundary(
      "The queue", [&]() -> Result<void> { return seams_.store.txn(txn).map([](auto&&) {}); });
  guard.lock();
  is_drain_written_ = false;
  if (stored) is_drained_ = is_drained;
  seams_.clock.notify_all(changed_);
  return stored;
}

bool JobQueue::is_drained() const {
  Guard const guard(seams_.clock, mutex_);
  return is_drained_;
}

Result<void> JobQueue::run_last(Duration patience, std::function<Result<void>()> const& work) {
  Guard guard(seams_.clock, mutex_);
  if (is_closing_) return fail(ErrorCode::WrongState, "The cluster is being destroyed already");
  is_closing_ = true;
  locks_.request(last_of_all, before_all_jobs, {exclusive(LockLevel::Cluster, "BGL")});
  schedule(guard);
  auto const give_up_at = seams_.clock.now() + patience;
  while (!is_quiet() && !is_stopping_ && seams_.clock.now() < give_up_at) {
    seams_.clock.wait_until(guard, changed_, give_up_at);
  }
  Result<void> done;
  if (is_quiet()) {
    is_ending_ = true;
    guard.unlock();
    done = boundary("The end of the cluster", work);
    guard.lock();
    is_ending_ = false;
    if (done) forget_all_jobs();
    // Who wanted to write about a job meanwhile looks whether it is still there.
    seams_.clock.notify_all(changed_);
  } else {
    done = fail(ErrorCode::WrongState,
                "Jobs are still at work ({}); wait for them or cancel them, then try again",
                at_work());
  }
  locks_.release(last_of_all);
  is_closing_ = holds_cluster_ = false;
  schedule(guard);
  return done;
}

// Nothing is on its way to the store; from is_ending_ on nothing sets out.
bool JobQueue::is_quiet() const {
  return holds_cluster_ && storing_.empty() && !is_drain_written_ && at_work().empty();
}

std::string JobQueue::at_work() const {
  std::vector<std::int64_t> ids;
  for (auto const& [id, row] : rows_) {
    if (row->is_executing || row->is_being_written) ids.push_back(number(id));
  }
  return fmt::format("{}", fmt::join(ids, ", "));
}

// What waits in front of its locks goes with the cluster.
void JobQueue::forget_all_jobs() {
  for (auto const& [id, row] : rows_) {
    if (row->has_secrets) destroy_key(id);
    touch(*row);
  }
  rows_.clear();
  to_ask_.clear();
  ready_.clear();
  dependents_.clear();
  locks_ = {};
  claims_ = {};
  is_drained_ = false;
  ++clusters_ended_;
}

}  // namespace flotte::jobs
