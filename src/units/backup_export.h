// OP_BACKUP_EXPORT: copies what is on an instance's disks into an export. A running instance is
// shut down for the moment in which snapshots are taken, not for the copy.
#pragma once

#include "jobs/unit.h"
#include "opcodes/backup.h"
#include "units/instance_steps.h"

namespace flotte::units {

struct BackupExport {
  using Op = opcodes::BackupExport;
  struct Facts {
    std::optional<rpc::RunningInstance> running;
    rpc::NodeFacts node;
    std::optional<std::string> unknown;  // why nobody can tell whether it would start again
    std::string peer_certificate;        // of another cluster's node that it is sent to
    double now = 0;
  };
  struct Plan {
    InstanceId instance;
    NodeId node;
    rpc::InstanceSpec spec;  // as it is now
    std::string config;      // config.ini
    std::string key_name;    // of what is sent to another cluster; empty: it is not
    std::string peer_certificate;
    std::vector<rpc::PeerDisk> peers;  // where each disk goes
    std::string compress;
    bool stops = false;
    bool restarts = false;
    bool was_wished = false;  // that it runs: where it was stopped and all is undone it does again
    bool activates = false;   // its disks: it doesn't run
    bool leaves_active = false;  // they were before
    std::vector<MiB> snapshots;  // room for what changes meanwhile, of each disk; or none
    bool removes = false;
    bool ignore_failures = false;
    std::int64_t timeout_s = 0;
    std::vector<std::string> warnings;

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);
};

}  // namespace flotte::units
