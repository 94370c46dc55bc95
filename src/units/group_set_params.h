// OP_GROUP_SET_PARAMS: changes what a node group has of its own.
#pragma once

#include "jobs/unit.h"
#include "opcodes/group.h"

namespace flotte::units {

namespace json = boost::json;

struct GroupSetParams {
  using Op = opcodes::GroupSetParams;
  struct Facts {};
  struct Plan {
    model::Group group;
    std::vector<json::array> told;  // what Ganeti tells of it
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
