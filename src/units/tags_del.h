// OP_TAGS_DEL: removes tags from the cluster or from an object.
#pragma once

#include "jobs/unit.h"
#include "opcodes/cluster.h"
#include "units/tags.h"

namespace flotte::units {

namespace json = boost::json;

struct TagsDel {
  using Op = opcodes::TagsDel;
  struct Facts {};
  using Plan = TagsPlan;

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
