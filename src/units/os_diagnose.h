// OP_OS_DIAGNOSE: the OS definitions that the nodes have.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "units/answer_plan.h"

namespace flotte::units {

namespace json = boost::json;

struct OsDiagnose {
  using Op = opcodes::OsDiagnose;
  using Facts = AnswerPlan;
  using Plan = AnswerPlan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
