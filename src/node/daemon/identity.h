// What a machine is called and where it is reached. Used once, when a cluster is made.
#pragma once

#include <string>

#include "base/paths.h"

namespace flotte::node {

struct Identity {
  std::string name;        // fully qualified where the resolver knows it
  std::string primary_ip;  // with a prefix root the loopback's: such clusters are on one machine
};

Identity machine_identity(Paths const& paths);

}  // namespace flotte::node
