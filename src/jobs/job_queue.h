// JobQueue: durable queue, dependencies, priorities, locks and the executor. Knows no opcode.
//
// A waiting job is a row, not a thread. Submitting is one store transaction. Each running job has
// an executor thread that calls its units and writes the journal (ARCHITECTURE.md, "Jobs that
// survive"). Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "jobs/claims.h"
#include "jobs/job.h"
#include "jobs/locks.h"
#include "jobs/secrets.h"
#include "jobs/unit.h"
#include "rpc/node.h"

namespace flotte::store {
class Store;
class ConfigStore;
struct Txn;
}  // namespace flotte::store

namespace flotte::jobs {

struct Wish;

// Everything a queue stands on; all outlive it.
struct Seams {
  Clock& clock;
  Random& random;
  store::Store& store;
  store::ConfigStore& config;
  rpc::Node& nodes;
  SecretKeys& keys;
  // Returns when the nodes have what is committed now, or when that takes long.
  std::function<void()> wait_for_ssconf = [] {};
  // Writes them anew on every node, and returns; of each that could not be written to one sentence.
  std::function<std::vector<std::string>()> rewrite_ssconf = [] {
    return std::vector<std::string>();
  };
};

// What a waiting command is told.
struct Change {
  JobId job{};
  Status status = Status::Queued;
  std::vector<LogEntry> new_log;
  std::optional<json::object> progress;  // {"text", "fraction"}; transient
  bool reads_log = false;                // of the queue: more of the log is stored
};

struct LogLine;

struct CancelAnswer {
  bool ok = false;
  std::string text;
};

class JobQueue {
 public:
  // Reads the stored jobs and journals; jobs that were running go on as soon as start() is called,
  // but those that ended too many controllers. `crashes`: the blame (base/crash.h) that was put
  // down to jobs since the last start; it is taken note of durably.
  static Result<std::unique_ptr<JobQueue>> create(Seams seams, UnitTable const& units,
                                                  std::int64_t leader_epoch,
                                                  std::vector<std::string> const& crashes = {});
  ~JobQueue();

  void start();
  // Lets no new job start, waits for none: running jobs stay in the journal and go on after a
  // restart. Joins threads, so a step in flight is waited for.
  void stop();
  // Another controller leads: nothing may be done any more. Returns at once; stop() still joins.
  void depose();

  // Each job is a list of opcodes as submitted; the answer is in their order. Durable when it
  // returns. `together` adds what is stored in the same transaction, where any job is stored.
  using Together = std::function<void(std::vector<Result<JobId>> const& ids, store::Txn& txn)>;
  std::vector<Result<JobId>> submit(std::vector<json::array> const& jobs,
                                    Principal const& by = Principal::controller(),
                                    Together const& together = {});

  // Archived ones too. UnknownEntity.
  enum class Logs { With, Without };
  Result<Job> job(JobId id, Logs logs = Logs::With) const;
  std::vector<JobId> ids() const;  // not archived, in order
  std::vector<Job> jobs() const;   // without their logs; not archived, by id
  // What the jobs that have not ended were asked to do.
  std::vector<json::object> unfinished_opcodes() const;
  std::vector<LockManager::Entry> locks() const;
  // Jobs that wait for people; archiving one takes it away.
  std::vector<SetAside> set_aside() const;
  // What the journal says of a job that runs or could not be undone, for `gnt-job info`.
  json::array journal(JobId id) const;

  // What of the job's status, log and progress differs from what the caller knows. Null: nothing.
  // UnknownEntity when there is no such job.
  Result<std::optional<Change>> change(JobId id, Status known_status, std::int64_t known_log_serial,
                                       std::uint64_t& known_progress) const;
  // Grows whenever any job may have changed.
  std::uint64_t changes() const { return changes_; }
  // `listener` is told which job may have changed, or has gone. It is called in the middle of the
  // queue's work: it takes note and returns. None: nobody listens any more.
  void on_change(std::function<void(JobId)> listener);
  // Blocks until there is something new, or the deadline.
  Result<std::optional<Change>> wait_change(JobId id, Status known_status,
                                            std::int64_t known_log_serial,
                                            std::uint64_t& known_progress, Instant deadline) const;

  CancelAnswer cancel(JobId id);
  Result<bool> archive(JobId id);
  // Archives all finished jobs older than `age` (none: all). The answer: archived and left.
  std::pair<std::int64_t, std::int64_t> auto_archive(std::optional<Duration> age);
  // Removes archived jobs that ended longer ago than that, and says how many.
  Result<std::size_t> remove_archived(Duration age);
  CancelAnswer change_priority(JobId id, std::int64_t priority);
  // Goes with the cluster.
  Result<void> set_drained(bool is_drained);
  bool is_drained() const;
  // For what ends the cluster: waits until no job is at work, lets none begin or be submitted while
  // `work` does, and forgets all jobs when it succeeds. WrongState: some are still at work after
  // `patience`.
  Result<void> run_last(Duration patience, std::function<Result<void>()> const& work);

 private:
  friend class Execution;
  struct Row;
  class Writing;
  class Look;

  JobQueue(Seams seams, UnitTable const& units, std::int64_t leader_epoch);
  Result<void> load(std::vector<std::string> const& crashes);
  void load_job(std::string const& key, std::string const& text);
  Result<void> take_note_of(std::vector<std::string> const& crashes);
  Result<void> load_journals();
  void load_log(Row& row);
  Result<void> seal_what_is_clear();
  Result<bool> seal_journal(Row& row, json::array const& secrets, store::Txn& txn);
  Result<void> load_secrets();
  Result<void> forget_secrets_of_ended();
  Result<void> seal_secrets(Row const& row, store::Txn& txn);
  void destroy_key(JobId id) const;
  Result<void> load_wishes();
  void set_aside(Row& row, std::string why);
  std::string blame_line(JobId id) const;
  void schedule(Guard& guard);
  void ask_for_locks(Row& row);
  Result<LockSet> locks_of(Row& row) const;
  bool dependencies_met(Row& row);
  void look_again_at_dependents(JobId id);
  void end_job(Job& job, std::size_t from, Status status, json::value const& result) const;
  void end_soon(Row& row, Status status, json::value result);
  Result<void> store_new(std::vector<std::unique_ptr<Row>> const& rows, store::Txn& txn);
  std::size_t take_serial_slot();
  void take_granted();
  bool take_claims(JobId id, std::uint64_t look, std::vector<std::string> const& claims);
  void take_claims_again(Row const& row);
  std::vector<std::string> take_some_claims_of(JobId id, std::uint64_t look,
                                               std::vector<std::string> const& claims,
                                               std::size_t count_max);
  Failure claimed_by_another(JobId id, std::uint64_t look, std::vector<std::string> const& claims);
  bool is_quiet() const;
  std::string at_work() const;
  void forget_all_jobs();
  std::size_t running_max() const;
  bool may_take() const;
  void run_worker();
  void spawn_worker_if_needed();
  void execute(Guard& guard, JobId id);
  Unit const* begin_opcode(Row& row);
  void end_opcode(Row& row, Status status, json::value result);
  void end_unrun(Row& row);
  bool store_end(JobId id, store::Txn const& txn);
  Result<void> store_wish(Guard& guard, Row& row, Wish const& wish);
  CancelAnswer no_longer_here(JobId id) const;
  void touch(Row const& row);
  Job as_told(Row const& row) const;
  std::vector<LogLine> log_from_store(JobId id, std::int64_t after) const;
  Result<std::optional<Change>> change_in_memory(JobId id, Status known_status,
                                                 std::int64_t known_log_serial,
                                                 std::uint64_t& known_progress) const;
  Result<std::optional<Change>> with_stored_log(Result<std::optional<Change>> change,
                                                std::int64_t known_log_serial) const;

  Seams seams_;
  UnitTable const& units_;
  std::int64_t const leader_epoch_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;  // some job changed
  std::function<void(JobId)> listener_;
  std::atomic<std::uint64_t> changes_ = 0;
  std::condition_variable work_;  // ready_ or stopping_ changed, for workers
  std::map<JobId, std::unique_ptr<Row>> rows_;
  LockManager locks_;
  std::set<JobId> to_ask_;  // neither ended nor asking for locks, as far as they may go on
  std::multimap<JobId, JobId> dependents_;  // waiting for the end of the first
  std::deque<JobId> ready_;                 // granted, waiting for a worker
  std::vector<std::thread> workers_;
  std::size_t workers_idle_ = 0;
  std::int64_t last_id_ = 0;
  std::set<JobId> storing_;  // submitted, and not yet durable
  Claims claims_;
  std::set<std::size_t> serial_slots_;
  std::atomic<std::int64_t> last_serial_ = 0;  // of the calls to nodes
  bool is_started_ = false;
  bool is_stopping_ = false;
  bool is_drained_ = false;
  bool is_drain_written_ = false;  // on its way to the store
  bool is_closing_ = false;        // run_last() waits or works
  bool is_ending_ = false;         // it works: nobody writes about a job, or takes one
  bool holds_cluster_ = false;     // it has the lock on everything
  int clusters_ended_ = 0;
};

}  // namespace flotte::jobs
