#include "units/network_remove.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/network_rules.h"

namespace flotte::units {

Result<jobs::LockSet> NetworkRemove::locks(Op const& op, model::Cluster const& cluster) {
  using namespace jobs;
  return LockSet{exclusive(LockLevel::Network, TRY(cluster.network(op.network_name))->uuid.text()),
                 all_shared(LockLevel::NodeGroup)};
}

Result<NetworkRemove::Facts> NetworkRemove::inspect(Op const&, model::Cluster const&,
                                                    jobs::NodeReader&) {
  return Facts{};
}

Result<NetworkRemove::Plan> NetworkRemove::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const&) {
  auto const network = TRY(cluster.network(op.network_name));
  std::vector<std::string> connected;
  for (auto const& group : cluster.groups_by_name()) {
    if (group->connection(network->uuid)) connected.push_back(group->name);
  }
  if (connected.empty()) return Plan{.network = network->uuid};
  return fail(ErrorCode::WrongState,
              "Network still connected; network '{}' is connected to the following node groups: {}",
              op.network_name, fmt::join(connected, ", "));
}

Result<jobs::Hooks> NetworkRemove::hooks(Op const& op, model::Cluster const& cluster, Plan const&) {
  return network_hooks("network-remove", cluster, {{"NETWORK_NAME", op.network_name}});
}

Result<json::value> NetworkRemove::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Removing the network", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.remove(plan.network);
    return {};
  }));
  return nullptr;
}

schema::Fields NetworkRemove::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::network>("network", "UUID of the network.")};
  return table;
}

}  // namespace flotte::units
