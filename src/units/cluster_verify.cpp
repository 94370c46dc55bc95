#include "units/cluster_verify.h"

#include "jobs/job_context.h"
#include "opcodes/cluster.h"
#include "units/verify_report.h"

namespace flotte::units {
namespace {

template <class Op>
json::array job_of(Op const& op, opcodes::ClusterVerify const& from) {
  auto out = schema::encode(op);
  out["OP_ID"] = Op::op_id;
  out["error_codes"] = from.error_codes;
  out["debug_simulate_errors"] = from.debug_simulate_errors;
  out["verbose"] = from.verbose;
  json::array ignored;
  for (auto const& code : from.ignore_errors)
    ignored.push_back(json::value(json::string_view(code)));
  out["ignore_errors"] = ignored;
  if (out.contains("skip_checks")) {
    json::array skipped;
    for (auto const& check : from.skip_checks) {
      skipped.push_back(json::value(json::string_view(check)));
    }
    out["skip_checks"] = skipped;
  }
  return json::array{std::move(out)};
}

}  // namespace

Result<jobs::LockSet> ClusterVerify::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<ClusterVerify::Facts> ClusterVerify::inspect(Op const&, model::Cluster const&,
                                                    jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterVerify::Plan> ClusterVerify::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const&) {
  TRY(check_choices(op));
  Plan plan;
  if (!op.group_name) plan.jobs.push_back(job_of(opcodes::ClusterVerifyConfig{}, op));
  auto const verify_group = [&](std::string name) {
    opcodes::ClusterVerifyGroup one;
    one.group_name = std::move(name);
    plan.jobs.push_back(job_of(one, op));
  };
  // One that isn't there is told by its own job.
  if (op.group_name) verify_group(*op.group_name);
  if (!op.group_name) {
    for (auto const& [id, group] : cluster.groups()) verify_group(id.text());
  }
  return plan;
}

Result<json::value> ClusterVerify::apply(Plan const& plan, jobs::JobContext& job) {
  json::object answer;
  answer["jobs"] = TRY(job.submit(plan.jobs));
  return answer;
}

schema::Fields ClusterVerify::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::jobs>("jobs", "The jobs to submit.")};
  return table;
}

}  // namespace flotte::units
