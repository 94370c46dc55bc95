// The files that make this machine a node of a cluster: directories, certificates, secrets, ssconf.
//
// Used by the node daemon: its bootstrap and leave calls. Not thread-safe; NodeDaemon takes a
// mutex. docs/ganeti.md, "Daemons and files", and docs/ganeti.md, "ssconf".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/paths.h"
#include "node/daemon/identity.h"
#include "rpc/node_calls.h"

namespace flotte {
class Clock;
class Random;
}  // namespace flotte

namespace flotte::node {

// What the daemon must remember of the cluster it belongs to.
struct Membership {
  std::string cluster_name;
  NodeId node_uuid;
  std::string node_name;
  std::string primary_ip;
  std::string master_ip;
  std::string master_netdev;
  std::int64_t master_netmask = 32;

  static schema::Fields fields();
};

// The directories that the daemons need, with Ganeti's modes; those that the controller writes to
// belong to its user. At every start, because the run directory may be new.
Result<void> prepare_directories(Paths const& paths);

// Nothing where no cluster was made, or only half of one.
Result<std::optional<Membership>> read_membership(Paths const& paths);

// Writes everything, the marker last: after a crash half-way it is simply done again.
Result<Membership> make_cluster(Paths const& paths, rpc::Bootstrap const& wish,
                                Identity const& identity, Random& random, Clock& clock);

// Writes those that differ. WrongState: this machine is no node.
Result<void> write_ssconf(Paths const& paths, schema::json::object const& values);
// Those that do not hold what they should.
std::vector<rpc::FileFault> ssconf_faults(Paths const& paths, schema::json::object const& values);

// Takes everything away, the marker first. Repeating it is harmless.
Result<void> remove_cluster(Paths const& paths);

// "/srv/ganeti/file-storage" is allowed by a line of <etc>/file-storage-paths that names it or a
// directory above it.
bool is_storage_allowed(std::string_view allowed_lines, std::filesystem::path const& directory);

// What of all this is missing or has other permissions than it was made with.
std::vector<rpc::FileFault> cluster_file_faults(Paths const& paths);

// The marker: there is a cluster.
std::string cluster_name_file(Paths const& paths);

}  // namespace flotte::node
