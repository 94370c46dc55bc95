#include "units/test_jqueue.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> TestJqueue::locks(Op const&, model::Cluster const& cluster) {
  return jobs::LockSet{
      jobs::exclusive(jobs::LockLevel::Node, cluster.settings().master_node.text())};
}

Result<TestJqueue::Facts> TestJqueue::inspect(Op const&, model::Cluster const&, jobs::NodeReader&) {
  return Facts{};
}

Result<TestJqueue::Plan> TestJqueue::plan(Op const& op, model::Cluster const&, Facts const&) {
  return Plan{.log_messages = op.log_messages, .fails = op.fail};
}

Result<json::value> TestJqueue::apply(Plan const& plan, jobs::JobContext& job) {
  job.info("Executing");
  for (std::size_t i = 0; i < plan.log_messages.size(); ++i) {
    job.info(fmt::format("Sending log message {}", i + 1));
    job.log("TESTMSG=" + plan.log_messages[i]);
  }
  if (plan.fails) return fail(ErrorCode::WrongState, "Opcode failure was requested");
  return json::value(true);
}

schema::Fields TestJqueue::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::log_messages>("log_messages", "What goes into the job's log."),
      field<&Plan::fails>("fails", "Whether it fails then.")};
  return table;
}

}  // namespace flotte::units
