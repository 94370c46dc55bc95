// OP_TEST_JQUEUE: says what it is told to say, and fails where that is wanted; for tests of the
// queue.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"

namespace flotte::units {

namespace json = boost::json;

struct TestJqueue {
  using Op = opcodes::TestJqueue;
  struct Facts {};
  struct Plan {
    std::vector<std::string> log_messages;
    bool fails = false;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
