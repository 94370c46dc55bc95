// What `gnt-cluster init` makes: the first settings, the group `default` and the first node. Pure.
#pragma once

#include "base/random.h"
#include "model/cluster.h"

namespace flotte::controller {

struct FirstCluster {
  model::Settings settings;
  model::Group group;
  model::Node node;
};

// `request` holds settings by the names of model::Settings, and "bootstrap": what the node daemon
// answered.
Result<FirstCluster> first_cluster(boost::json::object const& request, Random& random, double now);

}  // namespace flotte::controller
