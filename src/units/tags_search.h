// OP_TAGS_SEARCH: all tags of the cluster and of its objects that a pattern finds.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "units/answer_plan.h"

namespace flotte::units {

namespace json = boost::json;

struct TagsSearch {
  using Op = opcodes::TagsSearch;
  struct Facts {};
  using Plan = AnswerPlan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
