// OP_TEST_DELAY: waits; for tests and for measuring.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct TestDelay {
  using Op = opcodes::TestDelay;
  struct Facts {};
  struct Plan {
    std::int64_t duration_ns = 0;
    std::vector<NodeId> nodes;
    bool on_master = true;
    std::int64_t repeat = 0;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
