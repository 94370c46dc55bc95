#include "units/network_set_params.h"

#include "jobs/job_context.h"
#include "model/nic_rules.h"
#include "store/config_store.h"
#include "units/network_rules.h"

namespace flotte::units {
namespace {

// What is given, or nothing for "none".
std::optional<std::string> value_in(std::string const& given) {
  return given == "none" ? std::nullopt : std::optional(given);
}

Result<void> change_gateway(std::string const& given, model::AddressPool& pool,
                            NetworkSetParams::Plan& plan) {
  auto& network = plan.network;
  auto const gateway = value_in(given);
  if (gateway == network.gateway) {
    plan.warnings.push_back(fmt::format("Gateway is already {}", gateway.value_or("None")));
    return {};
  }
  if (gateway && TRY(pool.is_used(*gateway))) {
    return fail(ErrorCode::WrongState, "Gateway IP address '{}' is already reserved", *gateway);
  }
  if (gateway) TRY(pool.reserve(*gateway));
  if (network.gateway) TRY(pool.release(*network.gateway));
  network.gateway = gateway;
  return {};
}

void change_reservations(opcodes::NetworkSetParams const& op, model::AddressPool& pool,
                         NetworkSetParams::Plan& plan) {
  auto const none = std::vector<std::string>();
  for (auto const& address : op.add_reserved_ips.value_or(none)) {
    if (auto const reserved = pool.reserve(address); !reserved) {
      plan.warnings.push_back(
          fmt::format("Cannot reserve IP address {}: {}", address, reserved.error().message));
    }
  }
  for (auto const& address : op.remove_reserved_ips.value_or(none)) {
    if (address == plan.network.gateway) {
      plan.warnings.push_back("Cannot unreserve Gateway's IP");
      continue;
    }
    if (pool.is_end(address)) {
      plan.warnings.push_back(fmt::format("Cannot unreserve {}: no host can have it", address));
      continue;
    }
    if (auto const released = pool.release(address); !released) {
      plan.warnings.push_back(
          fmt::format("Cannot release IP address {}: {}", address, released.error().message));
    }
  }
}

}  // namespace

Result<jobs::LockSet> NetworkSetParams::locks(Op const& op, model::Cluster const& cluster) {
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Network,
                                       TRY(cluster.network(op.network_name))->uuid.text())};
}

Result<NetworkSetParams::Facts> NetworkSetParams::inspect(Op const&, model::Cluster const&,
                                                          jobs::NodeReader&) {
  return Facts{};
}

Result<NetworkSetParams::Plan> NetworkSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const&) {
  if (op.gateway && (op.add_reserved_ips || op.remove_reserved_ips)) {
    return fail(ErrorCode::WrongInput, "Cannot modify gateway and reserved ips at once");
  }
  auto const before = TRY(cluster.network(op.network_name));
  Plan plan{.network = *before, .warnings = {}};
  auto& network = plan.network;
  auto pool = TRY(model::AddressPool::create(network, cluster.addresses_in(network.uuid)));
  if (op.gateway && *op.gateway != "none") TRY(check_ipv4({*op.gateway}));
  if (op.add_reserved_ips) TRY(check_ipv4(*op.add_reserved_ips));
  if (op.remove_reserved_ips) TRY(check_ipv4(*op.remove_reserved_ips));
  if (op.gateway) TRY(change_gateway(*op.gateway, pool, plan));
  change_reservations(op, pool, plan);
  network.ext_reservations = pool.ext_reservations();
  if (op.mac_prefix) {
    network.mac_prefix = value_in(*op.mac_prefix);
    if (network.mac_prefix) network.mac_prefix = TRY(model::parse_mac_prefix(*network.mac_prefix));
  }
  if (op.network6) network.network6 = value_in(*op.network6);
  if (op.gateway6) network.gateway6 = value_in(*op.gateway6);
  TRY(check_ipv6(network));
  return plan;
}

std::vector<std::string> NetworkSetParams::claims(Plan const& plan) {
  if (!plan.network.gateway) return {};
  return {address_claim(plan.network.uuid, *plan.network.gateway)};
}

Result<jobs::Hooks> NetworkSetParams::hooks(Op const&, model::Cluster const& cluster,
                                            Plan const& plan) {
  return network_hooks("network-modify", cluster, plan.network);
}

Result<json::value> NetworkSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  TRY(job.commit("Changing the network", [&](store::ClusterEdit& edit) -> Result<void> {
    TRY(edit.get(plan.network.uuid));
    edit.put(plan.network);
    return {};
  }));
  return nullptr;
}

schema::Fields NetworkSetParams::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::network>("network", "The network from now on."),
      field<&Plan::warnings>("warnings", "What it is warned of.")};
  return table;
}

}  // namespace flotte::units
