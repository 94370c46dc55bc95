#include "units/cluster_deactivate_master_ip.h"

#include "jobs/job_context.h"
#include "units/master_address.h"

namespace flotte::units {

Result<jobs::LockSet> ClusterDeactivateMasterIp::locks(Op const&, model::Cluster const& cluster) {
  return master_address_locks(cluster);
}

Result<ClusterDeactivateMasterIp::Facts> ClusterDeactivateMasterIp::inspect(Op const&,
                                                                            model::Cluster const&,
                                                                            jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterDeactivateMasterIp::Plan> ClusterDeactivateMasterIp::plan(
    Op const&, model::Cluster const& cluster, Facts const&) {
  return Plan{.node = cluster.settings().master_node,
              .address = TRY(master_address_of(cluster, false))};
}

Result<json::value> ClusterDeactivateMasterIp::apply(Plan const& plan, jobs::JobContext& job) {
  auto back = plan.address;
  back.is_up = !back.is_up;
  TRY(job.step(fmt::format("Dropping the cluster's address on {}", plan.address.netdev), plan.node,
               plan.address, {.undo = jobs::undo_call(plan.node, back)}));
  return nullptr;
}

schema::Fields ClusterDeactivateMasterIp::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::node>("node", "UUID of the master."),
      schema::field<&Plan::address>("address", "The address.")};
  return table;
}

}  // namespace flotte::units
