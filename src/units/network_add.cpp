#include "units/network_add.h"

#include <set>

#include "base/random.h"
#include "jobs/job_context.h"
#include "model/nic_rules.h"
#include "store/config_store.h"
#include "units/network_rules.h"
#include "units/tags.h"

namespace flotte::units {
namespace {

Result<void> check_is_free(std::string const& name, model::Cluster const& cluster) {
  auto const known = cluster.network(name);
  if (!known) return {};
  return fail(ErrorCode::AlreadyExists,
              "Desired network name '{}' already exists as a network (UUID: {})", name,
              (*known)->uuid.text());
}

// Which in routed mode no instance could use.
void keep_addresses_of_nodes(model::AddressPool& pool, model::Cluster const& cluster,
                             NetworkAdd::Plan& plan) {
  for (auto const& node : cluster.nodes_by_name()) {
    for (auto const& address : std::set{node->primary_ip, node->secondary_ip}) {
      if (!pool.contains(address)) continue;
      if (auto const reserved = pool.reserve(address)) {
        plan.told.push_back(
            fmt::format("Reserved IP address of node '{}' ({})", node->name, address));
      } else {
        plan.warnings.push_back(fmt::format("Cannot reserve IP address '{}' of node '{}': {}",
                                            address, node->name, reserved.error().message));
      }
    }
  }
  auto const& master = cluster.settings().master_ip;
  if (!pool.contains(master)) return;
  if (auto const reserved = pool.reserve(master)) {
    plan.told.push_back(fmt::format("Reserved cluster master IP address ({})", master));
  } else {
    plan.warnings.push_back(fmt::format("Cannot reserve cluster master IP address ({}): {}", master,
                                        reserved.error().message));
  }
}

}  // namespace

Result<jobs::LockSet> NetworkAdd::locks(Op const& op, model::Cluster const&) {
  using namespace jobs;
  // Two of one name at the same time: the second waits and is refused.
  LockSet locks{all_exclusive(LockLevel::Network)};
  if (op.conflicts_check) locks.push_back(all_shared(LockLevel::Node));
  return locks;
}

Result<NetworkAdd::Facts> NetworkAdd::inspect(Op const&, model::Cluster const&,
                                              jobs::NodeReader& nodes) {
  return Facts{.uuid = NetworkId(nodes.random().uuid()),
               .now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count()};
}

Result<NetworkAdd::Plan> NetworkAdd::plan(Op const& op, model::Cluster const& cluster,
                                          Facts const& facts) {
  TRY(check_network_name(op.network_name));
  TRY(check_is_free(op.network_name, cluster));
  if (!op.tags.empty()) TRY(check_tags(op.tags));
  Plan plan;
  auto& network = plan.network;
  network.uuid = facts.uuid;
  network.name = op.network_name;
  network.network = op.network;
  network.gateway = op.gateway;
  network.network6 = op.network6;
  network.gateway6 = op.gateway6;
  if (op.mac_prefix) network.mac_prefix = TRY(model::parse_mac_prefix(*op.mac_prefix));
  network.tags = kept_tags(op.tags);
  network.ctime = network.mtime = facts.now;
  // The first commit raises it.
  network.serial_no = 0;
  TRY(check_ipv6(network));
  if (op.gateway) TRY(check_ipv4({*op.gateway}));
  if (op.add_reserved_ips) TRY(check_ipv4(*op.add_reserved_ips));
  if (auto const made = model::reserve_ends(network); !made) {
    if (made.error().error_class != ErrorClass::Exec) return Failure(made.error());
    return fail_as(ErrorClass::Exec, made.error().code,
                   "Cannot create IP address pool for network '{}': {}", op.network_name,
                   made.error().message);
  }
  auto pool = TRY(model::AddressPool::create(network));
  if (op.conflicts_check) keep_addresses_of_nodes(pool, cluster, plan);
  for (auto const& address : op.add_reserved_ips.value_or(std::vector<std::string>())) {
    if (auto const reserved = pool.reserve(address); !reserved) {
      return fail_as(ErrorClass::Exec, reserved.error().code, "Cannot reserve IP address '{}': {}",
                     address, reserved.error().message);
    }
  }
  network.ext_reservations = pool.ext_reservations();
  return plan;
}

Result<jobs::Hooks> NetworkAdd::hooks(Op const&, model::Cluster const& cluster, Plan const& plan) {
  return network_hooks("network-add", cluster, plan.network);
}

Result<json::value> NetworkAdd::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& told : plan.told) job.info(told);
  for (auto const& warning : plan.warnings) job.warn(warning);
  TRY(job.commit("Adding the network", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.put(plan.network);
    return {};
  }));
  return nullptr;
}

schema::Fields NetworkAdd::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::network>("network", "The network as it will be."),
      field<&Plan::told>("told", "What is told before."),
      field<&Plan::warnings>("warnings", "What it is warned of.")};
  return table;
}

}  // namespace flotte::units
