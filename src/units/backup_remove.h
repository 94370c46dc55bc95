// OP_BACKUP_REMOVE: removes the export of an instance, which may be gone itself.
#pragma once

#include "jobs/unit.h"
#include "opcodes/backup.h"

namespace flotte::units {

struct BackupRemove {
  using Op = opcodes::BackupRemove;
  struct Facts {
    std::vector<NodeId> nodes;          // that have one
    std::vector<std::string> warnings;  // of those that did not say
  };
  struct Plan {
    std::string name;
    std::vector<NodeId> nodes;
    std::vector<std::string> warnings;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<boost::json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
