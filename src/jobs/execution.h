// Execution: one opcode of one job on its way, from its plan to its result. Internal to this
// folder.
//
// Used by one executor thread; what it shares with the queue is guarded by the queue's mutex.
#pragma once

#include <string>
#include <vector>

#include "jobs/job_context.h"
#include "jobs/job_queue.h"
#include "jobs/journal.h"
#include "jobs/row.h"

namespace flotte::store {
struct Txn;
}

namespace flotte::jobs {

class Execution final : public JobContext {
 public:
  Execution(JobQueue& queue, JobQueue::Row& row);

  // Runs or resumes the opcode; the result, or the error after everything was undone. Stopped: the
  // queue is stopping and the journal stays as it is.
  // OtherLocks: nothing was done; the cluster has changed since the locks were asked for, and the
  // opcode needs others.
  enum class Outcome { Finished, Stopped, OtherLocks };
  Outcome run(Unit const& unit);
  // What is to be stored as the opcode's result.
  Status status() const { return status_; }
  json::value const& result() const { return result_; }
  // Adds to the transaction that ends the opcode: the journal goes, except what could not be
  // undone. True: something stays.
  bool close_journal(store::Txn& txn) const;

  Result<void> commit(std::string says,
                      std::function<Result<void>(store::ClusterEdit&)> const& edit,
                      std::optional<Undo> undo) override;
  Result<void> keep() override;
  void log(std::string text) override;
  Result<json::array> submit(std::vector<json::array> jobs) override;
  std::shared_ptr<model::Cluster const> cluster() override;
  Clock& clock() override { return queue_.seams_.clock; }
  Result<void> sleep(std::chrono::nanoseconds duration) override;
  JobId id() const override { return id_; }

 protected:
  Result<json::value> run_step(std::string says, CallData call, StepOptions options) override;
  rpc::Node& nodes() override { return queue_.seams_.nodes; }
  rpc::CallContext read_context() override;

 private:
  Result<json::value> act(Unit const& unit);
  Result<json::value> decide(Unit const& unit);
  void undo_all(Error const& error);
  void record_undoing();
  Result<void> undo_step(Undo const& undo, std::size_t step);
  Result<void> try_undo(Undo const& undo, std::size_t step, int tries);
  Result<json::value> call_node(CallData const& call, std::int64_t step,
                                std::chrono::seconds timeout, bool logs_output,
                                bool may_be_canceled);
  bool take_line(std::string_view line, bool logs_output);
  bool is_cancel_wanted() const;
  bool can_be_canceled() const { return !is_kept_; }
  bool is_stopping() const;
  // Another controller goes on with this job: nothing may be undone.
  template <class T>
  Result<T> stop_if_deposed(Result<T> result) {
    if (!result && result.error().error_class == ErrorClass::Deposed) {
      has_stopped_ = true;
      queue_.depose();
    }
    return result;
  }
  std::int64_t call_step(std::size_t step) const;
  void add_journal(store::Txn& txn) const;
  Result<void> write_journal();
  Result<StepRecord*> begin_step(std::string says, std::optional<CallData> call,
                                 std::optional<Undo> undo);

  JobQueue& queue_;
  JobQueue::Row& row_;
  JobId const id_;
  Journal journal_;
  std::size_t stored_steps_ = 0;   // steps whose intent is durable
  std::size_t first_unsaved_ = 0;  // the first step whose record differs from the stored one
  std::size_t next_step_ = 0;
  bool is_kept_ = false;
  bool has_stopped_ = false;
  bool needs_other_locks_ = false;
  Status status_ = Status::Error;
  json::value result_;
};

}  // namespace flotte::jobs
