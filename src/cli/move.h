// move(): one machine from one cluster to another. At every moment its disks are whole on one of
// them, and it runs on one at most; killed, it is gone on with by the same call.
#pragma once

#include <string>

#include "cli/move_plan.h"
#include "cli/remote_cluster.h"

namespace flotte::cli {

struct ClusterTraits {
  std::string uuid;
  std::string software;  // "Ganeti 3.0.2"
  bool is_flotte = false;
  bool has_allocator = false;
  std::optional<std::vector<std::string>> compression_tools;  // none: it does not say
};
// Of GET /2/info.
ClusterTraits traits_of(json::value const& info);

struct MoveOrder {
  std::string name;  // at the source
  Placement placement;
  ClusterTraits destination;
  bool keeps_source = false;
  bool is_dry_run = false;
  std::int64_t opportunistic_tries = 0;
  Duration opportunistic_delay = std::chrono::seconds(30);
};

// What happens meanwhile, told to people.
class Teller {
 public:
  virtual ~Teller() = default;
  virtual void step(std::string const& text) = 0;      // what everybody may know
  virtual void info(std::string const& text) = 0;      // with --verbose
  virtual void warning(std::string const& text) = 0;   // on standard error
  virtual void progress(std::string const& text) = 0;  // replaces the one before, on a terminal
};

// The error says where the machine is now.
Result<void> move(RemoteCluster& source, RemoteCluster& destination, MoveOrder const& order,
                  Teller& teller);

}  // namespace flotte::cli
