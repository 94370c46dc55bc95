#include "units/instance_create.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/lookup.h"
#include "base/paths.h"
#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"
#include "placement/placement.h"
#include "store/config_store.h"
#include "units/devices.h"
#include "units/hooks.h"
#include "units/instance_names.h"
#include "units/instance_steps.h"
#include "units/os_names.h"
#include "units/remote_transfer.h"
#include "units/start_checks.h"
#include "units/tags.h"

namespace flotte::units {
namespace {

// An OS script may take a day, as Ganeti's.
constexpr std::chrono::hours os_timeout{24};
// Of another cluster, beside what its shutdown may take.
constexpr std::chrono::seconds connect_timeout{180};

bool adopts(json::object const& disk) {
  return disk.contains("adopt");
}

// Of what is imported: a shell completes "web1" to "web1/".
std::string source_of(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

// Whose export lies there, however it is named; a directory elsewhere is nobody's.
std::optional<std::string> export_at(std::string const& source) {
  if (!source.starts_with('/')) return source;
  auto const path = std::filesystem::path(source).lexically_normal();
  if (!path.parent_path().string().ends_with(Paths().exports())) return std::nullopt;
  return path.filename().string();
}

// Everything that plan() works out, in the order in which it is worked out.
Result<void> check_nic_count(opcodes::InstanceCreate const& op) {
  if (op.nics.size() <= nics_max) return {};
  return fail(ErrorCode::WrongInput, "An instance has at most {} NICs", nics_max);
}

class Planner {
 public:
  Planner(opcodes::InstanceCreate const& op, model::Cluster const& cluster,
          InstanceCreate::Facts const& facts)
      : op_(op),
        cluster_(cluster),
        settings_(cluster.settings()),
        facts_(facts),
        secret_(op.osparams_secret.value_or(json::object())),
        random_(static_cast<std::uint64_t>(facts.seed)),
        maker_(cluster, random_, {.drawn = facts.drawn, .checks_conflicts = op.conflicts_check}) {}

  Result<InstanceCreate::Plan> plan() {
    TRY(disk_template());
    TRY(adoption_asked());
    TRY(identity());
    TRY(parameters());
    TRY(adoption());
    TRY(disks());
    TRY(nics());
    TRY(placement());
    TRY(operating_system());
    InstanceCreate::Plan plan;
    TRY(imports(plan));
    plan.starts = op_.start;
    plan.installs = installs_;
    plan.wipes = settings_.prealloc_wipe_disks && adopted_.empty();
    plan.adopted = adopted_;
    plan.force_variant = op_.force_variant;
    plan.ignores_secondary = op_.snode.has_value();
    for (auto const& [id, error] : facts_.left_out) {
      auto const node = TRY(cluster_.node(NodeId(id)));
      plan.warnings.push_back(fmt::format("Node {} is left out: {}", node->name, error.message));
    }
    plan.warnings.insert(plan.warnings.end(), facts_.warnings.begin(), facts_.warnings.end());
    plan.notes = maker_.take_notes();
    plan.spec = instance_spec(cluster_, instance_);
    plan.spec.osparams = os_parameters();
    plan.instance = std::move(instance_);
    return plan;
  }

 private:
  Result<void> identity() {
    if (op_.mode != "create" && !is_import()) {
      return fail(ErrorCode::WrongInput, "Invalid instance creation mode '{}'", op_.mode);
    }
    if (op_.forthcoming || op_.commit) {
      return fail(ErrorCode::WrongInput, "Forthcoming instances are not built yet");
    }
    if (!op_.tags.empty()) TRY(check_tags(op_.tags));
    instance_.name = TRY(free_name(op_.instance_name, facts_.resolved, cluster_));
    instance_.uuid = InstanceId(random_.uuid());
    instance_.ctime = instance_.mtime = facts_.now;
    instance_.tags = kept_tags(op_.tags);
    instance_.os = op_.os_type.value_or("");
    return {};
  }

  Result<void> parameters() {
    if (settings_.enabled_hypervisors.empty()) {
      return fail(ErrorCode::WrongState, "The cluster has no enabled hypervisor");
    }
    instance_.hypervisor = op_.hypervisor.value_or(settings_.enabled_hypervisors.front());
    if (std::ranges::find(settings_.enabled_hypervisors, instance_.hypervisor) ==
        settings_.enabled_hypervisors.end()) {
      std::vector<std::string_view> names;
      for (auto const kind : settings_.enabled_hypervisors) names.push_back(schema::name_of(kind));
      return fail(ErrorCode::WrongState, "Selected hypervisor ({}) not enabled in the cluster ({})",
                  schema::name_of(instance_.hypervisor), fmt::join(names, ","));
    }
    instance_.hvparams = TRY(model::enforce_hypervisor(instance_.hypervisor, op_.hvparams));
    TRY(model::check_not_global(instance_.hvparams));
    TRY(model::check_hypervisor(instance_.hypervisor,
                                model::filled_hvparams(settings_, instance_)));
    instance_.beparams = TRY(model::enforce_backend(op_.beparams));
    instance_.osparams = op_.osparams;
    instance_.osparams_private = op_.osparams_private.value_or(json::object());
    TRY(check_given_once(instance_.osparams, instance_.osparams_private, secret_));
    auto const filled = model::filled_beparams(settings_, instance_);
    if (model::number_of(filled, "minmem") > model::number_of(filled, "maxmem")) {
      return fail(ErrorCode::WrongInput, "minmem ({} MiB) must not be larger than maxmem ({} MiB)",
                  model::number_of(filled, "minmem"), model::number_of(filled, "maxmem"));
    }
    return {};
  }

  Result<void> disk_template() {
    if (!op_.disk_template && settings_.enabled_disk_templates.empty()) {
      return fail(ErrorCode::WrongState, "The cluster has no enabled disk template");
    }
    auto const wanted = op_.disk_template.value_or(settings_.enabled_disk_templates.front());
    instance_.disk_template = wanted;
    auto const& enabled = settings_.enabled_disk_templates;
    if (std::ranges::find(enabled, wanted) == enabled.end()) {
      std::vector<std::string_view> names;
      for (auto const kind : enabled) names.push_back(schema::name_of(kind));
      return fail(ErrorCode::None,
                  "Disk template '{}' is not enabled in cluster. Enabled disk templates are: {}; "
                  "'gnt-cluster modify --enabled-disk-templates' changes that",
                  schema::name_of(wanted), fmt::join(names, ","));
    }
    if (!model::traits_of(wanted).is_built) {
      return fail(ErrorCode::WrongInput, "Disk template '{}' is not built yet",
                  schema::name_of(wanted));
    }
    if (!model::has_disks(wanted) && !op_.disks.empty()) {
      return fail(ErrorCode::WrongInput, "Diskless instances can't have disks");
    }
    if (op_.disks.size() > disks_max) {
      return fail(ErrorCode::WrongInput, "An instance has at most {} disks", disks_max);
    }
    return {};
  }

  std::size_t adopted_count() const {
    return static_cast<std::size_t>(std::ranges::count_if(op_.disks, adopts));
  }

  // All disks or none.
  Result<void> adoption_asked() const {
    auto const count = adopted_count();
    if (count == 0) return {};
    if (count != op_.disks.size()) {
      return fail(ErrorCode::WrongInput, "Either all disks are adopted or none is");
    }
    if (model::traits_of(instance_.disk_template).is_adoptable) return {};
    return fail(ErrorCode::WrongInput,
                "Disk adoption is not supported for the '{}' disk template; use -t plain",
                schema::name_of(instance_.disk_template));
  }

  // Volumes that are there, on one node, of nobody, closed.
  Result<void> adoption() {
    if (adopted_count() == 0) return {};
    std::vector<std::pair<std::string, std::string>> wanted;
    for (auto const& given : op_.disks) wanted.push_back(TRY(volume_in(given)));
    auto sorted = wanted;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) {
      return fail(ErrorCode::WrongInput, "Duplicate volume names given for adoption");
    }
    TRY(find_volumes(wanted));
    for (auto const& volume : adopted_) TRY(check_nobody_uses(volume));
    return {};
  }

  Result<std::pair<std::string, std::string>> volume_in(json::object const& given) const {
    auto const vg = text_in(given, "vg").value_or(settings_.volume_group_name);
    auto const name = text_in(given, "adopt").value_or("");
    if (vg.empty()) {
      return fail(ErrorCode::WrongInput, "The cluster has no volume group; name one with vg=…");
    }
    if (name.empty()) return fail(ErrorCode::WrongInput, "adopt= wants the name of a volume");
    // The command's way to say that there is none.
    if (auto const* size = given.if_contains("size"); size && *size != 0) {
      return fail(ErrorCode::WrongInput,
                  "Only one of 'size' and 'adopt' allowed: {}/{} has its "
                  "size already",
                  vg, name);
    }
    return std::pair(vg, name);
  }

  // On the node that has them all; of several the first.
  Result<void> find_volumes(std::vector<std::pair<std::string, std::string>> const& wanted) {
    std::vector<std::string> missing;
    for (auto const& [id, list] : facts_.volumes) {
      std::vector<rpc::Volume> found;
      missing.clear();
      for (auto const& [vg, name] : wanted) {
        auto const volume = std::ranges::find_if(
            list.volumes, [&](rpc::Volume const& one) { return one.vg == vg && one.name == name; });
        if (volume == list.volumes.end()) {
          missing.push_back(fmt::format("{}/{}", vg, name));
        } else {
          found.push_back(*volume);
        }
      }
      if (missing.empty()) {
        adopted_ = std::move(found);
        adopting_node_ = id;
        return {};
      }
    }
    if (!facts_.left_out.empty()) {
      auto const& [id, error] = *facts_.left_out.begin();
      return fail_as(error.error_class, error.code,
                     "Missing logical volume(s): {}; node {} could not be asked: {}",
                     fmt::join(missing, ", "), TRY(cluster_.node(NodeId(id)))->name, error.message);
    }
    auto const where = facts_.volumes.size() == 1
                           ? TRY(cluster_.node(facts_.volumes.begin()->first))->name
                           : "any node";
    return fail(
        ErrorCode::WrongInput, "Missing logical volume(s): {}; not on {}, see 'gnt-node volumes'",
        missing.empty() ? wanted.front().second : fmt::format("{}", fmt::join(missing, ", ")),
        where);
  }

  Result<void> check_nobody_uses(rpc::Volume const& volume) const {
    for (auto const& [id, other] : cluster_.instances()) {
      for (auto const& disk : other->disks) {
        auto const is_its = other->primary_node.text() == adopting_node_ &&
                            disk.logical_id == std::vector{volume.vg, volume.name};
        if (!is_its) continue;
        return fail(ErrorCode::ResourceNotUnique, "LV named {}/{} used by another instance: {}",
                    volume.vg, volume.name, other->name);
      }
    }
    for (auto const& [id, detached] : cluster_.detached_disks()) {
      auto const is_it = detached->node.text() == adopting_node_ &&
                         detached->disk.logical_id == std::vector{volume.vg, volume.name};
      if (!is_it) continue;
      return fail(ErrorCode::ResourceNotUnique,
                  "LV named {}/{} is a detached disk: create the instance without it, then "
                  "'gnt-instance modify --disk attach:uuid={}'",
                  volume.vg, volume.name, id.text());
    }
    for (auto const& reason : {volume.fault, volume.hindrance}) {
      if (reason.empty()) continue;
      return fail(ErrorCode::WrongState, "Volume {}/{} can't be adopted: it {}", volume.vg,
                  volume.name, reason);
    }
    if (volume.is_open) {
      return fail(ErrorCode::WrongState,
                  "Online logical volumes found, cannot adopt: {}/{}; unmount it, or stop what has "
                  "it open",
                  volume.vg, volume.name);
    }
    return {};
  }

  Result<void> disks() {
    FileStorage const files{op_.file_driver.value_or("loop"), op_.file_storage_dir.value_or("")};
    if (is_import() && adopted_count() > 0) {
      return fail(ErrorCode::WrongInput, "Disk adoption not allowed for instance import");
    }
    for (auto given : op_.disks) {
      auto const index = instance_.disks.size();
      if (!adopted_.empty()) {
        given.erase("adopt");
        given["size"] = adopted_[index].size.value;
      }
      instance_.disks.push_back(TRY(maker_.disk(instance_, given, index, files)));
    }
    return check_names(instance_.disks, "disk");
  }

  Result<void> nics() {
    TRY(check_nic_count(op_));
    for (auto given : op_.nics) {
      // The address that the name has.
      if (facts_.resolved && text_in(given, "ip") == "auto") given["ip"] = facts_.resolved->ip;
      instance_.nics.push_back(TRY(maker_.nic(instance_, given, instance_.nics.size())));
    }
    asked_ = instance_.nics;
    return check_names(instance_.nics, "NIC");
  }

  // Into the networks that its node's group is connected to.
  Result<void> connect_nics() {
    instance_.nics = asked_;
    maker_.take_notes();
    for (std::size_t i = 0; i < instance_.nics.size(); ++i) {
      TRY(maker_.connect(instance_, instance_.nics[i], i));
    }
    return {};
  }

  Result<void> policy() {
    if (op_.ignore_ipolicy) return {};
    auto const found =
        model::policy_violations(model::filled_ipolicy(cluster_, instance_.primary_node), instance_,
                                 model::filled_beparams(settings_, instance_));
    if (found.empty()) return {};
    return fail(ErrorCode::WrongInput,
                "Instance allocation to group {} violates policy: {}; --ignore-ipolicy creates it "
                "anyway",
                group_title(cluster_, instance_.primary_node), fmt::join(found, ", "));
  }

  // Who names the node, or the volumes that lie on it, has his reasons.
  Result<void> placement() {
    auto const named = op_.pnode ? TRY(cluster_.node(*op_.pnode))->uuid.text() : adopting_node_;
    if (!named.empty()) return place_on(*TRY(cluster_.node(NodeId(named))));
    std::vector<placement::Candidate> candidates;
    for (auto const& [id, facts] : facts_.nodes) {
      auto const node = TRY(cluster_.node(NodeId(id)));
      auto const tried = place_on(*node);
      auto const placed = tried ? check_os_on(*node) : tried;
      candidates.push_back(
          {node, facts.memory_free, placed ? std::nullopt : std::optional(placed.error())});
    }
    for (auto const& [id, error] : facts_.left_out) {
      candidates.push_back({TRY(cluster_.node(NodeId(id))), MiB{0}, error});
    }
    return place_on(*TRY(placement::choose(cluster_, std::move(candidates))));
  }

  // It has enough of everything.
  Result<void> place_on(model::Node const& node) {
    instance_.primary_node = node.uuid;
    TRY(connect_nics());
    TRY(policy());
    TRY(check_volume_groups(node));
    if (!op_.start) return {};
    auto const spec = instance_spec(cluster_, instance_);
    return check_memory(node, known_at(facts_.nodes, node.uuid.text()), spec,
                        fmt::format("creating instance {}", instance_.name));
  }

  Result<void> check_volume_groups(model::Node const& node) {
    if (!model::is_volume(instance_.disk_template) || !adopted_.empty()) return {};
    auto const spec = instance_spec(cluster_, instance_);
    return check_volume_space(spec.disks, node, known_at(facts_.nodes, node.uuid.text()));
  }

  // What a disk gets must be there, and find room on it.
  Result<void> imports(InstanceCreate::Plan& plan) const {
    if (op_.mode == "remote-import") {
      if (instance_.disks.empty()) {
        return fail(ErrorCode::WrongInput, "A remote import needs disks that come");
      }
      plan.peer_certificate = facts_.peer_certificate;
      plan.compress = op_.compress;
      plan.connect_timeout_s = connect_timeout.count() + op_.source_shutdown_timeout;
      plan.rename_from = TRY(normalized_name(op_.source_instance_name.value_or("")));
    }
    if (!facts_.exported) return {};
    auto const& [node, path, dumps, exported] = *facts_.exported;
    plan.import_path = path;
    plan.rename_from = exported.name;
    for (auto i = exported.disks.size(); i < instance_.disks.size(); ++i) {
      plan.warnings.push_back(fmt::format("The export has nothing of disk {}: it stays empty", i));
    }
    for (std::size_t i = 0; i < instance_.disks.size() && i < exported.disks.size(); ++i) {
      auto const& file = exported.disks[i].dump;
      if (!file) {
        plan.warnings.push_back(
            fmt::format("The export has nothing of disk {}: it stays empty", i));
        continue;
      }
      auto const dump = std::ranges::find(dumps, *file, &rpc::Dump::file);
      if (dump == dumps.end()) {
        return fail(ErrorCode::EnvironmentError, "The export in {} has no file {} of disk {}", path,
                    *file, i);
      }
      if (instance_.os.empty() && to_bytes(instance_.disks[i].size) < dump->size) {
        return fail(ErrorCode::WrongInput,
                    "Disk {} of {} MiB is too small for what was exported, {} MiB", i,
                    instance_.disks[i].size.value, round_up(dump->size).value);
      }
      plan.imports.push_back({static_cast<std::int64_t>(i), *dump});
    }
    for (auto i = instance_.disks.size(); i < exported.disks.size(); ++i) {
      plan.warnings.push_back(
          fmt::format("Disk {} of the export is not imported: the instance has {} disks only", i,
                      instance_.disks.size()));
    }
    return {};
  }

  bool is_import() const { return op_.mode == "import" || op_.mode == "remote-import"; }

  Result<void> operating_system() {
    if (is_import() && instance_.os.empty()) return {};
    installs_ = !is_import() && !op_.no_install.value_or(false) && !instance_.disks.empty() &&
                adopted_.empty();
    if (op_.no_install.value_or(false) && instance_.os.empty()) return {};
    if (instance_.os.empty()) {
      return fail(ErrorCode::WrongInput, "No guest OS or OS image specified; see 'gnt-os list'");
    }
    auto const& refused = settings_.blacklisted_os;
    if (std::ranges::find(refused, instance_.os) != refused.end()) {
      return fail(ErrorCode::WrongState,
                  "Guest OS '{}' is not allowed for installation; 'gnt-os modify --blacklisted=no "
                  "{}' allows it",
                  instance_.os, instance_.os);
    }
    if (installs_) TRY(check_os_image(os_parameters()));
    return check_os_on(*TRY(cluster_.node(instance_.primary_node)));
  }

  Result<void> check_os_on(model::Node const& node) const {
    auto const known = facts_.operating_systems.find(node.uuid.text());
    if (known == facts_.operating_systems.end() || instance_.os.empty()) return {};
    auto const os = TRY(find_os(known->second, instance_.os, node.name, op_.force_variant));
    return check_os_parameters(os, os_parameters(), node.name);
  }

  json::object os_parameters() const {
    return model::overlay(model::script_osparams(settings_, instance_), secret_);
  }

  opcodes::InstanceCreate const& op_;
  model::Cluster const& cluster_;
  model::Settings const& settings_;
  InstanceCreate::Facts const& facts_;
  json::object secret_;  // of the OS parameters
  SeededRandom random_;
  DeviceMaker maker_;
  model::Instance instance_;
  std::vector<model::Nic> asked_;  // before anybody knows where they will be
  bool installs_ = false;
  std::vector<rpc::Volume> adopted_;
  std::string adopting_node_;
};

Result<void> adopt_disks(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  job.log("* adopting instance disks...");
  for (std::size_t i = 0; i < plan.adopted.size(); ++i) {
    auto const& volume = plan.adopted[i];
    auto const& disk = plan.spec.disks[i];
    TRY(job.step(fmt::format("Adopting {}/{} as disk {} of {}", volume.vg, volume.name, i,
                             plan.instance.name),
                 node, rpc::BlockdevAdopt{plan.instance.name, disk, volume.name, volume.owner},
                 {.undo = jobs::undo_call(node, rpc::BlockdevRelease{plan.instance.name, disk,
                                                                     volume.name, volume.owner})}));
  }
  return {};
}

Result<void> create_disks(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  for (auto const& disk : plan.spec.disks) {
    job.log(
        fmt::format("* disk {}, size {}", disk.index, format_size(disk.disk.size, Unit::Human)));
  }
  job.log("* creating instance disks...");
  for (auto const& disk : plan.spec.disks) {
    TRY(create_disk(job, node, plan.instance.name, disk, plan.wipes));
  }
  return {};
}

Result<void> add_to_configuration(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  job.log(fmt::format("adding instance {} to cluster config", plan.instance.name));
  TRY(job.commit(
      "Adding it to the configuration",
      [&](store::ClusterEdit& edit) -> Result<void> {
        auto instance = plan.instance;
        if (instance.hypervisor == model::HypervisorKind::Kvm) {
          instance.network_port = TRY(edit.allocate_port());
        }
        edit.put(std::move(instance));
        return {};
      },
      jobs::Undo{.remove_instance = plan.instance.uuid}));
  job.log("adding disks to cluster config");
  return {};
}

Result<void> install(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  if (plan.wipes) {
    job.log("* wiping instance disks...");
    for (auto const& disk : plan.spec.disks) {
      TRY(wipe_disk(job, node, plan.instance.name, disk));
    }
  }
  if (!plan.installs) return {};
  TRY(activate_disks(job, node, plan.spec));
  job.log("* running the instance OS create scripts...");
  TRY(job.step(fmt::format("Installing {} on {}", plan.instance.os, plan.instance.name), node,
               rpc::OsCreate{plan.spec, false, plan.force_variant, plan.debug_level},
               {.timeout = os_timeout, .logs_output = true}));
  return deactivate_disks(job, node, plan.spec);
}

Result<void> receive(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  job.log("* preparing remote import...");
  auto const address = TRY(job.cluster()->node(node))->primary_ip;
  TRY(job.step("Receiving the disks", node,
               rpc::TransferReceive{plan.spec, address, plan.peer_certificate, plan.compress,
                                    plan.connect_timeout_s, plan.debug_level},
               {.timeout = os_timeout, .logs_output = true}));
  for (std::size_t i = 0; i < plan.spec.disks.size(); ++i) {
    job.log(fmt::format("disk/{} finished receiving data", i));
  }
  return {};
}

Result<void> copy_from_export(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  job.log("* running the instance OS import scripts...");
  for (auto const& [disk, dump] : plan.imports) {
    job.log(fmt::format("Exporting disk/{} from {} to {}", disk, plan.spec.primary_node,
                        plan.spec.primary_node));
    TRY(job.step(fmt::format("Importing disk {}", disk), node,
                 rpc::ImportDisk{plan.spec, disk, plan.import_path, dump, plan.debug_level},
                 {.timeout = os_timeout, .logs_output = true}));
    job.log(fmt::format("disk/{} finished receiving data", disk));
  }
  return {};
}

Result<void> import(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  auto const& node = plan.instance.primary_node;
  TRY(activate_disks(job, node, plan.spec));
  TRY(plan.peer_certificate.empty() ? copy_from_export(plan, job) : receive(plan, job));
  if (!plan.instance.os.empty()) {
    job.log(fmt::format("Running rename script for {}", plan.instance.name));
    auto const renamed = job.step("Running the rename script", node,
                                  rpc::OsRename{plan.spec, plan.rename_from, plan.debug_level},
                                  {.timeout = os_timeout, .logs_output = true});
    if (!renamed) {
      job.warn(fmt::format("Failed to run rename script for {} on node {}: {}", plan.instance.name,
                           plan.spec.primary_node, renamed.error().message));
    }
  }
  return deactivate_disks(job, node, plan.spec);
}

Result<void> start(InstanceCreate::Plan const& plan, jobs::JobContext& job) {
  job.log("* starting instance...");
  TRY(job.commit("Recording that it should run", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(plan.instance.uuid));
    instance.admin_state = model::AdminState::Up;
    instance.disks_active = true;
    instance.epoch = plan.instance.epoch + 1;
    edit.put(std::move(instance));
    return {};
  }));
  // Under the instance's exclusive lock what was committed above is what is found here, also after
  // a restart.
  auto const cluster = job.cluster();
  auto const instance = TRY(cluster->instance(plan.instance.uuid));
  auto spec = instance_spec(*cluster, *instance);
  spec.osparams = plan.spec.osparams;
  return start_instance(job, plan.instance.primary_node, spec, false);
}

}  // namespace

Result<jobs::LockSet> InstanceCreate::locks(Op const& op, model::Cluster const& cluster) {
  auto const name = TRY(normalized_name(op.instance_name));
  jobs::LockSet locks{jobs::exclusive(jobs::LockLevel::Instance, name)};
  // Nobody makes its export anew or removes it meanwhile.
  if (auto const source = export_at(source_of(op.src_path.value_or(name)));
      op.mode == "import" && source && *source != name) {
    locks.push_back(jobs::shared(jobs::LockLevel::Instance, *source));
  }
  if (!op.pnode) {
    locks.push_back(jobs::all_shared(jobs::LockLevel::Node));
    return locks;
  }
  auto const node = TRY(cluster.node(*op.pnode));
  locks.push_back(jobs::shared(jobs::LockLevel::Node, node->uuid.text()));
  locks.push_back(jobs::shared(jobs::LockLevel::NodeRes, node->uuid.text()));
  return locks;
}

Result<InstanceCreate::Facts> InstanceCreate::inspect(Op const& op, model::Cluster const& cluster,
                                                      jobs::NodeReader& nodes) {
  Facts facts;
  facts.exported = TRY(find_export(op, cluster, nodes));
  if (op.mode == "remote-import") facts.peer_certificate = TRY(check_source(op, cluster, nodes));
  auto const asked = TRY(with_export(op, facts.exported));
  return look(asked, cluster, nodes, std::move(facts));
}

// By the secret, which all nodes have.
Result<std::string> InstanceCreate::check_source(Op const& op, model::Cluster const& cluster,
                                                 jobs::NodeReader& nodes) {
  auto const asked = TRY(read_source(op));
  TRY(check_compression(cluster.settings(), op.compress));
  auto const online = cluster.online_nodes();
  if (!op.pnode && online.empty()) {
    return fail(ErrorCode::WrongState, "There is no node that is online");
  }
  auto const node = op.pnode ? TRY(cluster.node(*op.pnode)) : online.front();
  return TRY(nodes.ask(*node, asked)).certificate;
}

// On the node that is named, or on whichever has it.
Result<std::optional<InstanceCreate::Export>> InstanceCreate::find_export(
    Op const& op, model::Cluster const& cluster, jobs::NodeReader& nodes) {
  auto const is_sent = op.mode == "remote-import";
  if (!is_sent && (op.source_handshake || op.source_x509_ca || op.source_instance_name)) {
    return fail(ErrorCode::WrongInput,
                "source_handshake, source_x509_ca and source_instance_name are for mode "
                "'remote-import'");
  }
  if (op.mode != "import") {
    auto const has_source = op.src_node || op.src_node_uuid || op.src_path;
    if (!has_source && (is_sent || op.compress == "none")) return std::optional<Export>();
    return fail(ErrorCode::WrongInput,
                "src_node, src_node_uuid, src_path and compress are for mode 'import'");
  }
  auto const path = source_of(op.src_path.value_or(TRY(normalized_name(op.instance_name))));
  TRY(check_compression(cluster.settings(), op.compress));
  if (op.src_node_uuid && !op.src_node) {
    return fail(ErrorCode::WrongInput, "src_node_uuid is for where src_node is given");
  }
  if (op.src_node) {
    auto const node = TRY(cluster.node(*op.src_node));
    TRY(jobs::check_expected("node", *op.src_node, op.src_node_uuid, Result<model::NodePtr>(node)));
    return read_export(path, *node, nodes);
  }
  if (path.starts_with('/')) {
    return fail(ErrorCode::WrongInput,
                "Importing an instance from a path requires a source node option; --src-node");
  }
  auto const online = cluster.online_nodes();
  std::string silent;
  for (auto const& [id, answer] : TRY(nodes.ask_all(online, rpc::ExportList{}))) {
    auto const node = TRY(cluster.node(id));
    if (!answer) {
      silent +=
          fmt::format("; node {} did not say what it has: {}", node->name, answer.error().message);
      continue;
    }
    if (std::ranges::find(answer->names, path) == answer->names.end()) continue;
    return read_export(path, *node, nodes);
  }
  return fail(ErrorCode::WrongInput,
              "No export found for relative path {}; 'gnt-backup list' shows those that there "
              "are{}",
              path, silent);
}

Result<InstanceCreate::Export> InstanceCreate::read_export(std::string const& path,
                                                           model::Node const& node,
                                                           jobs::NodeReader& nodes) {
  auto found = TRY(nodes.ask(node, rpc::ExportInfo{path}));
  auto read = model::read_export(found.config);
  // It becomes part of a log's name, and what the scripts are told.
  auto const name = read ? normalized_name(read->name) : Result<std::string>("");
  if (!name) read = Failure(name.error());
  if (read) {
    read->name = *name;
    return Export{node.uuid, std::move(found.path), std::move(found.dumps), *std::move(read)};
  }
  return fail(read.error().code, "The export in {} can't be imported: config.ini: {}", found.path,
              read.error().message);
}

Result<InstanceCreate::Op> InstanceCreate::with_export(Op op, std::optional<Export> const& from) {
  if (!from) return op;
  auto const& exported = from->instance;
  // It lies there; copying from node to node is not built yet.
  if (!op.pnode) op.pnode = from->node.text();
  if (op.os_type && *op.os_type != exported.os) {
    return fail(ErrorCode::WrongInput, "An import has the OS of its export, '{}', not '{}'",
                exported.os, *op.os_type);
  }
  if (exported.os.empty()) {
    op.os_type.reset();
    op.no_install = true;
  } else {
    op.os_type = exported.os;
  }
  if (!op.disk_template && exported.disk_template) {
    op.disk_template = schema::enum_from<model::DiskTemplate>(*exported.disk_template);
  }
  if (op.disks.empty()) {
    for (auto const& disk : exported.disks) {
      json::object given{{"size", disk.size.value_or(MiB{0}).value}};
      if (disk.name) given["name"] = *disk.name;
      op.disks.push_back(std::move(given));
    }
    auto const is_diskless = op.disk_template && !model::has_disks(*op.disk_template);
    if (op.disks.empty() && !is_diskless) {
      return fail(ErrorCode::WrongInput,
                  "No disk info specified and the export is missing the disk information");
    }
  }
  auto const is_same = op.instance_name == exported.name;
  if (op.nics.empty()) op.nics = exported.nics;
  for (std::size_t i = 0; i < op.nics.size() && i < exported.nics.size() && is_same; ++i) {
    if (text_in(op.nics[i], "mac").value_or("auto") != "auto") continue;
    op.nics[i]["mac"] = known_at(exported.nics[i], "mac");
  }
  if (op.tags.empty()) op.tags = exported.tags;
  if (!op.hypervisor && exported.hypervisor) {
    op.hypervisor = schema::enum_from<model::HypervisorKind>(*exported.hypervisor);
    if (!op.hypervisor) {
      return fail(ErrorCode::WrongInput,
                  "The export is of an instance with the hypervisor '{}', which isn't one here; "
                  "-H NAME chooses another",
                  *exported.hypervisor);
    }
  }
  op.hvparams = model::overlay(exported.hvparams, op.hvparams);
  // One number stands for both.
  if (auto const* memory = op.beparams.if_contains("memory")) {
    auto const size = *memory;
    op.beparams.erase("memory");
    for (auto const* key : {"maxmem", "minmem"}) {
      if (!op.beparams.contains(key)) op.beparams[key] = size;
    }
  }
  op.beparams = model::overlay(exported.beparams, op.beparams);
  op.osparams = model::overlay(exported.osparams, op.osparams);
  op.osparams_private =
      model::overlay(exported.osparams_private, op.osparams_private.value_or(json::object()));
  return op;
}

Result<InstanceCreate::Facts> InstanceCreate::look(Op const& op, model::Cluster const& cluster,
                                                   jobs::NodeReader& nodes, Facts facts) {
  auto const checks = TRY(
      name_checks(op.name_check, op.ip_check, "Cannot do IP address check without a name check"));
  facts.resolved = TRY(look_up_name(op.instance_name, checks, cluster, nodes));
  facts.seed =
      static_cast<std::int64_t>(nodes.random().below(std::numeric_limits<std::int64_t>::max()));
  facts.now = static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(
                                      nodes.now().time_since_epoch())
                                      .count()) /
              1e6;
  TRY(check_nic_count(op));
  facts.drawn = draw_addresses(pool_wishes(op.nics, cluster), cluster, nodes);
  std::vector<model::NodePtr> candidates;
  if (op.pnode) {
    auto const node = TRY(cluster.node(*op.pnode));
    if (node->offline || node->drained || !node->vm_capable) {
      return fail(ErrorCode::WrongState, "Cannot use {} primary node '{}'",
                  node->offline   ? "offline"
                  : node->drained ? "drained"
                                  : "not vm_capable",
                  node->name);
    }
    candidates.push_back(node);
  } else {
    for (auto const& node : cluster.online_nodes()) {
      if (!node->drained && node->vm_capable) candidates.push_back(node);
    }
  }
  auto const some_adopt = std::ranges::any_of(op.disks, adopts);
  struct Candidate {
    rpc::NodeFacts facts;
    std::optional<rpc::VolumeList> volumes;
    std::optional<rpc::OsList> operating_systems;
  };
  auto answers = nodes.at_each(candidates, [&](model::NodePtr const& node) -> Result<Candidate> {
    Candidate candidate;
    candidate.facts = TRY(nodes.ask(*node, rpc::NodeInfo{cluster.settings().file_storage_dir}));
    if (some_adopt) candidate.volumes = TRY(nodes.ask(*node, rpc::NodeVolumes{}));
    if (!op.no_install.value_or(false)) {
      candidate.operating_systems = TRY(nodes.ask(*node, rpc::OsDiagnose{}));
    }
    TRY(check_nics(op, cluster, *node, nodes));
    return candidate;
  });
  // Where nobody says which node, one that can't have it is left out.
  for (auto const& node : candidates) {
    auto& answer = known_at(answers, node->uuid);
    auto const id = node->uuid.text();
    if (!answer) {
      if (candidates.size() == 1) return Failure(answer.error());
      facts.left_out[id] = answer.error();
      continue;
    }
    facts.nodes[id] = std::move(answer->facts);
    if (answer->volumes) facts.volumes[id] = *std::move(answer->volumes);
    if (answer->operating_systems) {
      facts.operating_systems[id] = *std::move(answer->operating_systems);
    }
  }
  facts.warnings = TRY(check_starts(op, cluster, facts, nodes));
  return facts;
}

// Before there is anything of it, on the node that it will be on. What can't be planned is told
// when it is planned.
Result<std::vector<std::string>> InstanceCreate::check_starts(Op const& op,
                                                              model::Cluster const& cluster,
                                                              Facts const& facts,
                                                              jobs::NodeReader& nodes) {
  auto const& enabled = cluster.settings().enabled_hypervisors;
  auto const is_asked = op.hypervisor
                            ? *op.hypervisor == model::HypervisorKind::Kvm
                            : !enabled.empty() && enabled.front() == model::HypervisorKind::Kvm;
  if (!is_asked) return std::vector<std::string>();
  auto planned = plan(op, cluster, facts);
  if (!planned) return std::vector<std::string>();
  planned->spec.osparams.clear();  // they may be secret
  auto const node = TRY(cluster.node(planned->instance.primary_node));
  return check_start_on(planned->spec, *node, nodes);
}

Result<void> InstanceCreate::check_nics(Op const& op, model::Cluster const& cluster,
                                        model::Node const& node, jobs::NodeReader& nodes) {
  auto const specs = TRY(nic_specs(cluster, node, op.nics));
  if (specs.empty()) return {};
  return check_nics_on(node, specs, nodes);
}

Result<InstanceCreate::Plan> InstanceCreate::plan(Op const& op, model::Cluster const& cluster,
                                                  Facts const& facts) {
  auto const asked = TRY(with_export(op, facts.exported));
  if (facts.exported && TRY(cluster.node(*asked.pnode))->uuid != facts.exported->node) {
    return fail(ErrorCode::WrongInput,
                "Importing onto another node than the export's own is not built yet; leave out -n");
  }
  return Planner(asked, cluster, facts).plan();
}

jobs::LockSet InstanceCreate::plan_locks(Plan const& plan) {
  return {jobs::exclusive(jobs::LockLevel::Instance, plan.instance.name)};
}

std::vector<std::string> InstanceCreate::claims(Plan const& plan) {
  return nic_claims(plan.instance.nics);
}

// Ganeti tells of the start that is wished, as Python says it, where others tell of a status.
Result<jobs::Hooks> InstanceCreate::hooks(Op const& op, model::Cluster const& cluster,
                                          Plan const& plan) {
  jobs::HookVariables extra{
      {"ADD_MODE", op.mode},
      {"INSTANCE_STATUS", hook_text(op.start)},
      {"INSTANCE_OS_TYPE", plan.instance.os.empty() ? "None" : plan.instance.os}};
  if (op.mode == "import") {
    extra["SRC_NODE"] = op.src_node.value_or(plan.spec.primary_node);
    extra["SRC_PATH"] = plan.import_path;
  }
  return instance_hooks("instance-add", cluster, plan.instance, extra);
}

Result<json::value> InstanceCreate::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.ignores_secondary) {
    job.warn("Secondary node will be ignored on non-mirrored disk template");
  }
  for (auto const& warning : plan.warnings) job.warn(warning);
  for (auto const& note : plan.notes) job.info(note);
  TRY(plan.adopted.empty() ? create_disks(plan, job) : adopt_disks(plan, job));
  TRY(add_to_configuration(plan, job));
  if (!plan.instance.disks.empty()) {
    // Ganeti says it once for the disks and once before the OS is installed.
    for (int i = 0; i < (plan.installs ? 2 : 1); ++i) {
      job.info(fmt::format("Waiting for instance {} to sync disks", plan.instance.name));
      job.info(fmt::format("Instance {}'s disks are in sync", plan.instance.name));
    }
  }
  if (plan.installs || plan.wipes) TRY(install(plan, job));
  if (!plan.rename_from.empty()) TRY(import(plan, job));
  // From here on the instance is whole. A failing start leaves it as one that should run and does
  // not.
  TRY(job.keep());
  if (plan.starts) TRY(start(plan, job));
  auto const node = TRY(job.cluster()->node(plan.instance.primary_node));
  return json::array{json::value(json::string_view(node->name))};
}

schema::Fields InstanceCreate::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance as it will be configured."),
      field<&Plan::spec>("spec", "What the node is told for the installation."),
      field<&Plan::installs>("installs", "Whether the OS scripts run."),
      field<&Plan::wipes>("wipes", "Whether the disks are overwritten first."),
      field<&Plan::force_variant>("force_variant", "Accept an unlisted variant."),
      field<&Plan::ignores_secondary>("ignores_secondary", "A node was given for a mirror."),
      field<&Plan::starts>("starts", "Whether it is started."),
      field<&Plan::adopted>("adopted", "The volumes that its disks are made of."),
      field<&Plan::imports>("imports", "What comes onto its disks."),
      field<&Plan::import_path>("import_path", "Where that lies."),
      field<&Plan::peer_certificate>("peer_certificate", "Of who sends its disks."),
      field<&Plan::compress>("compress", "How they are compressed."),
      field<&Plan::connect_timeout_s>("connect_timeout_s", "Seconds until who sends connects."),
      field<&Plan::rename_from>("rename_from", "What it was called when it was exported."),
      field<&Plan::warnings>("warnings", "What is warned of before."),
      field<&Plan::notes>("notes", "What is told before."),
      field<&Plan::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

schema::Fields InstanceCreate::Import::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Import::disk>("disk", "Which disk."),
      field<&Import::dump>("dump", "What comes onto it."),
  };
  return table;
}

}  // namespace flotte::units
