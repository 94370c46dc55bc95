// OP_NETWORK_DISCONNECT: takes a network from a group whose instances are not in it.
#pragma once

#include "jobs/unit.h"
#include "opcodes/network.h"

namespace flotte::units {

namespace json = boost::json;

struct NetworkDisconnect {
  using Op = opcodes::NetworkDisconnect;
  struct Facts {};
  struct Plan {
    GroupId group;
    NetworkId network;
    std::string warning;  // not empty: it is not connected

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
