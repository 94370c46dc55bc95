#include "units/cluster_post_init.h"

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> ClusterPostInit::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Cluster, "BGL")};
}

Result<ClusterPostInit::Facts> ClusterPostInit::inspect(Op const&, model::Cluster const&,
                                                        jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterPostInit::Plan> ClusterPostInit::plan(Op const&, model::Cluster const&,
                                                    Facts const&) {
  return Plan{};
}

Result<json::value> ClusterPostInit::apply(Plan const& plan, jobs::JobContext&) {
  return plan.done;
}

schema::Fields ClusterPostInit::Plan::fields() {
  static constexpr schema::Field table[] = {schema::field<&Plan::done>("done", "Always.")};
  return table;
}

}  // namespace flotte::units
