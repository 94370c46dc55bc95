// OP_BACKUP_PREPARE: makes the key that an instance is sent to another cluster with, and what is
// said of it there (docs/ganeti.md, "Moves between clusters").
#pragma once

#include "jobs/unit.h"
#include "opcodes/backup.h"

namespace flotte::units {

struct BackupPrepare {
  using Op = opcodes::BackupPrepare;
  struct Facts {
    std::string key_name;
  };
  struct Plan {
    NodeId node;
    std::string node_name;
    std::string address;
    std::string key_name;  // empty: there is nothing to prepare

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<boost::json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
