#include "units/test_delay.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> TestDelay::locks(Op const& op, model::Cluster const& cluster) {
  if (op.no_locks) return jobs::LockSet{};
  jobs::LockSet locks;
  for (auto const& name : op.on_nodes) {
    locks.push_back(jobs::exclusive(jobs::LockLevel::Node, TRY(cluster.node(name))->uuid.text()));
  }
  if (op.on_master) {
    locks.push_back(jobs::exclusive(jobs::LockLevel::Node, cluster.settings().master_node.text()));
  }
  return locks;
}

Result<TestDelay::Facts> TestDelay::inspect(Op const&, model::Cluster const&, jobs::NodeReader&) {
  return Facts{};
}

Result<TestDelay::Plan> TestDelay::plan(Op const& op, model::Cluster const& cluster, Facts const&) {
  constexpr double duration_max_s = 86'400;
  if (op.duration < 0 || op.duration > duration_max_s) {
    return fail(ErrorCode::WrongInput, "The duration must be from 0 to {} seconds, not {}",
                duration_max_s, op.duration);
  }
  Plan plan{.duration_ns = static_cast<std::int64_t>(op.duration * 1e9),
            .on_master = op.on_master,
            .repeat = op.repeat};
  for (auto const& name : op.on_nodes) plan.nodes.push_back(TRY(cluster.node(name))->uuid);
  return plan;
}

Result<json::value> TestDelay::apply(Plan const& plan, jobs::JobContext& job) {
  auto const rounds = std::max<std::int64_t>(1, plan.repeat);
  for (std::int64_t round = 0; round < rounds; ++round) {
    if (plan.repeat > 0) job.info(fmt::format("Test delay iteration {}/{}", round, rounds - 1));
    if (plan.on_master) TRY(job.sleep(std::chrono::nanoseconds(plan.duration_ns)));
    for (auto const& node : plan.nodes) {
      TRY(job.step("Waiting on a node", node,
                   rpc::TestDelay{static_cast<double>(plan.duration_ns) / 1e9},
                   {.timeout = std::chrono::hours(25)}));
    }
  }
  return nullptr;
}

schema::Fields TestDelay::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::duration_ns>("duration_ns", "Nanoseconds a round."),
      field<&Plan::nodes>("nodes", "Nodes that wait too."),
      field<&Plan::on_master>("on_master", "Whether the controller waits."),
      field<&Plan::repeat>("repeat", "Rounds; 0: one, and nothing is said."),
  };
  return table;
}

}  // namespace flotte::units
