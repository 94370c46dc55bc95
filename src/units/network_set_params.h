// OP_NETWORK_SET_PARAMS: changes a network.
#pragma once

#include "jobs/unit.h"
#include "opcodes/network.h"

namespace flotte::units {

namespace json = boost::json;

struct NetworkSetParams {
  using Op = opcodes::NetworkSetParams;
  struct Facts {};
  struct Plan {
    model::Network network;
    std::vector<std::string> warnings;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  // The gateway is no instance's, also of one that is being made.
  static std::vector<std::string> claims(Plan const& plan);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
