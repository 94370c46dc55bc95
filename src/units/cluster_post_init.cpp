#include "units/cluster_post_init.h"

#include "jobs/job_context.h"
#include "units/hooks.h"

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

Result<jobs::Hooks> ClusterPostInit::hooks(Op const&, model::Cluster const& cluster, Plan const&) {
  auto hooks =
      cluster_hooks("cluster-init", cluster, {{"OP_TARGET", cluster.settings().cluster_name}});
  hooks.pre_nodes.clear();
  return hooks;
}

Result<json::value> ClusterPostInit::apply(Plan const& plan, jobs::JobContext&) {
  return plan.done;
}

schema::Fields ClusterPostInit::Plan::fields() {
  static constexpr schema::Field table[] = {schema::field<&Plan::done>("done", "Always.")};
  return table;
}

}  // namespace flotte::units
