#include "units/test_os_params.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> TestOsParams::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<TestOsParams::Facts> TestOsParams::inspect(Op const&, model::Cluster const&,
                                                  jobs::NodeReader&) {
  return Facts{};
}

Result<TestOsParams::Plan> TestOsParams::plan(Op const& op, model::Cluster const&, Facts const&) {
  Plan plan;
  if (op.osparams_secret) {
    for (auto const& [name, value] : *op.osparams_secret) plan.names.emplace_back(name);
  }
  return plan;
}

Result<json::value> TestOsParams::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.names.empty()) return fail(ErrorCode::WrongInput, "Opcode needs secret parameters");
  std::string said;
  for (auto const& name : plan.names) {
    said += fmt::format("{}'{}': '<redacted>'", said.empty() ? "" : ", ", name);
  }
  job.log("Secret OS parameters: {" + said + "}");
  return nullptr;
}

schema::Fields TestOsParams::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::names>("names", "Of the parameters.")};
  return table;
}

}  // namespace flotte::units
