// What several units do to an instance in the same way: describe it to a node, activate its disks,
// start it, stop it.
#pragma once

#include "jobs/job_context.h"
#include "jobs/unit.h"
#include "model/params.h"
#include "rpc/node_calls.h"

namespace flotte::units {

namespace json = boost::json;

// Parameters for one start only (`gnt-instance startup -H …`).
struct Overrides {
  json::object hvparams;
  json::object beparams;
};

// With the disk parameters of its primary node's group.
rpc::DiskSpec disk_spec(model::Cluster const& cluster, model::Instance const& instance,
                        std::size_t index);
std::vector<rpc::DiskSpec> disk_specs(model::Cluster const& cluster,
                                      model::Instance const& instance);
// "UUID (name)", as Ganeti names a group.
std::string group_title(model::Cluster const& cluster, NodeId const& node);
// Everything a node must know to install or boot the instance.
rpc::InstanceSpec instance_spec(model::Cluster const& cluster, model::Instance const& instance,
                                Overrides const& overrides = {});

// Its space is there, undone if the job fails. Where it `wipes`, nobody gets it before wipe_disk().
Result<void> create_disk(jobs::JobContext& job, NodeId const& node, std::string const& instance,
                         rpc::DiskSpec const& disk, bool wipes);
// Overwrites what is new of it, "(from 1.0G to 2.0G)" or all.
Result<void> wipe_disk(jobs::JobContext& job, NodeId const& node, std::string const& instance,
                       rpc::DiskSpec const& disk, std::string const& part = "");

// The disks are usable on the node and fenced by the spec's epoch; undone if the job fails.
Result<void> activate_disks(jobs::JobContext& job, NodeId const& node,
                            rpc::InstanceSpec const& spec);
Result<void> deactivate_disks(jobs::JobContext& job, NodeId const& node,
                              rpc::InstanceSpec const& spec);

// A start waits for QEMU to open its disks.
constexpr std::chrono::seconds start_timeout{120};
// Disks, then QEMU; a failed start leaves neither.
Result<void> start_instance(jobs::JobContext& job, NodeId const& node,
                            rpc::InstanceSpec const& spec, bool startup_paused);
// The undo of a change of its configuration: as it is now. None when it is gone already: apply() is
// run again after it removed it.
jobs::Undo put_back(jobs::JobContext& job, InstanceId const& id);
// The wish that it be down; taken back if the job fails before keep(). `source`: whose wish it is,
// where that is known.
Result<void> record_down(jobs::JobContext& job, InstanceId const& id,
                         std::optional<model::AdminStateSource> source);
// ACPI, the plug after the timeout; its disks stay active.
Result<void> shut_down(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                       std::int64_t timeout_s, std::optional<jobs::Undo> undo = {});
// The same, then the disks.
Result<void> stop_instance(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                           std::int64_t timeout_s);

// The epoch of the next start of one that was stopped for it. Not before it is: one that does not
// stop goes on with the epoch that it was started with, and its disks must not get a later one.
Result<void> record_next_start(jobs::JobContext& job, InstanceId const& id, std::int64_t epoch,
                               std::optional<jobs::Undo> undo = {});
// It is no longer configured.
Result<void> forget_instance(jobs::JobContext& job, InstanceId const& id);
// Its disks are gone. With `ignore_failures` one that stays behind is named and the rest goes on.
Result<void> remove_disks(jobs::JobContext& job, NodeId const& node, rpc::InstanceSpec const& spec,
                          bool ignore_failures);
// A failure that is only warned of, where failures are ignored.
Result<void> tolerate(Result<void> const& result, bool ignore_failures, std::string_view what,
                      jobs::JobContext& job);

// The same with both sides exchanged; `epoch` is the one before.
rpc::BlockdevRename undo_of(rpc::BlockdevRename call, std::int64_t epoch);

// What runs on the instance's primary node under its name; null when it doesn't run.
Result<std::optional<rpc::RunningInstance>> find_running(model::Cluster const& cluster,
                                                         model::Instance const& instance,
                                                         jobs::NodeReader& nodes);

// "Instance 'web1' is marked to be offline, ...", for what starts or stops it.
Result<void> check_online(model::Instance const& instance);
// "Instance 'web1' is marked to be up, cannot rename", for what needs one that is stopped: by wish
// and in truth.
Result<void> check_not_running(model::Instance const& instance, bool is_running,
                               std::string_view what);
// The same, and it isn't marked offline either.
Result<void> check_down(model::Instance const& instance, bool is_running, std::string_view what);

// "Primary node n1 is offline", for what needs the node.
Result<model::NodePtr> online_primary(model::Cluster const& cluster,
                                      model::Instance const& instance);

// What is copied may be compressed by what the cluster allows.
Result<void> check_compression(model::Settings const& settings, std::string const& tool);

// Whether the node can connect them.
Result<void> check_nics_on(model::Node const& node, std::vector<rpc::NicSpec> const& nics,
                           jobs::NodeReader& nodes);

// Its primary node can connect its NICs: prerequisite of every start.
Result<void> check_nics(model::Cluster const& cluster, model::Instance const& instance,
                        jobs::NodeReader& nodes);

// "Not enough disk space on target node n1 ...": that those which are volumes find room.
Result<void> check_volume_space(std::vector<rpc::DiskSpec> const& disks, model::Node const& node,
                                rpc::NodeFacts const& facts);

// "Not enough memory on node n1 ...": prerequisite of every start.
Result<void> check_memory(model::Node const& node, rpc::NodeFacts const& facts,
                          rpc::InstanceSpec const& spec, std::string_view reason);

}  // namespace flotte::units
