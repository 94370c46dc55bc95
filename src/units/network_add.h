// OP_NETWORK_ADD: makes a network that no group is connected to.
#pragma once

#include "jobs/unit.h"
#include "opcodes/network.h"

namespace flotte::units {

namespace json = boost::json;

struct NetworkAdd {
  using Op = opcodes::NetworkAdd;
  struct Facts {
    NetworkId uuid;
    double now = 0;
  };
  struct Plan {
    model::Network network;
    std::vector<std::string> told;
    std::vector<std::string> warnings;

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
