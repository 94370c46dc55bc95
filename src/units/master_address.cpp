#include "units/master_address.h"

namespace flotte::units {

bool has_master_address(model::Cluster const& cluster) {
  auto const& settings = cluster.settings();
  return !settings.master_ip.empty() && !settings.master_netdev.empty();
}

jobs::LockSet master_address_locks(model::Cluster const& cluster) {
  return {jobs::shared(jobs::LockLevel::Cluster, "settings"),
          jobs::shared(jobs::LockLevel::Node, cluster.settings().master_node.text())};
}

Result<rpc::MasterAddress> master_address_of(model::Cluster const& cluster, bool is_up) {
  auto const& settings = cluster.settings();
  if (!has_master_address(cluster)) {
    return fail(ErrorCode::WrongState,
                "The cluster has no address of its own: it was made without --master-netdev");
  }
  return rpc::MasterAddress{.ip = settings.master_ip,
                            .netdev = settings.master_netdev,
                            .netmask = settings.master_netmask,
                            .is_up = is_up};
}

}  // namespace flotte::units
