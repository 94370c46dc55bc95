// OP_TAGS_SET: adds tags to the cluster or to an object.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "units/tags.h"

namespace flotte::units {

namespace json = boost::json;

struct TagsSet {
  using Op = opcodes::TagsSet;
  struct Facts {};
  using Plan = TagsPlan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
