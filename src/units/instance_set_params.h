// OP_INSTANCE_SET_PARAMS: changes parameters of an instance.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceSetParams {
  using Op = opcodes::InstanceSetParams;
  struct Facts {};
  struct Plan {
    InstanceId instance;
    json::object beparams;
    json::object hvparams;
    json::object osparams;
    json::object osparams_private;
    std::optional<std::string> os_name;
    std::optional<bool> offline;
    json::array changes;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
