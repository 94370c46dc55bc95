// Nodes and the groups they are in, as the configuration knows them. Keys as in Ganeti's
// config.data (docs/ganeti.md, "Configuration"). Values; use from any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "model/types.h"

namespace flotte::model {

struct Node {
  NodeId uuid;
  std::string name;
  GroupId group;
  std::string primary_ip;
  std::string secondary_ip;
  std::int64_t port = 1811;  // of its node daemon
  bool master_candidate = true;
  bool offline = false;
  bool drained = false;
  bool master_capable = true;
  bool vm_capable = true;
  bool powered = true;
  schema::json::object ndparams;
  std::vector<std::string> tags;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

// How the NICs of a group's instances get into a network.
struct NetworkConnection {
  NetworkId network;
  std::string mode;
  std::string link;
  std::string vlan;

  static schema::Fields fields();
};

struct Group {
  GroupId uuid;
  std::string name;
  std::string alloc_policy = "preferred";
  schema::json::object ndparams;
  schema::json::object diskparams;
  schema::json::object ipolicy;
  std::vector<NetworkConnection> networks;
  std::vector<std::string> tags;
  std::int64_t serial_no = 1;
  double ctime = 0;
  double mtime = 0;

  // Null: it is not connected.
  NetworkConnection const* connection(NetworkId const& to) const {
    auto const found = std::ranges::find(networks, to, &NetworkConnection::network);
    return found == networks.end() ? nullptr : &*found;
  }

  static schema::Fields fields();
};

}  // namespace flotte::model
