#include "units/cluster_verify_group.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "jobs/job_context.h"
#include "model/params.h"
#include "units/instance_steps.h"
#include "units/verify_report.h"

namespace flotte::units {
namespace {

constexpr double clock_skew_max_s = 150;

Result<ClusterVerifyGroup::Facts::NodeState> ask_node(model::NodePtr const& node,
                                                      model::Settings const& settings,
                                                      jobs::NodeReader& nodes) {
  ClusterVerifyGroup::Facts::NodeState state{.node = node};
  state.facts = TRY(nodes.ask(*node, rpc::NodeInfo{settings.file_storage_dir}));
  state.running = TRY(nodes.ask(*node, rpc::AllInstancesInfo{settings.enabled_hypervisors}));
  if (!settings.volume_group_name.empty()) {
    state.volumes = TRY(nodes.ask(*node, rpc::NodeVolumes{}));
  }
  if (!settings.file_storage_dir.empty()) {
    state.files = TRY(nodes.ask(*node, rpc::FileStorageList{settings.file_storage_dir}));
  }
  return state;
}

rpc::RunningInstance const* running_on(ClusterVerifyGroup::Facts::NodeState const& state,
                                       std::string const& name) {
  auto const found = std::ranges::find(state.running.instances, name, &rpc::RunningInstance::name);
  return found == state.running.instances.end() ? nullptr : &*found;
}

void verify_nodes(ClusterVerifyGroup::Facts const& facts, VerifyReport& report) {
  for (auto const& state : facts.nodes) {
    if (state.node->offline) {
      report.notice(fmt::format("1 offline node(s) found: {}", state.node->name));
    } else if (state.error) {
      report.error("ENODERPC", "node", state.node->name, state.error->message);
    } else if (std::abs(state.facts.wall_time - facts.now) > clock_skew_max_s) {
      report.error("ENODETIME", "node", state.node->name,
                   fmt::format("Node time diverges by at least {:.1f}s from master node time",
                               std::abs(state.facts.wall_time - facts.now)));
    }
  }
}

void verify_instances(model::Cluster const& cluster, ClusterVerifyGroup::Facts const& facts,
                      VerifyReport& report) {
  for (auto const& instance : cluster.instances_by_name()) {
    for (auto const& state : facts.nodes) {
      if (state.error || state.node->offline) continue;
      auto const* running = running_on(state, instance->name);
      auto const is_primary = state.node->uuid == instance->primary_node;
      auto const wished = instance->admin_state == model::AdminState::Up;
      if (!is_primary && running) {
        report.error("EINSTANCEWRONGNODE", "instance", instance->name,
                     fmt::format("instance should not run on node {}", state.node->name));
      } else if (is_primary && wished && !running) {
        report.error("EINSTANCEDOWN", "instance", instance->name,
                     fmt::format("instance not running on its primary node {}", state.node->name));
      } else if (is_primary && !wished && running && running->state != rpc::RunState::UserDown) {
        report.error("EINSTANCEWRONGNODE", "instance", instance->name,
                     fmt::format("instance runs on {} and should be down", state.node->name));
      }
    }
    auto const missing = facts.missing_disks.find(instance->name);
    if (missing == facts.missing_disks.end()) continue;
    for (auto const index : missing->second) {
      report.error("EINSTANCEMISSINGDISK", "instance", instance->name,
                   fmt::format("couldn't retrieve status for disk/{}: it is not there", index));
    }
  }
  for (auto const& state : facts.nodes) {
    for (auto const& running : state.running.instances) {
      if (!cluster.instance(running.name)) {
        report.error("ENODEORPHANINSTANCE", "node", state.node->name,
                     fmt::format("unknown instance '{}' is running", running.name));
      }
    }
  }
}

void verify_volumes(model::Cluster const& cluster, ClusterVerifyGroup::Facts const& facts,
                    VerifyReport& report) {
  std::set<std::string> known;
  for (auto const& [id, instance] : cluster.instances()) {
    for (auto const& disk : instance->disks) {
      if (disk.logical_id.size() != 2) continue;
      known.insert(disk.dev_type == model::DiskTemplate::Plain
                       ? fmt::format("{}/{}", disk.logical_id[0], disk.logical_id[1])
                       : disk.logical_id[1]);
    }
  }
  auto const& reserved = cluster.settings().reserved_lvs;
  for (auto const& state : facts.nodes) {
    for (auto const& volume : state.volumes.volumes) {
      auto const name = fmt::format("{}/{}", volume.vg, volume.name);
      if (volume.vg != cluster.settings().volume_group_name || known.contains(name) ||
          std::ranges::find(reserved, name) != reserved.end()) {
        continue;
      }
      report.error("ENODEORPHANLV", "node", state.node->name,
                   fmt::format("volume {} is unknown", name));
    }
    for (auto const& file : state.files.files) {
      if (!known.contains(file.path)) {
        report.error("ENODEORPHANLV", "node", state.node->name,
                     fmt::format("disk file {} is unknown", file.path));
      }
    }
  }
}

}  // namespace

Result<jobs::LockSet> ClusterVerifyGroup::locks(Op const& op, model::Cluster const& cluster) {
  auto const group = TRY(cluster.group(op.group_name));
  return jobs::LockSet{jobs::all_shared(jobs::LockLevel::Instance),
                       jobs::shared(jobs::LockLevel::NodeGroup, group->uuid.text()),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<ClusterVerifyGroup::Facts> ClusterVerifyGroup::inspect(Op const& op,
                                                              model::Cluster const& cluster,
                                                              jobs::NodeReader& nodes) {
  auto const group = TRY(cluster.group(op.group_name));
  Facts facts;
  facts.now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count();
  for (auto const& node : cluster.nodes_by_name()) {
    if (node->group != group->uuid) continue;
    Facts::NodeState state{.node = node};
    if (!node->offline) {
      auto asked = ask_node(node, cluster.settings(), nodes);
      if (asked) {
        state = std::move(*asked);
      } else {
        state.error = asked.error();
      }
    }
    auto const answers = !node->offline && !state.error;
    facts.nodes.push_back(std::move(state));
    if (!answers) continue;
    for (auto const& instance : cluster.instances_by_name()) {
      if (instance->primary_node != node->uuid || instance->disks.empty()) continue;
      auto const found = nodes.ask(
          *node, rpc::BlockdevFind{instance->name, disk_specs(cluster.settings(), *instance)});
      if (!found) continue;
      for (std::size_t i = 0; i < found->devices.size(); ++i) {
        if (!found->devices[i]) {
          facts.missing_disks[instance->name].push_back(static_cast<std::int64_t>(i));
        }
      }
    }
  }
  return facts;
}

Result<ClusterVerifyGroup::Plan> ClusterVerifyGroup::plan(Op const& op,
                                                          model::Cluster const& cluster,
                                                          Facts const& facts) {
  auto const group = TRY(cluster.group(op.group_name));
  VerifyReport report(op.error_codes, op.ignore_errors);
  auto const count = facts.nodes.size();
  report.heading(fmt::format("Verifying group '{}'", group->name));
  report.heading(fmt::format("Gathering data ({} nodes)", count));
  report.heading(fmt::format("Gathering information about nodes ({} nodes)", count));
  report.heading(fmt::format("Gathering disk information ({} nodes)", count));
  report.heading("Verifying configuration file consistency");
  report.heading("Verifying node status");
  verify_nodes(facts, report);
  report.heading("Verifying instance status");
  verify_instances(cluster, facts, report);
  report.heading("Verifying orphan volumes");
  verify_volumes(cluster, facts, report);
  report.heading("Verifying N+1 Memory redundancy");
  report.heading("Other Notes");
  report.heading("Hooks Results");
  return Plan{.lines = report.lines(), .is_good = report.is_good()};
}

Result<json::value> ClusterVerifyGroup::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& line : plan.lines) job.log(line);
  return plan.is_good;
}

schema::Fields ClusterVerifyGroup::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::lines>("lines", "What is told."),
      schema::field<&Plan::is_good>("is_good", "Whether nothing was found."),
  };
  return table;
}

}  // namespace flotte::units
