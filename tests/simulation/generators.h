// Generators: for each opcode, arguments that somebody could mean, drawn from what the cluster has.
// An opcode without one fails the test that every opcode has one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/random.h"
#include "model/cluster.h"

namespace flotte::simulation {

namespace json = boost::json;

struct Generator {
  // How often it is asked for, beside the others.
  unsigned weight = 1;
  // Whether it changes disks or guests: then pairs of crash points are tried too.
  bool changes_nodes = false;
  // None: nothing here fits it, for example no instance exists.
  std::function<std::optional<json::object>(model::Cluster const& cluster, Random& random)> make;
};

// By op_id.
std::map<std::string, Generator, std::less<>> const& generators();

}  // namespace flotte::simulation
