#include "units/cluster_verify_disks.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> ClusterVerifyDisks::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<ClusterVerifyDisks::Facts> ClusterVerifyDisks::inspect(Op const&, model::Cluster const&,
                                                              jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterVerifyDisks::Plan> ClusterVerifyDisks::plan(Op const& op,
                                                          model::Cluster const& cluster,
                                                          Facts const&) {
  std::optional<GroupId> wanted;
  if (op.group_name) wanted = TRY(cluster.group(*op.group_name))->uuid;
  Plan plan;
  if (cluster.instances().empty()) return plan;
  for (auto const& [id, group] : cluster.groups()) {
    if (wanted && *wanted != id) continue;
    auto one = schema::encode(
        opcodes::GroupVerifyDisks{.group_name = id.text(), .is_strict = op.is_strict});
    one["OP_ID"] = opcodes::GroupVerifyDisks::op_id;
    plan.jobs.push_back(json::array{std::move(one)});
  }
  return plan;
}

Result<json::value> ClusterVerifyDisks::apply(Plan const& plan, jobs::JobContext& job) {
  json::object answer;
  answer["jobs"] = TRY(job.submit(plan.jobs));
  return answer;
}

schema::Fields ClusterVerifyDisks::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::jobs>("jobs", "The jobs to submit.")};
  return table;
}

}  // namespace flotte::units
