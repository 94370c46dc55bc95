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
  // Ways of the opcode that a random draw seldom takes; each is tried at all crash points.
  using Make = std::function<std::optional<json::object>(model::Cluster const&, Random&)>;
  std::map<std::string, Make> ways = {};
  // What somebody must have done before one of the ways has anything to do.
  std::map<std::string, Make> before = {};
  // Whether it needs a disk that got lost: then one is lost before.
  bool needs_lost_disk = false;
  // Whether it tells how it finds the nodes: one whose daemon is away is a finding.
  bool tells_of_nodes = false;
  // None: nothing here fits it, for example no instance exists.
  Make make;
};

// Volumes "old-0", ... on each node that are no instance's disk.
constexpr std::size_t old_volumes = 40;
constexpr std::int64_t old_volume_mib = 1024;
// Names "sim-0", ... that the cluster may be given.
constexpr std::int64_t cluster_names = 3;

// What opcodes are given and nobody may find in the store; the parameter that each OS has for it.
constexpr std::string_view secret = "s3cret-of-the-simulation";
constexpr std::string_view secret_parameter = "password";

// By op_id.
std::map<std::string, Generator, std::less<>> const& generators();

}  // namespace flotte::simulation
