// OP_NETWORK_RENAME: gives a network another name.
#pragma once

#include "jobs/unit.h"
#include "opcodes/network.h"

namespace flotte::units {

namespace json = boost::json;

struct NetworkRename {
  using Op = opcodes::NetworkRename;
  struct Facts {};
  struct Plan {
    NetworkId network;
    std::string name;

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
