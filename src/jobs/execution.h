// Execution: one opcode of one job on its way, from its plan to its result. Internal to this
// folder.
//
// What concerns hooks is in execution_hooks.cpp.
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
  void hold_cancel(bool holds) override { is_held_ = holds; }
  void log(std::string text) override;
  Result<json::array> submit(std::vector<json::array> jobs) override;
  std::vector<HookReport> run_post_hooks() override;
  std::shared_ptr<model::Cluster const> cluster() override;
  Clock& clock() override { return queue_.seams_.clock; }
  Result<void> sleep(std::chrono::nanoseconds duration) override;
  JobId id() const override { return id_; }
  std::vector<std::string> rewrite_ssconf() override { return queue_.seams_.rewrite_ssconf(); }

 protected:
  Result<json::value> run_step(std::string says, CallData call, StepOptions options) override;
  rpc::Node& nodes() override { return queue_.seams_.nodes; }
  rpc::CallContext read_context() override;

 private:
  struct CallOptions {
    std::chrono::seconds timeout{600};
    bool logs_output = false;
    bool may_be_canceled = false;
    // How long a node may be out of reach before the call counts as failed.
    std::chrono::seconds unreachable_max{300};
  };

  Result<json::value> act(Unit const& unit);
  Result<Decision> decide(Unit const& unit);
  void undo_all(Error const& error);
  void record_undoing();
  Result<void> undo_step(Undo const& undo, std::size_t step);
  Result<void> try_undo(Undo const& undo, std::size_t step, int number);
  Result<json::value> call_node(CallData const& call, std::int64_t step,
                                CallOptions const& options);
  void log_entry(json::object const& entry);
  bool take_line(std::string_view line, bool logs_output);
  bool is_cancel_wanted() const;
  bool can_be_canceled() const { return !is_kept_ && !is_held_; }
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
  json::value encoded(Error const& error) const;
  Result<json::value> with_secrets(json::value value) const;

  // --- execution_hooks.cpp
  Result<void> run_pre_hooks(Hooks hooks);
  void run_configuration_hooks();
  Result<rpc::HookResults> ask_hooks(NodeId const& node, rpc::HooksRun const& run,
                                     std::int64_t which);
  void tell_failed_hooks(HookReport const& report);
  bool has_changed_configuration() const;

  JobQueue& queue_;
  JobQueue::Row& row_;
  JobId const id_;
  Journal journal_;
  std::size_t stored_steps_ = 0;   // steps whose intent is durable
  std::size_t first_unsaved_ = 0;  // the first step whose record differs from the stored one
  std::size_t next_step_ = 0;
  bool is_kept_ = false;
  bool is_held_ = false;
  bool has_stopped_ = false;
  bool needs_other_locks_ = false;
  Unit const* unit_ = nullptr;
  json::array failed_hooks_;
  bool has_run_post_hooks_ = false;
  Status status_ = Status::Error;
  json::value result_;
};

}  // namespace flotte::jobs
