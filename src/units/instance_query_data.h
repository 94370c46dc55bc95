// OP_INSTANCE_QUERY_DATA: what `gnt-instance info` shows.
#pragma once

#include "jobs/unit.h"
#include "opcodes/instance.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceQueryData {
  using Op = opcodes::InstanceQueryData;
  struct Facts {
    json::object answer;
  };
  struct Plan {
    json::object answer;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
