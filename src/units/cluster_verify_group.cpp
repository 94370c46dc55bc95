#include "units/cluster_verify_group.h"

#include <re2/re2.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <memory>
#include <set>

#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "model/params.h"
#include "model/ssconf.h"
#include "units/hooks.h"
#include "units/instance_steps.h"
#include "units/start_checks.h"
#include "units/verify_report.h"

namespace flotte::units {
namespace {

constexpr double clock_skew_max_s = 150;
constexpr std::int64_t volume_group_mib_min = 20480;

bool skips(opcodes::ClusterVerifyGroup const& op, std::string_view check) {
  return std::ranges::find(op.skip_checks, check) != op.skip_checks.end();
}

bool has_master_ip(model::Settings const& settings) {
  return !settings.master_ip.empty() && !settings.master_netdev.empty();
}

using NodeState = ClusterVerifyGroup::Facts::NodeState;

// The bridges that NICs of its instances are on.
std::set<std::string> used_bridges(model::Cluster const& cluster, model::Node const& node) {
  std::set<std::string> bridges;
  auto const add = [&](json::object const& params) {
    if (model::text_of(params, "mode") == "bridged") bridges.insert(model::text_of(params, "link"));
  };
  auto const& settings = cluster.settings();
  for (auto const& [id, instance] : cluster.instances()) {
    if (instance->primary_node != node.uuid) continue;
    for (auto const& nic : instance->nics) add(model::filled_nicparams(settings, nic));
  }
  return bridges;
}

// And the one that a new NIC would be on, unless told otherwise.
std::vector<std::string> wanted_bridges(model::Cluster const& cluster, model::Node const& node) {
  auto bridges = used_bridges(cluster, node);
  auto const params = model::filled_nicparams(cluster.settings());
  if (model::text_of(params, "mode") == "bridged") bridges.insert(model::text_of(params, "link"));
  return {bridges.begin(), bridges.end()};
}

// NICs of its instances that need more than that a bridge is there: one of each kind.
std::vector<rpc::NicSpec> special_nics(model::Cluster const& cluster, model::Node const& node) {
  std::vector<rpc::NicSpec> specs;
  for (auto const& instance : cluster.instances_by_name()) {
    if (instance->primary_node != node.uuid) continue;
    for (auto const& spec : instance_spec(cluster, *instance).nics) {
      auto const is_plain = model::text_of(spec.params, "mode") == "bridged" &&
                            model::text_of(spec.params, "vlan").empty() &&
                            !model::is_true(spec.params, "antispoof");
      auto const is_known =
          std::ranges::find(specs, spec.params, &rpc::NicSpec::params) != specs.end();
      if (!is_plain && !is_known) specs.push_back(spec);
    }
  }
  return specs;
}

// Whether the node could start its instances, with the parameters of the cluster, of an OS and of
// their own.
void ask_hypervisors(model::Cluster const& cluster, jobs::NodeReader& nodes, NodeState& state) {
  std::set<std::string> asked;
  auto const ask = [&](std::string const& source, rpc::InstanceSpec const& spec) {
    if (!asked.insert(start_shape(spec)).second) return;
    auto const checked = nodes.ask(*state.node, rpc::HypervisorValidate{spec});
    auto& said = checked ? state.hypervisor_warnings : state.hypervisor_faults;
    auto const lines = checked ? checked->warnings : std::vector{checked.error().message};
    for (auto const& line : lines) {
      said.push_back(fmt::format("hypervisor {} parameter verify {} (source {}): {}",
                                 schema::name_of(spec.hypervisor), checked ? "warning" : "failure",
                                 source, line));
    }
  };
  for (auto const& [source, spec] : start_sources(cluster.settings())) ask(source, spec);
  for (auto const& instance : cluster.instances_by_name()) {
    if (instance->primary_node != state.node->uuid) continue;
    ask("instance " + instance->name, device_spec(cluster, *instance));
  }
}

void ask_files(model::Cluster const& cluster, jobs::NodeReader& nodes, NodeState& state) {
  auto const& settings = cluster.settings();
  for (auto const& directory : model::storage_directories(settings)) {
    // A directory that can't be read is a fault of its own.
    if (auto list = nodes.ask(*state.node, rpc::FileStorageList{directory})) {
      for (auto& file : list->files) state.files.push_back(std::move(file));
    }
  }
  for (auto const& instance : cluster.instances_by_name()) {
    // Volumes are told by the list of all volumes.
    if (instance->primary_node != state.node->uuid || instance->disks.empty() ||
        model::is_volume(instance->disk_template)) {
      continue;
    }
    auto found =
        nodes.ask(*state.node, rpc::BlockdevFind{instance->name, disk_specs(cluster, *instance)});
    auto& disks = state.disks[instance->name];
    if (found) {
      disks.found = std::move(found->devices);
    } else {
      disks.error = found.error().message;
    }
  }
}

Result<NodeState> ask_node(model::NodePtr const& node, opcodes::ClusterVerifyGroup const& op,
                           model::Cluster const& cluster, json::object const& ssconf,
                           jobs::NodeReader& nodes) {
  auto const& settings = cluster.settings();
  NodeState state{.node = node};
  state.facts = TRY(nodes.ask(*node, rpc::NodeInfo{settings.file_storage_dir}));
  state.findings = TRY(nodes.ask(
      *node,
      rpc::NodeVerify{
          .bridges = wanted_bridges(cluster, *node),
          .storage_dirs = model::storage_directories(settings),
          .master_ip = node->uuid == settings.master_node && has_master_ip(settings)
                           ? settings.master_ip
                           : "",
          .nics = special_nics(cluster, *node),
          .ssconf = ssconf,
          .oob_program = model::text_of(model::filled_ndparams(cluster, *node), "oob_program")}));
  state.running = nodes.ask(*node, rpc::AllInstancesInfo{settings.enabled_hypervisors});
  state.operating_systems = nodes.ask(*node, rpc::OsDiagnose{});
  if (!settings.volume_group_name.empty()) {
    state.volumes = nodes.ask(*node, rpc::NodeVolumes{});
  }
  ask_files(cluster, nodes, state);
  if (!skips(op, "hvparam_assessment")) ask_hypervisors(cluster, nodes, state);
  return state;
}

rpc::RunningInstance const* running_on(NodeState const& state, std::string const& name) {
  if (!state.running) return nullptr;
  auto const& all = state.running->instances;
  auto const found = std::ranges::find(all, name, &rpc::RunningInstance::name);
  return found == all.end() ? nullptr : &*found;
}

bool can_tell(NodeState const& state) {
  return !state.error && !state.node->offline;
}

// --- One node

void verify_time(NodeState const& state, double now, VerifyReport& report) {
  auto const difference = std::abs(state.facts.wall_time - now);
  report.error_if(
      difference > clock_skew_max_s, "ENODETIME", state.node->name,
      fmt::format("Node time diverges by at least {:.1f}s from master node time", difference));
}

void verify_storage(model::Settings const& settings, NodeState const& state, VerifyReport& report) {
  auto const& name = state.node->name;
  auto const& forbidden = state.findings.forbidden_storage_paths;
  report.error_if(
      !forbidden.empty(), "ENODEFILESTORAGEPATHS", name,
      fmt::format("Found forbidden file storage paths: {}", fmt::join(forbidden, ", ")));
  for (auto const& [path, fault, is_missing] : state.findings.storage_faults) {
    auto const is_shared = path != settings.file_storage_dir;
    report.error(is_shared ? "ENODESHAREDFILESTORAGEPATHUNUSABLE" : "ENODEFILESTORAGEPATHUNUSABLE",
                 name,
                 fmt::format("The configured {} storage path is unusable: {}",
                             is_shared ? "sharedfile" : "file", fault));
  }
}

void verify_oob(NodeState const& state, VerifyReport& report) {
  auto const& fault = state.findings.oob_fault;
  report.error_if(!fault.empty(), "ENODEOOBPATH", state.node->name, fault);
}

void verify_lvm(model::Settings const& settings, NodeState const& state, VerifyReport& report) {
  auto const& wanted = settings.volume_group_name;
  if (wanted.empty()) return;
  auto const& name = state.node->name;
  if (!state.volumes) {
    report.error("ENODELVM", name,
                 fmt::format("LVM problem on node: {}", state.volumes.error().message));
    return;
  }
  auto const& groups = state.facts.volume_groups;
  auto const group = std::ranges::find(groups, wanted, &rpc::VolumeGroup::name);
  auto const is_there = group != groups.end();
  report.error_if(!is_there, "ENODELVM", name, fmt::format("volume group '{}' missing", wanted));
  auto const size = is_there ? group->size.value : 0;
  // A small one works, until it is full.
  report.error_if(is_there && size < volume_group_mib_min, "ENODELVM", name,
                  fmt::format("volume group '{}' too small ({} MiB required, {} MiB found)", wanted,
                              volume_group_mib_min, size),
                  Severity::Warning);
}

void verify_files(NodeState const& state, VerifyReport& report) {
  for (auto const& [path, fault, is_missing] : state.findings.file_faults) {
    if (is_missing) {
      report.error("ECLUSTERFILECHECK", "",
                   fmt::format("File {} is missing from node(s) {}", path, state.node->name));
    } else {
      report.error("ENODEFILECHECK", state.node->name, fmt::format("File {} {}", path, fault));
    }
  }
}

void verify_operating_systems(NodeState const& state, VerifyReport& report) {
  report.error_if(!state.operating_systems, "ENODEOS", state.node->name,
                  "node hasn't returned valid OS data");
  if (!state.operating_systems) return;
  for (auto const& os : state.operating_systems->definitions) {
    if (os.diagnose.empty()) continue;
    report.error("ENODEOS", state.node->name,
                 fmt::format("Invalid OS {} (located at {}): {}", os.name, os.path, os.diagnose));
  }
}

void verify_filters(rpc::RunningInstance const& running, VerifyReport& report) {
  for (auto const& nic : running.nics) {
    report.error_if(nic.lacks_filter, "ENODENET", running.name,
                    fmt::format("the anti-spoofing rules of {} are gone: what the guest sends is "
                                "not checked; the node daemon's log says why they don't come back",
                                nic.tap));
  }
}

void verify_guests(model::Cluster const& cluster, NodeState const& state, VerifyReport& report) {
  auto const& name = state.node->name;
  if (!state.running) {
    report.error(
        "ENODEHV", name,
        fmt::format("rpc call to node failed (instancelist): {}", state.running.error().message));
    return;
  }
  for (auto const& running : state.running->instances) {
    verify_filters(running, report);
    auto const instance = cluster.instance(running.name);
    if (!instance || (*instance)->name != running.name) {
      report.error("ENODEORPHANINSTANCE", name,
                   fmt::format("node is running unknown instance {}", running.name));
    } else if ((*instance)->primary_node != state.node->uuid) {
      report.error("EINSTANCEWRONGNODE", running.name,
                   fmt::format("instance should not run on node {}", name));
    }
  }
  // What guests that aren't there have left; one line an instance.
  std::map<std::string, std::vector<std::string>> strays;
  for (auto const& [path, owner] : state.findings.run_files) {
    auto const instance = cluster.instance(owner);
    auto const is_here =
        instance && (*instance)->name == owner && (*instance)->primary_node == state.node->uuid;
    if (!is_here && !running_on(state, owner)) strays[owner].push_back(path);
  }
  for (auto const& [owner, files] : strays) {
    report.warning("ENODEORPHANINSTANCE", name,
                   fmt::format("stray files of instance {}, which is not on this node: {}", owner,
                               fmt::join(files, ", ")));
  }
}

// A default that nothing uses is no fault: `init` chooses one without looking at the node.
void verify_bridges(model::Cluster const& cluster, NodeState const& state, VerifyReport& report) {
  auto const used = used_bridges(cluster, *state.node);
  std::vector<std::string> missing;
  for (auto const& bridge : state.findings.missing_bridges) {
    if (used.contains(bridge)) {
      missing.push_back(bridge);
    } else {
      report.warning("ENODENET", state.node->name,
                     fmt::format("missing bridge of NICs without a link of their own: {}", bridge));
    }
  }
  report.error_if(!missing.empty(), "ENODENET", state.node->name,
                  fmt::format("missing bridges: {}", fmt::join(missing, ", ")));
  for (auto const& fault : state.findings.nic_faults) {
    report.error("ENODENET", state.node->name, fault);
  }
}

void verify_node(model::Cluster const& cluster, NodeState const& state, double now,
                 VerifyReport& report) {
  auto const& settings = cluster.settings();
  auto const& name = state.node->name;
  report.error_if(
      state.error.has_value(), "ENODERPC", name,
      fmt::format("while contacting node: {}", state.error ? state.error->message : std::string()));
  if (state.error) return;
  for (auto const& fault : state.hypervisor_faults) report.error("ENODEHV", name, fault);
  for (auto const& warning : state.hypervisor_warnings) report.warning("ENODEHV", name, warning);
  verify_time(state, now, report);
  report.error_if(!state.findings.has_master_ip, "ENODENET", name,
                  "the master node cannot reach the master IP (not configured?)");
  verify_storage(settings, state, report);
  verify_lvm(settings, state, report);
  verify_oob(state, report);
  verify_operating_systems(state, report);
  verify_bridges(cluster, state, report);
  verify_guests(cluster, state, report);
}

std::string_view role_of(model::Settings const& settings, model::Node const& node) {
  if (node.uuid == settings.master_node) return "master";
  if (node.master_candidate) return "master candidate";
  return node.drained ? "drained" : "regular";
}

// --- One instance

// A disk as it was found.
struct FoundDisk {
  MiB size;   // 0: unknown
  MiB extra;  // that it may be larger than configured
  std::string fault;
  std::optional<MiB> unwiped;  // from there on
};

std::optional<FoundDisk> found_volume(NodeState const& state, model::Disk const& disk) {
  auto const& all = state.volumes->volumes;
  auto const found = std::ranges::find_if(all, [&](rpc::Volume const& volume) {
    return disk.logical_id.size() == 2 && volume.vg == disk.logical_id[0] &&
           volume.name == disk.logical_id[1];
  });
  if (found == all.end()) return std::nullopt;
  auto const& groups = state.facts.volume_groups;
  auto const group = std::ranges::find(groups, found->vg, &rpc::VolumeGroup::name);
  auto const extent = group == groups.end() ? MiB{0} : group->extent;
  return FoundDisk{.size = found->size,
                   .extra = {std::max<std::int64_t>(extent.value - 1, 0)},
                   .fault = found->fault,
                   .unwiped = found->unwiped};
}

void verify_disk(model::Instance const& instance, std::size_t index, NodeState const& state,
                 std::optional<FoundDisk> const& found, VerifyReport& report) {
  auto const& disk = instance.disks[index];
  auto const& node = state.node->name;
  auto const is_plain = model::is_volume(disk.dev_type);
  auto const id = is_plain                  ? fmt::format("{}", fmt::join(disk.logical_id, "/"))
                  : disk.logical_id.empty() ? std::string()
                                            : disk.logical_id.back();
  report.error_if(!found, "EINSTANCEMISSINGDISK", instance.name,
                  fmt::format("{} {} missing on node {}", is_plain ? "volume" : "file", id, node));
  report.error_if(!found && instance.disks_active, "EINSTANCEFAULTYDISK", instance.name,
                  fmt::format("couldn't retrieve status for disk/{} on {}: Can't find device {}",
                              index, node, id));
  if (!found) return;
  report.error_if(!found->fault.empty(), "EINSTANCEFAULTYDISK", instance.name,
                  fmt::format("disk/{} on {}: volume {} {}", index, node, id, found->fault));
  // No job is at it: a check holds the locks of all instances.
  if (found->unwiped && found->unwiped->value == 0) {
    report.error(
        "EINSTANCEFAULTYDISK", instance.name,
        fmt::format("disk/{} on {} was never wiped, and nobody gets it; remove it and make "
                    "it anew",
                    index, node));
  } else if (found->unwiped) {
    report.warning("EINSTANCEFAULTYDISK", instance.name,
                   fmt::format("disk/{} on {} has grown from {} MiB on and was not wiped there; "
                               "that is given back when it is activated next",
                               index, node, found->unwiped->value));
  }
  if (found->size.value == 0) return;
  auto const is_as_configured = found->size >= disk.size && found->size <= disk.size + found->extra;
  // A disk that is larger than it should be does no harm.
  report.error_if(
      !is_as_configured, "EINSTANCEFAULTYDISK", instance.name,
      fmt::format("disk/{} on {} has mismatched size: recorded {}, actual {}; 'gnt-cluster "
                  "repair-disk-sizes {}' records the actual one",
                  index, node, disk.size.value, found->size.value, instance.name),
      found->size < disk.size ? Severity::Error : Severity::Warning);
}

void verify_disks(model::Instance const& instance, NodeState const& state, VerifyReport& report) {
  if (!can_tell(state)) return;
  if (model::is_volume(instance.disk_template)) {
    if (!state.volumes || !state.is_lvm_asked) return;
    for (std::size_t i = 0; i < instance.disks.size(); ++i) {
      verify_disk(instance, i, state, found_volume(state, instance.disks[i]), report);
    }
    return;
  }
  auto const known = state.disks.find(instance.name);
  if (known == state.disks.end()) return;
  auto const& [found, error] = known->second;
  for (std::size_t i = 0; i < instance.disks.size(); ++i) {
    if (!error.empty()) {
      report.error("EINSTANCEFAULTYDISK", instance.name,
                   fmt::format("couldn't retrieve status for disk/{} on {}: {}", i,
                               state.node->name, error));
    } else if (i < found.size()) {
      auto const disk =
          found[i] ? std::optional(FoundDisk{.size = found[i]->size, .unwiped = found[i]->unwiped})
                   : std::nullopt;
      verify_disk(instance, i, state, disk, report);
    }
  }
}

void verify_instance(model::Cluster const& cluster, model::Instance const& instance,
                     NodeState const& state, VerifyReport& report) {
  auto const& settings = cluster.settings();
  auto const& node = state.node->name;
  auto const violations =
      model::policy_violations(model::filled_ipolicy(cluster, instance.primary_node), instance,
                               model::filled_beparams(settings, instance));
  report.error_if(!violations.empty(), "EINSTANCEPOLICY", instance.name,
                  fmt::format("{}", fmt::join(violations, ", ")), Severity::Warning);
  auto const is_wished = instance.admin_state == model::AdminState::Up;
  if (state.node->offline) {
    report.error_if(
        is_wished, "EINSTANCEBADNODE", instance.name,
        fmt::format("instance is marked as running and lives on offline node {}", node));
    return;
  }
  if (state.error) {
    report.error("ENODERPC", node,
                 fmt::format("instance {}, connection to primary node failed", instance.name));
    return;
  }
  verify_disks(instance, state, report);
  if (!state.running) return;
  auto const* running = running_on(state, instance.name);
  if (is_wished) {
    report.error_if(!running, "EINSTANCEDOWN", instance.name,
                    fmt::format("instance not running on its primary node {}", node));
  } else {
    report.error_if(running && running->state != rpc::RunState::UserDown, "EINSTANCEWRONGNODE",
                    instance.name, fmt::format("instance runs on {} and should be down", node));
  }
}

void verify_instances(model::Cluster const& cluster, ClusterVerifyGroup::Facts const& facts,
                      VerifyReport& report) {
  for (auto const& instance : cluster.instances_by_name()) {
    for (auto const& state : facts.nodes) {
      if (state.node->uuid != instance->primary_node) continue;
      report.detail(fmt::format("Verifying instance {}", instance->name));
      verify_instance(cluster, *instance, state, report);
    }
  }
}

// --- What belongs to nobody

class Reserved {
 public:
  explicit Reserved(std::vector<std::string> const& patterns) {
    for (auto const& pattern : patterns)
      patterns_.push_back(std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet));
  }
  bool matches(std::string const& volume) const {
    return std::ranges::any_of(patterns_, [&](auto const& pattern) {
      return pattern->ok() ? re2::RE2::FullMatch(volume, *pattern) : pattern->pattern() == volume;
    });
  }

 private:
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
};

void verify_orphans(model::Cluster const& cluster, ClusterVerifyGroup::Facts const& facts,
                    VerifyReport& report) {
  std::set<std::string> known;
  auto const know = [&](model::Disk const& disk) {
    if (disk.logical_id.size() != 2) return;
    known.insert(model::is_volume(disk.dev_type)
                     ? fmt::format("{}/{}", disk.logical_id[0], disk.logical_id[1])
                     : disk.logical_id[1]);
  };
  for (auto const& [id, instance] : cluster.instances()) {
    for (auto const& disk : instance->disks) know(disk);
  }
  for (auto const& [id, detached] : cluster.detached_disks()) know(detached->disk);
  auto const& settings = cluster.settings();
  Reserved const reserved(settings.reserved_lvs);
  for (auto const& state : facts.nodes) {
    if (!can_tell(state)) continue;
    std::set<std::string> orphans;
    if (state.volumes) {
      for (auto const& volume : state.volumes->volumes) {
        auto const name = fmt::format("{}/{}", volume.vg, volume.name);
        if (volume.vg == settings.volume_group_name && !volume.is_hidden && !known.contains(name) &&
            !reserved.matches(name)) {
          orphans.insert(name);
        }
      }
    }
    for (auto const& name : orphans) {
      report.warning("ENODEORPHANLV", state.node->name, fmt::format("volume {} is unknown", name));
    }
    for (auto const& file : state.files) {
      if (known.contains(file.path)) continue;
      report.warning("ENODEORPHANLV", state.node->name,
                     fmt::format("disk file {} is unknown", file.path));
    }
  }
}

// A script that fails has found something.
void verify_hooks(std::string const& node, Result<rpc::HookResults> const& answer,
                  VerifyReport& report) {
  if (!answer) {
    return report.error(
        "ENODEHOOKS", node,
        fmt::format("Communication failure in hooks execution: {}", answer.error().message));
  }
  for (auto const& [script, outcome, output] : answer->results) {
    if (outcome != rpc::HookOutcome::Failed) continue;
    report.error("ENODEHOOKS", node, fmt::format("Script {} failed, output:", script));
    report.quote(output);
  }
}

std::size_t count(auto const& range, auto const& condition) {
  return static_cast<std::size_t>(std::ranges::count_if(range, condition));
}

void tell_notes(model::Cluster const& cluster, ClusterVerifyGroup::Facts const& facts,
                VerifyReport& report) {
  std::vector<model::InstancePtr> instances;
  for (auto const& instance : cluster.instances_by_name()) {
    for (auto const& state : facts.nodes) {
      if (state.node->uuid == instance->primary_node) instances.push_back(instance);
    }
  }
  auto const note = [&](std::size_t number, std::string_view what) {
    if (number > 0) report.notice(fmt::format("{} {} found.", number, what));
  };
  note(count(instances,
             [](model::InstancePtr const& instance) {
               auto const& traits = model::traits_of(instance->disk_template);
               return (traits.storage == model::DiskStorage::Volume ||
                       traits.storage == model::DiskStorage::File) &&
                      !traits.is_shared;
             }),
       "non-redundant instance(s)");
  note(count(instances,
             [&](model::InstancePtr const& instance) {
               return !model::is_true(model::filled_beparams(cluster.settings(), *instance),
                                      "auto_balance");
             }),
       "non-auto-balanced instance(s)");
  note(count(instances,
             [](model::InstancePtr const& instance) {
               return instance->admin_state == model::AdminState::Offline;
             }),
       "offline instance(s)");
  note(count(facts.nodes, [](NodeState const& state) { return state.node->offline; }),
       "offline node(s)");
  note(count(facts.nodes, [](NodeState const& state) { return state.node->drained; }),
       "drained node(s)");
}

}  // namespace

Result<jobs::LockSet> ClusterVerifyGroup::locks(Op const& op, model::Cluster const& cluster) {
  TRY(cluster.group(op.group_name));
  // All that is in ssconf stands still meanwhile.
  return jobs::LockSet{jobs::shared(jobs::LockLevel::Cluster, "settings"),
                       jobs::all_shared(jobs::LockLevel::Instance),
                       jobs::all_shared(jobs::LockLevel::NodeGroup),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<ClusterVerifyGroup::Facts> ClusterVerifyGroup::inspect(Op const& op,
                                                              model::Cluster const& cluster,
                                                              jobs::NodeReader& nodes) {
  auto const group = TRY(cluster.group(op.group_name));
  Facts facts;
  auto const ssconf = model::ssconf(cluster);
  nodes.wait_for_ssconf();
  auto const is_elsewhere = [&](model::NodePtr const& node) { return node->group != group->uuid; };
  auto to_ask = cluster.online_nodes();
  std::erase_if(to_ask, is_elsewhere);
  auto asked = nodes.at_each(to_ask, [&](model::NodePtr const& node) {
    return ask_node(node, op, cluster, ssconf, nodes);
  });
  for (auto const& node : cluster.nodes_by_name()) {
    if (is_elsewhere(node)) continue;
    NodeState state{.node = node};
    auto const answer = asked.find(node->uuid);
    if (answer != asked.end() && answer->second) state = *std::move(answer->second);
    if (answer != asked.end() && !answer->second) state.error = answer->second.error();
    state.is_lvm_asked = !cluster.settings().volume_group_name.empty();
    facts.nodes.push_back(std::move(state));
  }
  facts.now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count();
  return facts;
}

Result<ClusterVerifyGroup::Plan> ClusterVerifyGroup::plan(Op const& op,
                                                          model::Cluster const& cluster,
                                                          Facts const& facts) {
  TRY(check_choices(op));
  auto const group = TRY(cluster.group(op.group_name));
  VerifyReport report(verify_options(op));
  auto const nodes = facts.nodes.size();
  report.heading(fmt::format("Verifying group '{}'", group->name));
  if (facts.nodes.empty()) {
    report.heading("Empty node group, skipping verification");
    return Plan{.lines = report.lines(), .has_nodes = false};
  }
  report.heading(fmt::format("Gathering data ({} nodes)", nodes));
  report.heading(fmt::format("Gathering information about nodes ({} nodes)", nodes));
  report.heading(fmt::format("Gathering disk information ({} nodes)", nodes));
  report.heading("Verifying configuration file consistency");
  for (auto const& state : facts.nodes) verify_files(state, report);
  report.heading("Verifying node status");
  for (auto const& state : facts.nodes) {
    if (state.node->offline) {
      report.detail(fmt::format("Skipping offline node {}", state.node->name));
      continue;
    }
    report.detail(fmt::format("Verifying node {} ({})", state.node->name,
                              role_of(cluster.settings(), *state.node)));
    verify_node(cluster, state, facts.now, report);
  }
  report.heading("Verifying instance status");
  verify_instances(cluster, facts, report);
  report.heading("Verifying orphan volumes");
  verify_orphans(cluster, facts, report);
  // Instances with a second node are not built yet: no node must take over from another.
  if (!skips(op, "nplusone_mem")) report.heading("Verifying N+1 Memory redundancy");
  report.heading("Other Notes");
  tell_notes(cluster, facts, report);
  return Plan{.lines = report.lines(),
              .is_good = report.is_good(),
              .error_codes = op.error_codes,
              .ignore_errors = op.ignore_errors};
}

Result<jobs::Hooks> ClusterVerifyGroup::hooks(Op const& op, model::Cluster const& cluster,
                                              Plan const&) {
  auto const group = TRY(cluster.group(op.group_name));
  auto const& tags = cluster.settings().tags;
  auto hooks = cluster_hooks("cluster-verify", cluster,
                             {{"CLUSTER_TAGS", fmt::format("{}", fmt::join(tags, " "))}});
  hooks.pre_nodes.clear();
  hooks.post_nodes.clear();
  for (auto const& node : cluster.nodes_by_name()) {
    if (node->group != group->uuid) continue;
    hooks.post_nodes.push_back(node->uuid);
    hooks.variables["NODE_TAGS_" + node->name] = fmt::format("{}", fmt::join(node->tags, " "));
  }
  return hooks;
}

Result<json::value> ClusterVerifyGroup::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& line : plan.lines) job.log(line);
  if (!plan.has_nodes) return plan.is_good;
  VerifyReport report({.error_codes = plan.error_codes, .ignored = plan.ignore_errors});
  auto const answers = job.run_post_hooks();
  report.heading("Hooks Results");
  for (auto const& [node, answer] : answers) verify_hooks(node, answer, report);
  for (auto const& line : report.lines()) job.log(line);
  return plan.is_good && report.is_good();
}

schema::Fields ClusterVerifyGroup::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::lines>("lines", "What is told."),
      schema::field<&Plan::is_good>("is_good", "Whether nothing was found."),
      schema::field<&Plan::has_nodes>("has_nodes", "Whether there was anything to verify."),
      schema::field<&Plan::error_codes>("error_codes", "Tells codes of what hooks find."),
      schema::field<&Plan::ignore_errors>("ignore_errors", "Codes that count as warnings."),
  };
  return table;
}

}  // namespace flotte::units
