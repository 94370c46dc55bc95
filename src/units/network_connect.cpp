#include "units/network_connect.h"

#include "jobs/job_context.h"
#include "model/names.h"
#include "model/nic_rules.h"
#include "store/config_store.h"
#include "units/network_rules.h"

namespace flotte::units {

Result<jobs::LockSet> NetworkConnect::locks(Op const& op, model::Cluster const& cluster) {
  using namespace jobs;
  auto const group = TRY(cluster.group(op.group_name));
  LockSet locks{exclusive(LockLevel::NodeGroup, group->uuid.text()),
                shared(LockLevel::Network, TRY(cluster.network(op.network_name))->uuid.text())};
  if (!op.conflicts_check) return locks;
  // Their addresses are looked at.
  for (auto const& [id, instance] : cluster.instances()) {
    if (cluster.group_of(instance->primary_node) == group) {
      locks.push_back(shared(LockLevel::Instance, instance->name));
    }
  }
  return locks;
}

Result<NetworkConnect::Facts> NetworkConnect::inspect(Op const&, model::Cluster const&,
                                                      jobs::NodeReader&) {
  return Facts{};
}

Result<NetworkConnect::Plan> NetworkConnect::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const&) {
  auto const network = TRY(cluster.network(op.network_name));
  auto const group = TRY(cluster.group(op.group_name));
  auto const params = TRY(model::enforce_nic({{"mode", json::value(op.network_mode)},
                                              {"link", json::value(op.network_link)},
                                              {"vlan", json::value(op.network_vlan)}}));
  if (model::text_of(params, "mode").empty()) {
    return fail(ErrorCode::WrongInput, "A network is connected with a mode, such as bridged");
  }
  TRY(model::check_nic(params));
  if (auto const link = model::text_of(params, "link");
      !link.empty() && !model::is_interface_name(link)) {
    return fail(ErrorCode::WrongInput,
                "Invalid NIC link '{}': it can't be the name of an interface", link);
  }
  if (model::text_of(params, "mode") == "routed" && !model::text_of(params, "vlan").empty()) {
    return fail(ErrorCode::WrongInput,
                "A routed NIC has no VLAN; vlan= is for mode bridged or openvswitch");
  }
  Plan plan{.group = group->uuid,
            .connection = {network->uuid, model::text_of(params, "mode"),
                           model::text_of(params, "link"), model::text_of(params, "vlan")},
            .warning = {}};
  if (group->connection(network->uuid)) {
    plan.warning =
        fmt::format("Network '{}' is already mapped to group '{}'", op.network_name, group->name);
    return plan;
  }
  if (!op.conflicts_check) return plan;
  auto const pool = TRY(model::AddressPool::create(*network));
  auto const nics = nics_of_group(cluster, group->uuid, [&](model::Nic const& nic) {
    return nic.ip && pool.contains(*nic.ip);
  });
  if (nics.empty()) return plan;
  return in_use("connect to", *network, *group, nics);
}

Result<jobs::Hooks> NetworkConnect::hooks(Op const& op, model::Cluster const& cluster,
                                          Plan const& plan) {
  return connection_hooks("network-connect", cluster, plan.group,
                          {{"GROUP_NAME", op.group_name},
                           {"GROUP_NETWORK_MODE", op.network_mode},
                           {"GROUP_NETWORK_LINK", op.network_link},
                           {"GROUP_NETWORK_VLAN", op.network_vlan}});
}

Result<json::value> NetworkConnect::apply(Plan const& plan, jobs::JobContext& job) {
  if (!plan.warning.empty()) {
    job.warn(plan.warning);
    return nullptr;
  }
  TRY(job.commit("Connecting the network", [&](store::ClusterEdit& edit) -> Result<void> {
    auto group = TRY(edit.get(plan.group));
    if (!group.connection(plan.connection.network)) group.networks.push_back(plan.connection);
    edit.put(std::move(group));
    return {};
  }));
  return nullptr;
}

schema::Fields NetworkConnect::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::group>("group", "UUID of the group."),
      field<&Plan::connection>("connection", "How its NICs get into the network."),
      field<&Plan::warning>("warning", "Why nothing is done.")};
  return table;
}

}  // namespace flotte::units
