// What an execution does about hooks: runs those before the operation, and refuses it when one
// fails; runs those afterwards, and tells when one fails. They run at least once: a controller that
// dies in between runs them again.
#include <algorithm>
#include <tuple>

#include "base/lookup.h"
#include "jobs/execution.h"
#include "store/config_store.h"

namespace flotte::jobs {
namespace {

using namespace std::chrono_literals;

// Numbers of the calls, beyond those of all steps and before those of their undo.
constexpr std::int64_t hooks_offset = 400'000;
constexpr std::int64_t before = 0;
constexpr std::int64_t after = 1;
constexpr std::int64_t after_commit = 2;

// A node that isn't there has nothing to say against an operation on others.
constexpr auto unreachable_max = 5s;
// The node ends the scripts itself.
constexpr auto answer_grace = 30s;

bool is_canceled(Error const& error) {
  return error.error_class == ErrorClass::JobCanceled;
}

std::string communication_failure(std::string_view node, Error const& error) {
  return fmt::format("Communication failure to node {}: {}", node, error.message);
}

bool holds(std::vector<std::string> const& all, std::string const& one) {
  return std::ranges::find(all, one) != all.end();
}

// Those that are there, each once.
std::vector<model::NodePtr> online(model::Cluster const& cluster, std::vector<NodeId> const& ids) {
  std::vector<model::NodePtr> nodes;
  for (auto const& id : ids) {
    auto const node = cluster.node(id);
    auto const is_wanted = node && !(*node)->offline;
    if (is_wanted && std::ranges::find(nodes, *node) == nodes.end()) nodes.push_back(*node);
  }
  return nodes;
}

}  // namespace

// Every node is asked, also after one has refused: people see all that is wrong at once.
Result<void> Execution::run_pre_hooks(Hooks hooks) {
  auto const snapshot = cluster();
  auto const run = before_operation({unit_->op_id(), *snapshot, hooks});
  auto const& post_directory = known_at(run.later, 0);
  auto const& configuration_directory = known_at(run.later, 1);
  HooksLeft left{.hooks = hooks};
  for (auto const& node : online(*snapshot, hooks.pre_nodes)) {
    auto const answer = ask_hooks(node->uuid, run, before);
    if (!answer) {
      auto const is_away = answer.error().error_class == ErrorClass::Unreachable;
      if (has_stopped_ || !is_away) return Failure(answer.error());
      warn(communication_failure(node->name, answer.error()));
      continue;
    }
    auto const failed = failures(node->name, answer->results);
    failed_hooks_.insert(failed_hooks_.end(), failed.begin(), failed.end());
    if (!holds(answer->later, post_directory)) std::erase(left.hooks.post_nodes, node->uuid);
    if (node->uuid == snapshot->settings().master_node) {
      left.for_configuration = holds(answer->later, configuration_directory);
    }
  }
  if (!failed_hooks_.empty()) {
    return fail_as(ErrorClass::HooksAbort, ErrorCode::None, "{} hooks failed",
                   failed_hooks_.size());
  }
  // Most have none, and a journal is written often.
  if (left.hooks.post_nodes.empty() && !left.for_configuration) left.hooks = {};
  journal_.plan.hooks = std::move(left);
  return {};
}

std::vector<HookReport> Execution::run_post_hooks() {
  has_run_post_hooks_ = true;
  std::vector<HookReport> reports;
  auto const& left = journal_.plan.hooks;
  if (!left || left->hooks.post_nodes.empty()) return reports;
  // They may take long, and a controller that dies meanwhile must not do the last step again.
  if (first_unsaved_ < journal_.steps.size()) std::ignore = write_journal();
  auto const snapshot = cluster();
  auto const now = unit_->hooks_after(row_.op().input, *snapshot, journal_.plan.plan);
  auto const run = after_operation({unit_->op_id(), *snapshot, left->hooks},
                                   now ? now->variables : left->hooks.variables);
  for (auto const& node : online(*snapshot, left->hooks.post_nodes)) {
    if (has_stopped_) break;
    reports.push_back({node->name, ask_hooks(node->uuid, run, after)});
    if (!has_stopped_) tell_failed_hooks(reports.back());
  }
  return reports;
}

void Execution::run_configuration_hooks() {
  auto const& left = journal_.plan.hooks;
  if (left && !left->for_configuration) return;
  auto const snapshot = cluster();
  Hooks const none;
  auto const run = after_configuration({unit_->op_id(), *snapshot, left ? left->hooks : none});
  for (auto const& node : online(*snapshot, {snapshot->settings().master_node})) {
    std::ignore = ask_hooks(node->uuid, run, after_commit);
  }
}

// A cancel ends the scripts. One that came too late for the operation leaves those after it alone.
Result<rpc::HookResults> Execution::ask_hooks(NodeId const& node, rpc::HooksRun const& run,
                                              std::int64_t which) {
  auto const reply =
      TRY(call_node(call_data(node, run), call_step(static_cast<std::size_t>(hooks_offset + which)),
                    {.timeout = std::chrono::seconds(run.timeout_s) + answer_grace,
                     .may_be_canceled = which == before || !is_cancel_wanted(),
                     .unreachable_max = unreachable_max}));
  return schema::decode<rpc::HookResults>(reply, schema::UnknownKeys::Ignore);
}

void Execution::tell_failed_hooks(HookReport const& report) {
  if (!report.answer) {
    auto const& error = report.answer.error();
    return warn(is_canceled(error) ? fmt::format("The hooks on {} were ended", report.node)
                                   : communication_failure(report.node, error));
  }
  for (auto const& [script, outcome, output] : report.answer->results) {
    if (outcome != rpc::HookOutcome::Failed) continue;
    warn(fmt::format("On {} script {} failed, output: {}", report.node, script,
                     output.empty() ? "(no output)" : output));
  }
}

// Jobs that were submitted are steps without a call, too, but have an answer.
bool Execution::has_changed_configuration() const {
  return std::ranges::any_of(journal_.steps, [](StepRecord const& step) {
    return !step.call && step.is_done && step.reply.is_null();
  });
}

}  // namespace flotte::jobs
