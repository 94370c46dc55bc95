#include "units/network_disconnect.h"

#include "jobs/job_context.h"
#include "store/config_store.h"
#include "units/network_rules.h"

namespace flotte::units {

Result<jobs::LockSet> NetworkDisconnect::locks(Op const& op, model::Cluster const& cluster) {
  using namespace jobs;
  // Who comes into the network meanwhile is found by the commit.
  return LockSet{exclusive(LockLevel::NodeGroup, TRY(cluster.group(op.group_name))->uuid.text()),
                 shared(LockLevel::Network, TRY(cluster.network(op.network_name))->uuid.text())};
}

Result<NetworkDisconnect::Facts> NetworkDisconnect::inspect(Op const&, model::Cluster const&,
                                                            jobs::NodeReader&) {
  return Facts{};
}

Result<NetworkDisconnect::Plan> NetworkDisconnect::plan(Op const& op, model::Cluster const& cluster,
                                                        Facts const&) {
  auto const network = TRY(cluster.network(op.network_name));
  auto const group = TRY(cluster.group(op.group_name));
  Plan plan{.group = group->uuid, .network = network->uuid, .warning = {}};
  if (!group->connection(network->uuid)) {
    plan.warning =
        fmt::format("Network '{}' is not mapped to group '{}'", op.network_name, group->name);
    return plan;
  }
  auto const nics = nics_of_group(
      cluster, group->uuid, [&](model::Nic const& nic) { return nic.network == network->uuid; });
  if (nics.empty()) return plan;
  return in_use("disconnect from", *network, *group, nics);
}

Result<jobs::Hooks> NetworkDisconnect::hooks(Op const& op, model::Cluster const& cluster,
                                             Plan const& plan) {
  jobs::HookVariables told{{"GROUP_NAME", op.group_name}};
  auto const group = TRY(cluster.group(op.group_name));
  if (auto const* connection = group->connection(plan.network)) {
    told["GROUP_NETWORK_MODE"] = connection->mode;
    told["GROUP_NETWORK_LINK"] = connection->link;
    told["GROUP_NETWORK_VLAN"] = connection->vlan;
  }
  return connection_hooks("network-disconnect", cluster, plan.group, std::move(told));
}

Result<json::value> NetworkDisconnect::apply(Plan const& plan, jobs::JobContext& job) {
  if (!plan.warning.empty()) {
    job.warn(plan.warning);
    return nullptr;
  }
  TRY(job.commit("Disconnecting the network", [&](store::ClusterEdit& edit) -> Result<void> {
    auto group = TRY(edit.get(plan.group));
    std::erase_if(group.networks, [&](model::NetworkConnection const& connection) {
      return connection.network == plan.network;
    });
    edit.put(std::move(group));
    return {};
  }));
  return nullptr;
}

schema::Fields NetworkDisconnect::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::group>("group", "UUID of the group."),
      field<&Plan::network>("network", "UUID of the network."),
      field<&Plan::warning>("warning", "Why nothing is done.")};
  return table;
}

}  // namespace flotte::units
