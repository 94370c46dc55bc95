#include "jobs/execution.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "base/seeded_fault.h"
#include "model/params.h"
#include "store/config_store.h"
#include "store/store.h"

namespace flotte::jobs {
namespace {

using namespace std::chrono_literals;

constexpr auto step_retry_first = 250ms;
constexpr auto step_retry_longest = 5s;
// How long a node may be out of reach before anything was done.
constexpr auto unreachable_max_before = 10s;
// The undo of a step is another call to the node than the step itself: its own number.
constexpr std::int64_t undo_offset = 500'000;
constexpr std::int64_t steps_max = 10'000;
constexpr int undo_tries_max = 8;
constexpr int undo_seen_to_tries_max = 2;
constexpr int silences_max = 4;
// Who drew what another job has drawn too. More often it was not drawn but asked for.
constexpr int draws_max = 4;

Error canceled() {
  return {ErrorCode::WrongState, "The job was canceled", ErrorClass::JobCanceled};
}

}  // namespace

Execution::Execution(JobQueue& queue, JobQueue::Row& row)
    : queue_(queue), row_(row), id_(row.job.id) {
  if (row.journal) {
    journal_ = std::move(*row.journal);
    row.journal.reset();
    stored_steps_ = journal_.steps.size();
    first_unsaved_ = stored_steps_;
  }
}

Execution::Outcome Execution::run(Unit const& unit) {
  unit_ = &unit;
  auto result = act(unit);
  if (has_stopped_) return Outcome::Stopped;
  if (needs_other_locks_) return Outcome::OtherLocks;
  if (!result) undo_all(result.error());
  if (!has_stopped_ && has_changed_configuration()) run_configuration_hooks();
  if (has_stopped_) return Outcome::Stopped;
  if (result) {
    status_ = Status::Success;
    result_ = std::move(*result);
    return Outcome::Finished;
  }
  auto const is_canceled = result_ == encode_error(canceled(), ErrorClass::Exec);
  status_ = is_canceled ? Status::Canceled : Status::Error;
  return Outcome::Finished;
}

// Decides, unless a journal says what was decided, then acts.
Result<json::value> Execution::act(Unit const& unit) {
  if (journal_.plan.undoing) {
    return fail(ErrorCode::InternalError, "The job was being undone when the controller stopped");
  }
  if (journal_.plan.op_id.empty()) {
    auto decision = decide(unit);
    if (!decision) {
      auto error = decision.error();
      if (error.error_class == ErrorClass::ByStage ||
          error.error_class == ErrorClass::Unreachable) {
        error.error_class = ErrorClass::Prereq;
      }
      return Failure(std::move(error));
    }
    if (decision->hooks) TRY(run_pre_hooks(std::move(*decision->hooks)));
    auto const common = TRY(opcodes::common_of(row_.op().input));
    if (common.dry_run.value_or(false)) {
      info("dry-run mode requested, not actually executing the operation");
      return json::value(nullptr);
    }
    journal_.plan.op_id = std::string(unit.op_id());
    journal_.plan.op_index = static_cast<std::int64_t>(row_.current);
    journal_.plan.plan = std::move(decision->plan);
    journal_.plan.locks = encode(row_.locks);
  }
  auto result = TRY(unit.apply(journal_.plan.plan, *this));
  if (!has_run_post_hooks_) run_post_hooks();
  return result;
}

// A node daemon that is being restarted is no reason to fail. Deciding reads only, so it is done
// again from its beginning.
Result<Decision> Execution::decide(Unit const& unit) {
  auto const give_up_at = queue_.seams_.clock.now() + unreachable_max_before;
  std::chrono::nanoseconds pause = step_retry_first;
  for (int draws = 1;;) {
    JobQueue::Look const look(queue_);
    auto const snapshot = cluster();
    // What it names may have come into being since the locks were asked for.
    auto const locks = TRY(unit.locks(row_.op().input, *snapshot));
    if (together(locks, row_.plan_locks) != row_.locks) {
      needs_other_locks_ = true;
      return fail(ErrorCode::InternalError, "Other locks are needed");
    }
    NodeReader reader(
        queue_.seams_.nodes, queue_.seams_.clock, queue_.seams_.random, queue_.leader_epoch_,
        [this] { return queue_.set_aside(); }, queue_.seams_.wait_for_ssconf,
        [&](std::vector<std::string> const& claims, std::size_t count_max) {
          return queue_.take_some_claims_of(id_, look.id(), claims, count_max);
        });
    auto decision = unit.decide(row_.op().input, *snapshot, reader);
    if (decision && together(locks, decision->locks) != row_.locks) {
      row_.plan_locks = decision->locks;
      needs_other_locks_ = true;
      return fail(ErrorCode::InternalError, "Other locks are needed");
    }
    if (decision && !queue_.take_claims(id_, look.id(), decision->claims)) {
      if (draws++ < draws_max) continue;
      return queue_.claimed_by_another(id_, look.id(), decision->claims);
    }
    if (decision || decision.error().error_class != ErrorClass::Unreachable ||
        queue_.seams_.clock.now() >= give_up_at) {
      return decision;
    }
    TRY(sleep(pause));
    pause = std::min<std::chrono::nanoseconds>(pause * 2, step_retry_longest);
  }
}

Result<json::value> Execution::run_step(std::string says, CallData call, StepOptions options) {
  auto* step = TRY(begin_step(std::move(says), call, std::move(options.undo)));
  auto const index = next_step_ - 1;
  if (step->is_done) {
    if (step->error) return fail(ErrorCode::EnvironmentError, "{}", *step->error);
    return step->reply;
  }
  auto reply = call_node(call, call_step(index),
                         {.timeout = options.timeout,
                          .logs_output = options.logs_output,
                          .may_be_canceled = can_be_canceled()});
  // begin_step() of a later step may have moved the records.
  auto& record = journal_.steps[index];
  if (has_stopped_) return reply;
  record.is_done = true;
  first_unsaved_ = std::min(first_unsaved_, index);
  if (reply) {
    record.reply = *reply;
  } else {
    record.error = reply.error().message;
    if (has_fault(SeededFault::ReplyTakenForFailure)) record.undo.reset();
  }
  return reply;
}

Result<json::value> Execution::with_secrets(json::value value) const {
  TRY(put_secrets(value, row_.secrets));
  return value;
}

// Finds the record of the next step in the journal, or writes a new one before anything happens.
Result<StepRecord*> Execution::begin_step(std::string says, std::optional<CallData> call,
                                          std::optional<Undo> undo) {
  auto const index = next_step_++;
  CHECK(index < steps_max);
  if (index < journal_.steps.size()) {
    auto& known = journal_.steps[index];
    auto const same = known.call.has_value() == call.has_value() &&
                      (!call || (known.call->call == call->call && known.call->node == call->node));
    if (!same) {
      return fail(ErrorCode::InternalError,
                  "Step {} of the journal is '{}', this version of Flotte would do '{}'", index,
                  known.says, says);
    }
    return &known;
  }
  if (can_be_canceled() && is_cancel_wanted()) return Failure(canceled());
  journal_.steps.push_back(
      {.says = std::move(says), .call = std::move(call), .undo = std::move(undo)});
  if (journal_.steps.back().call) TRY(write_journal());
  return &journal_.steps.back();
}

Result<json::value> Execution::call_node(CallData const& call, std::int64_t step,
                                         CallOptions const& options) {
  rpc::CallContext context{.leader_epoch = queue_.leader_epoch_,
                           .job = number(id_),
                           .step = step,
                           .timeout = options.timeout};
  auto const arguments = TRY(with_secrets(call.arguments));
  auto const is_canceled = [&] { return options.may_be_canceled && is_cancel_wanted(); };
  auto const give_up_at = queue_.seams_.clock.now() + options.unreachable_max;
  std::chrono::nanoseconds pause = step_retry_first;
  bool has_told = false;
  for (;;) {
    auto const snapshot = cluster();
    auto const node = TRY(snapshot->node(call.node));
    context.serial = ++queue_.last_serial_;
    auto reply = queue_.seams_.nodes.invoke(
        *node, call.call, arguments.get_object(), context, [&](std::string_view line) {
          return take_line(line, options.logs_output) && !is_canceled();
        });
    if (!reply && is_canceled()) return Failure(canceled());
    if (reply || reply.error().error_class != ErrorClass::Unreachable) return reply;
    if (has_fault(SeededFault::ReplyTakenForFailure)) return reply;
    if (is_stopping()) {
      has_stopped_ = true;
      return reply;
    }
    if (queue_.seams_.clock.now() >= give_up_at) return reply;
    if (!has_told) {
      warn(fmt::format("{}; asking again", reply.error().message));
      has_told = true;
    }
    queue_.seams_.clock.sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(pause * 2, step_retry_longest);
  }
}

Result<void> Execution::commit(std::string says,
                               std::function<Result<void>(store::ClusterEdit&)> const& edit,
                               std::optional<Undo> undo) {
  auto* step = TRY(begin_step(std::move(says), std::nullopt, std::move(undo)));
  if (step->is_done) return {};
  step->is_done = true;
  auto const index = next_step_ - 1;
  store::Txn extra;
  add_journal(extra);
  auto const done = stop_if_deposed(queue_.seams_.config.update(edit, extra));
  if (!done) {
    // Nothing was written: the step has not happened.
    journal_.steps.resize(index);
    next_step_ = index;
    return done;
  }
  stored_steps_ = first_unsaved_ = journal_.steps.size();
  return {};
}

Result<void> Execution::keep() {
  journal_.plan.kept_before =
      std::max(journal_.plan.kept_before, static_cast<std::int64_t>(next_step_));
  is_kept_ = true;
  return {};
}

Result<json::array> Execution::submit(std::vector<json::array> jobs) {
  auto* step = TRY(begin_step(fmt::format("Submitting {} jobs", jobs.size()), std::nullopt, {}));
  if (step->is_done && step->reply.is_array()) return step->reply.get_array();
  // They seal it again, as theirs.
  for (auto& job : jobs) job = TRY(with_secrets(job)).get_array();
  auto const record = [&](std::vector<Result<JobId>> const& ids) {
    json::array answer;
    for (auto const& id : ids) {
      answer.push_back(id ? json::array{true, number(*id)}
                          : json::array{false, json::string(id.error().message)});
    }
    step->is_done = true;
    step->reply = std::move(answer);
  };
  // Once: that they are submitted is stored with them.
  bool is_stored_with_them = false;
  auto const by = row_.job.submitted_by.value_or(Principal::controller());
  auto const ids = queue_.submit(jobs, by, [&](auto const& made, store::Txn& txn) {
    record(made);
    add_journal(txn);
    is_stored_with_them = true;
  });
  if (!is_stored_with_them) {
    record(ids);
    TRY(write_journal());
  } else if (auto const stored = std::ranges::find_if(ids, &Result<JobId>::has_value);
             stored == ids.end()) {
    step->is_done = false;
    return stop_if_deposed(Result<json::array>(Failure(ids.front().error())));
  }
  stored_steps_ = first_unsaved_ = journal_.steps.size();
  return step->reply.get_array();
}

// Everything since keep() is taken back, the last step first. A step that was begun counts: it may
// have been done.
void Execution::undo_all(Error const& error) {
  if (!journal_.plan.undoing) {
    result_ = encoded(error);
    if (journal_.steps.empty()) return;
    journal_.plan.undoing = result_;
    record_undoing();
    if (has_stopped_) return;
  }
  result_ = *journal_.plan.undoing;
  auto const first = static_cast<std::size_t>(journal_.plan.kept_before);
  for (auto i = journal_.steps.size(); i-- > first;) {
    auto const& step = journal_.steps[i];
    if (!step.undo) continue;
    auto const undone = undo_step(*step.undo, i);
    if (has_stopped_) return;
    if (!undone) {
      warn(fmt::format("Could not undo \"{}\": {}", step.says, undone.error().message));
      if (!step.undo->is_seen_to) journal_.plan.stuck.push_back(static_cast<std::int64_t>(i));
    }
  }
}

json::value Execution::encoded(Error const& error) const {
  auto wire = encode_error(error, ErrorClass::Exec);
  if (error.error_class == ErrorClass::HooksAbort) {
    wire.get_array()[1] = json::array{failed_hooks_};
  }
  return wire;
}

// Before anything is undone it must be known that it is: a store that can't write now is asked
// again.
void Execution::record_undoing() {
  for (std::chrono::nanoseconds pause = step_retry_first;;) {
    auto const written = write_journal();
    if (written || has_stopped_) return;
    flotte::log::error("Job {} waits to be undone: {}", number(id_), written.error().message);
    queue_.seams_.clock.sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(pause * 2, step_retry_longest);
    has_stopped_ = is_stopping();
  }
}

// What fails once may work a little later, and an orphan costs more than a minute. A node answers
// the same call with the same error, so that a try after an answer is a call of its own. Without an
// answer it may be at work still, and another call would end it: which is right only in the end,
// when it hangs.
Result<void> Execution::undo_step(Undo const& undo, std::size_t step) {
  std::chrono::nanoseconds pause = step_retry_first;
  int number = 1;
  int silences = 0;
  for (int tries = 1;; ++tries) {
    auto undone = try_undo(undo, step, number);
    auto const tries_max = undo.is_seen_to ? undo_seen_to_tries_max : undo_tries_max;
    if (undone || has_stopped_ || tries >= tries_max) return undone;
    auto const is_silent = undone.error().error_class == ErrorClass::Unreachable;
    if (!is_silent || ++silences >= silences_max) ++number;
    queue_.seams_.clock.sleep_for(pause);
    pause *= 2;
    has_stopped_ = is_stopping();
  }
}

Result<void> Execution::try_undo(Undo const& undo, std::size_t step, int number) {
  if (undo.call) {
    TRY(call_node(*undo.call, call_step(step) + undo_offset + number * steps_max, {}));
  }
  if (undo.remove_instance) {
    TRY(stop_if_deposed(queue_.seams_.config.update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          edit.remove(*undo.remove_instance);
          return {};
        },
        {})));
  }
  if (undo.put_instance) {
    TRY(stop_if_deposed(queue_.seams_.config.update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          edit.put(*undo.put_instance);
          return {};
        },
        {})));
  }
  return {};
}

bool Execution::close_journal(store::Txn& txn) const {
  if (journal_.plan.stuck.empty()) {
    if (stored_steps_ > 0) txn.delete_prefix(journal_prefix(id_));
    return false;
  }
  add_journal(txn);
  return true;
}

void Execution::add_journal(store::Txn& txn) const {
  put_entry(txn, journal_plan_key(id_), schema::encode(journal_.plan));
  for (auto i = first_unsaved_; i < journal_.steps.size(); ++i) {
    auto step = schema::encode(journal_.steps[i]);
    if (has_fault(SeededFault::UndoNotJournaled)) step["undo"] = nullptr;
    put_entry(txn, journal_step_key(id_, i), step);
  }
}

Result<void> Execution::write_journal() {
  store::Txn txn;
  add_journal(txn);
  {
    Guard const guard(queue_.seams_.clock, queue_.mutex_);
    txn.put(job_key(id_), json::serialize(encode(row_.job)));
    row_.log.save(id_, txn);
  }
  TRY(stop_if_deposed(queue_.seams_.store.txn(txn)));
  {
    Guard const guard(queue_.seams_.clock, queue_.mutex_);
    row_.log.saved();
  }
  stored_steps_ = first_unsaved_ = journal_.steps.size();
  return {};
}

void Execution::log(std::string text) {
  Guard const guard(queue_.seams_.clock, queue_.mutex_);
  row_.log.add(row_.current, stamp(queue_.seams_.clock.wall()), text);
  row_.progress.reset();
  queue_.touch(row_);
}

// For programs that read it.
void Execution::log_entry(json::object const& entry) {
  auto const* content = entry.if_contains("content");
  if (!content) return;
  Guard const guard(queue_.seams_.clock, queue_.mutex_);
  row_.log.add_entry(row_.current, stamp(queue_.seams_.clock.wall()), model::text_of(entry, "type"),
                     *content);
  queue_.touch(row_);
}

// A line that a node says while it works: {"say": text}, {"progress": {...}} or {"entry": {...}}.
bool Execution::take_line(std::string_view line, bool logs_output) {
  auto const parsed = schema::parse(line);
  if (parsed && parsed->is_object()) {
    auto const& object = parsed->get_object();
    if (auto const* say = object.if_contains("say"); say && say->is_string() && logs_output) {
      log(std::string(std::string_view(say->get_string())));
    }
    if (auto const* entry = object.if_contains("entry");
        entry && entry->is_object() && logs_output) {
      log_entry(entry->get_object());
    }
    if (auto const* progress = object.if_contains("progress"); progress && progress->is_object()) {
      Guard const guard(queue_.seams_.clock, queue_.mutex_);
      row_.progress = progress->get_object();
      ++row_.progress_serial;
      queue_.touch(row_);
    }
  }
  return true;
}

std::shared_ptr<model::Cluster const> Execution::cluster() {
  return queue_.seams_.config.snapshot();
}

rpc::CallContext Execution::read_context() {
  return {.leader_epoch = queue_.leader_epoch_, .timeout = 30s};
}

Result<void> Execution::sleep(std::chrono::nanoseconds duration) {
  auto const until = queue_.seams_.clock.now() + duration;
  Guard guard(queue_.seams_.clock, queue_.mutex_);
  while (queue_.seams_.clock.now() < until) {
    if (row_.wish.cancel) return Failure(canceled());
    if (queue_.is_stopping_) {
      has_stopped_ = true;
      return fail(ErrorCode::InternalError, "The controller is stopping");
    }
    queue_.seams_.clock.wait_until(guard, queue_.changed_, until);
  }
  return {};
}

bool Execution::is_cancel_wanted() const {
  Guard const guard(queue_.seams_.clock, queue_.mutex_);
  return row_.wish.cancel;
}

bool Execution::is_stopping() const {
  Guard const guard(queue_.seams_.clock, queue_.mutex_);
  return queue_.is_stopping_;
}

// Unique within the job, over its opcodes.
std::int64_t Execution::call_step(std::size_t step) const {
  return static_cast<std::int64_t>(row_.current) * 2 * undo_offset +
         static_cast<std::int64_t>(step) + 1;
}

}  // namespace flotte::jobs
