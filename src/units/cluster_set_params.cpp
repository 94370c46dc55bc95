#include "units/cluster_set_params.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/lookup.h"
#include "base/text.h"
#include "jobs/job_context.h"
#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"
#include "model/names.h"
#include "model/nic_rules.h"
#include "store/config_store.h"
#include "units/group_rules.h"
#include "units/hooks.h"
#include "units/os_names.h"
#include "units/start_checks.h"

namespace flotte::units {
namespace {

json::object object_in(json::object const& object, std::string_view key) {
  auto const* found = object.if_contains(key);
  return found && found->is_object() ? found->get_object() : json::object();
}

Result<json::object> changed_hvparams(json::object all, json::object const& given) {
  for (auto const& [name, params] : given) {
    if (!params.is_object()) {
      return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Expected dictionary, got '{}'",
                     model::python_text(params));
    }
    TRY(model::check_hypervisor_types(params.get_object()));
    auto const enforced = TRY(model::enforce_hypervisor(name, params.get_object()));
    all[name] = model::overlay(object_in(all, name), enforced);
  }
  return all;
}

Failure no_object(std::string_view what, std::string_view os) {
  return fail(ErrorCode::WrongInput, "The {} parameters of OS '{}' must be a dict", what, os);
}

// What is left empty goes.
void put(json::object& all, std::string_view name, json::object params) {
  if (params.empty()) {
    all.erase(name);
  } else {
    all[name] = std::move(params);
  }
}

// Of each OS, by hypervisor: what it sets for its instances must also fit with what it leaves.
Result<void> change_os_hvp(json::object const& given, model::Settings& settings) {
  for (auto const& [os, by_kind] : given) {
    if (!by_kind.is_object()) return no_object("hypervisor", os);
    // Null: what it sets for a hypervisor goes as a whole.
    auto before = object_in(settings.os_hvp, os);
    json::object given_params;
    for (auto const& [kind, params] : by_kind.get_object()) {
      if (params.is_null()) {
        before.erase(kind);
      } else {
        given_params[kind] = params;
      }
    }
    auto changed = TRY(changed_hvparams(std::move(before), given_params));
    json::object kept;
    for (auto const& [kind, params] : changed) put(kept, kind, params.get_object());
    put(settings.os_hvp, os, std::move(kept));
    model::Instance any{.os = std::string(std::string_view(os))};
    for (auto const kind : settings.enabled_hypervisors) {
      any.hypervisor = kind;
      TRY(model::check_hypervisor(kind, model::filled_hvparams(settings, any)));
    }
  }
  return {};
}

Result<void> change_osparams(json::object const& given, model::Settings& settings) {
  for (auto const& [os, params] : given) {
    if (!params.is_object()) return no_object("OS", os);
    put(settings.osparams, os,
        model::overlay(object_in(settings.osparams, os),
                       os_parameter_changes(params.get_object())));
  }
  return {};
}

// A definition that a node lacks can't say what its parameters are: that is told, and no error.
Result<void> check_osparams(json::object const& given, ClusterSetParams::Facts const& facts,
                            ClusterSetParams::Plan& plan) {
  for (auto const& [os, params] : given) {
    for (auto const& state : facts.nodes) {
      if (!state.operating_systems) continue;
      auto const& known = state.operating_systems->definitions;
      auto const found = std::ranges::find(known, os_base(os), &rpc::OsDefinition::name);
      if (found == known.end() || !found->diagnose.empty()) {
        plan.notes.push_back(fmt::format("OS {} not found on node {}, validation skipped",
                                         std::string_view(os), state.node));
        continue;
      }
      TRY(check_os_parameters(*found, object_in(plan.settings.osparams, os), state.node));
    }
  }
  return {};
}

// [["add", name], ["remove", name]]: hidden and refused OS definitions.
Result<void> change_names(json::array const& changes, std::vector<std::string>& names) {
  for (auto const& change : changes) {
    auto const* pair = change.if_array();
    if (!pair || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string()) {
      return fail(ErrorCode::WrongInput,
                  "A change of a list must be [\"add\" or \"remove\", name]");
    }
    std::string const name(std::string_view((*pair)[1].get_string()));
    auto const known = std::ranges::find(names, name);
    if ((*pair)[0] == "add") {
      if (known == names.end()) names.push_back(name);
    } else if (known != names.end()) {
      names.erase(known);
    }
  }
  return {};
}

template <class T>
void take(std::optional<T> const& given, T& setting) {
  if (given) setting = *given;
}

// What runs on a hypervisor, or lies on a template, keeps it enabled.
Result<void> check_still_used(opcodes::ClusterSetParams const& op, model::Cluster const& cluster) {
  for (auto const& [id, instance] : cluster.instances()) {
    if (op.enabled_hypervisors &&
        std::ranges::find(*op.enabled_hypervisors, instance->hypervisor) ==
            op.enabled_hypervisors->end()) {
      return fail(ErrorCode::WrongState, "Hypervisor {} is still used by instance {}",
                  schema::name_of(instance->hypervisor), instance->name);
    }
    if (op.enabled_disk_templates &&
        std::ranges::find(*op.enabled_disk_templates, instance->disk_template) ==
            op.enabled_disk_templates->end()) {
      return fail(ErrorCode::WrongState,
                  "Cannot disable disk template '{}', because there is at least one instance "
                  "using it: {}",
                  schema::name_of(instance->disk_template), instance->name);
    }
  }
  return {};
}

Result<void> check_numbers(model::Settings const& settings) {
  for (auto const& [name, value] : {std::pair{"max_running_jobs", settings.max_running_jobs},
                                    std::pair{"max_tracked_jobs", settings.max_tracked_jobs}}) {
    if (value < 1) return fail(ErrorCode::WrongInput, "{} must be at least 1, not {}", name, value);
  }
  if (settings.candidate_pool_size < 1) {
    return fail(ErrorCode::WrongInput, "At least one master candidate needed");
  }
  constexpr std::int64_t netmask_max = 32;
  if (settings.master_netmask < 0 || settings.master_netmask > netmask_max) {
    return fail(ErrorCode::WrongInput, "CIDR netmask ({}) not valid", settings.master_netmask);
  }
  return {};
}

Result<void> check_words(opcodes::ClusterSetParams const& op) {
  if (op.mac_prefix) TRY(model::parse_mac_prefix(*op.mac_prefix));
  if (op.default_iallocator && !op.default_iallocator->empty() &&
      *op.default_iallocator != "hail") {
    return fail(ErrorCode::WrongInput,
                "Invalid default iallocator script '{}' specified: there is only hail",
                *op.default_iallocator);
  }
  for (auto const& pattern : op.reserved_lvs.value_or(std::vector<std::string>())) {
    re2::RE2 const parsed(pattern, re2::RE2::Quiet);
    if (parsed.ok()) continue;
    return fail(ErrorCode::WrongInput, "'{}' is no regular expression for volumes: {}", pattern,
                parsed.error());
  }
  return {};
}

Result<void> check_templates(opcodes::ClusterSetParams const& op, model::Settings const& settings) {
  for (auto const kind : op.enabled_disk_templates.value_or(std::vector<model::DiskTemplate>())) {
    auto const& traits = model::traits_of(kind);
    if (!traits.is_built && traits.can_be_made) {
      return fail(ErrorCode::WrongInput, "Disk template '{}' is not built yet",
                  schema::name_of(kind));
    }
  }
  if (model::needs_group(settings) && settings.volume_group_name.empty()) {
    return fail(ErrorCode::WrongInput, "{}",
                op.vg_name ? "Cannot unset volume group if lvm-based disk templates are or get "
                             "enabled."
                           : "Please specify a volume group when enabling lvm-based "
                             "disk-templates.");
  }
  for (auto const& [kind, name] : schema::EnumNames<model::DiskTemplate>::names) {
    if (!model::is_file(kind)) continue;
    auto const dir = model::directory_of(settings, kind);
    if (dir.empty()) {
      if (!model::is_enabled(settings, kind)) continue;
      return fail(ErrorCode::WrongInput,
                  "Unsetting the '{}' storage directory while having '{}' storage enabled is not "
                  "permitted.",
                  name, name);
    }
    if (dir.front() != '/') {
      return fail(ErrorCode::WrongInput, "The {} storage directory '{}' is not an absolute path",
                  name, dir);
    }
  }
  return {};
}

// The policy allows what is enabled, or less.
Result<void> check_allowed_templates(model::Settings const& settings) {
  auto const policy = model::filled_ipolicy(settings);
  std::vector<std::string> disabled;
  auto const* names = policy.if_contains("disk-templates");
  if (!names || !names->is_array()) return {};
  for (auto const& one : names->get_array()) {
    if (!one.is_string()) continue;
    std::string_view const name = one.get_string();
    auto const kind = schema::enum_from<model::DiskTemplate>(name);
    if (!kind || !model::is_enabled(settings, *kind)) disabled.emplace_back(name);
  }
  if (disabled.empty()) return {};
  return fail(ErrorCode::WrongInput,
              "The following disk templates are allowed by the ipolicy, but not enabled on the "
              "cluster: {}",
              fmt::join(disabled, ", "));
}

// NICs that have nothing of their own change with the cluster.
Result<void> check_nics(model::Cluster const& cluster, model::Settings const& settings) {
  TRY(model::check_nic(model::filled_nicparams(settings)));
  std::vector<std::string> errors;
  for (auto const& instance : cluster.instances_by_name()) {
    for (std::size_t i = 0; i < instance->nics.size(); ++i) {
      auto const& nic = instance->nics[i];
      auto const filled = model::filled_nicparams(settings, nic);
      auto const is_fine = model::check_nic(filled);
      auto const lacks_ip = model::text_of(filled, "mode") == "routed" && !nic.ip;
      if (is_fine && !lacks_ip) continue;
      errors.push_back(
          fmt::format("Instance {}, nic/{}: {}", instance->name, i,
                      is_fine ? "routed NIC with no ip address" : is_fine.error().message));
    }
  }
  if (errors.empty()) return {};
  return fail(ErrorCode::WrongInput, "Cannot apply the change, errors:\n{}",
              fmt::join(errors, "\n"));
}

// What the nodes know: whether a volume group or a directory is there.
Result<void> check_nodes(opcodes::ClusterSetParams const& op, model::Settings const& settings,
                         ClusterSetParams::Facts const& facts, std::vector<std::string>& warnings) {
  for (auto const& [node, groups, faults, operating_systems] : facts.nodes) {
    // It may become usable later; 'gnt-cluster verify' says so until then.
    for (auto const& fault : faults) warnings.push_back(fmt::format("Node {}: {}", node, fault));
    auto const& wanted = settings.volume_group_name;
    auto const is_wanted = op.vg_name || op.enabled_disk_templates;
    // As long as nothing needs it, it may be missing.
    if (is_wanted && !wanted.empty() && model::needs_group(settings) &&
        std::ranges::find(groups, wanted) == groups.end()) {
      return fail(ErrorCode::EnvironmentError,
                  "Error on node '{}': volume group '{}' missing; there is {}", node, wanted,
                  groups.empty() ? "none" : fmt::format("{}", fmt::join(groups, ", ")));
    }
  }
  return {};
}

// What is done as asked, but may surprise.
std::vector<std::string> warnings_of(opcodes::ClusterSetParams const& op) {
  if (!op.hvparams) return {};
  for (auto const& [name, params] : *op.hvparams) {
    if (!params.is_object() || model::text_of(params.get_object(), "cpu_type") != "host") continue;
    return {
        "cpu_type=host shows guests the CPU of their node: a guest that migrates to a node with "
        "another CPU breaks. Where CPUs are unlike, choose a model that all nodes have instead"};
  }
  return {};
}

// None where the cluster has no address.
std::optional<rpc::MasterAddress> master_address(model::Settings const& settings, bool is_up) {
  if (settings.master_ip.empty() || settings.master_netdev.empty()) return std::nullopt;
  return rpc::MasterAddress{.ip = settings.master_ip,
                            .netdev = settings.master_netdev,
                            .netmask = settings.master_netmask,
                            .is_up = is_up};
}

// That instances with the cluster's parameters, or those of an OS, can be started on every node
// that has instances, where that changes.
Result<std::vector<std::string>> check_starts(model::Settings const& before,
                                              model::Settings const& after,
                                              model::Cluster const& cluster,
                                              jobs::NodeReader& nodes) {
  auto const known = start_sources(before);
  std::vector<std::string> warnings;
  for (auto const& [source, spec] : start_sources(after)) {
    auto const is_it = [&](StartSource const& one) {
      return one.name == source && one.spec.hypervisor == spec.hypervisor;
    };
    auto const was = std::ranges::find_if(known, is_it);
    for (auto const& node : cluster.nodes_by_name()) {
      if (node->offline || !node->vm_capable) continue;
      auto const said =
          TRY(was == known.end() ? check_start_on(spec, *node, nodes)
                                 : check_start_changes(was->spec, spec, *node, nodes));
      for (auto const& warning : said) {
        warnings.push_back(fmt::format("Node {} ({}): {}", node->name, source, warning));
      }
    }
  }
  return warnings;
}

}  // namespace

Result<jobs::LockSet> ClusterSetParams::locks(Op const&, model::Cluster const&) {
  // Who changes the settings has read them first: one at a time.
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Cluster, "settings"),
                       jobs::all_shared(jobs::LockLevel::Instance),
                       jobs::all_shared(jobs::LockLevel::NodeGroup),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<ClusterSetParams::Facts> ClusterSetParams::inspect(Op const& op,
                                                          model::Cluster const& cluster,
                                                          jobs::NodeReader& nodes) {
  Facts facts;
  rpc::NodeVerify look;
  for (auto const& directory : {op.file_storage_dir, op.shared_file_storage_dir}) {
    if (directory && directory->starts_with('/')) look.storage_dirs.push_back(*directory);
  }
  auto const are_groups_asked = op.vg_name || op.enabled_disk_templates;
  auto const are_nodes_asked = are_groups_asked || op.osparams || !look.storage_dirs.empty();
  auto const asked = are_nodes_asked ? cluster.online_nodes() : std::vector<model::NodePtr>();
  auto const ask = [&](model::NodePtr const& node) -> Result<Facts::NodeState> {
    Facts::NodeState state{.node = node->name};
    if (are_groups_asked) {
      for (auto const& group : TRY(nodes.ask(*node, rpc::NodeInfo{})).volume_groups) {
        state.volume_groups.push_back(group.name);
      }
    }
    if (op.osparams) state.operating_systems = TRY(nodes.ask(*node, rpc::OsDiagnose{}));
    if (!look.storage_dirs.empty()) {
      for (auto const& fault : TRY(nodes.ask(*node, look)).storage_faults) {
        state.storage_faults.push_back(fault.fault);
      }
    }
    return state;
  };
  auto answers = nodes.at_each(asked, ask);
  for (auto const& node : asked) facts.nodes.push_back(TRY(known_at(answers, node->uuid)));
  // What can't be planned is told when it is planned.
  if (auto const planned = plan(op, cluster, facts)) {
    facts.warnings = TRY(check_starts(cluster.settings(), planned->settings, cluster, nodes));
  }
  return facts;
}

Result<ClusterSetParams::Plan> ClusterSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const& facts) {
  TRY(check_still_used(op, cluster));
  TRY(check_words(op));
  Plan plan{.settings = cluster.settings(), .warnings = warnings_of(op)};
  plan.warnings.insert(plan.warnings.end(), facts.warnings.begin(), facts.warnings.end());
  auto& settings = plan.settings;
  if (op.enabled_hypervisors) {
    if (op.enabled_hypervisors->empty()) {
      return fail(ErrorCode::WrongInput, "At least one hypervisor must be enabled");
    }
    settings.enabled_hypervisors = *op.enabled_hypervisors;
  }
  if (op.enabled_disk_templates) {
    if (op.enabled_disk_templates->empty()) {
      return fail(ErrorCode::WrongInput, "At least one disk template must be enabled");
    }
    settings.enabled_disk_templates = *op.enabled_disk_templates;
  }
  if (op.hvparams) {
    settings.hvparams = TRY(changed_hvparams(settings.hvparams, *op.hvparams));
    for (auto const kind : settings.enabled_hypervisors) {
      TRY(model::check_hypervisor(kind, model::filled_hvparams(settings, kind)));
    }
  }
  if (op.beparams) {
    settings.beparams =
        model::overlay(settings.beparams, TRY(model::enforce_backend(*op.beparams)));
    auto const filled = model::filled_beparams(settings);
    if (model::number_of(filled, "minmem") > model::number_of(filled, "maxmem")) {
      return fail(ErrorCode::WrongInput, "minmem ({} MiB) must not be larger than maxmem ({} MiB)",
                  model::number_of(filled, "minmem"), model::number_of(filled, "maxmem"));
    }
  }
  if (op.nicparams) {
    settings.nicparams = model::overlay(settings.nicparams, TRY(model::enforce_nic(*op.nicparams)));
    TRY(check_nics(cluster, settings));
  }
  if (op.ndparams) {
    settings.ndparams =
        model::overlay(settings.ndparams, TRY(model::enforce(model::node_params(), *op.ndparams)));
  }
  if (op.diskparams) {
    settings.diskparams = TRY(changed_diskparams(settings.diskparams, *op.diskparams));
  }
  if (op.ipolicy) {
    settings.ipolicy =
        TRY(model::changed_ipolicy(settings.ipolicy, *op.ipolicy, model::PolicyLevel::Cluster));
    if (op.ipolicy->contains("disk-templates")) TRY(check_allowed_templates(settings));
  }
  if (op.os_hvp) TRY(change_os_hvp(*op.os_hvp, settings));
  for (auto const& [changes, names] : {std::pair{&op.hidden_os, &settings.hidden_os},
                                       std::pair{&op.blacklisted_os, &settings.blacklisted_os}}) {
    if (*changes) TRY(change_names(**changes, *names));
  }
  if (op.osparams) {
    TRY(change_osparams(*op.osparams, settings));
    TRY(check_osparams(*op.osparams, facts, plan));
  }
  take(op.vg_name, settings.volume_group_name);
  take(op.candidate_pool_size, settings.candidate_pool_size);
  take(op.max_running_jobs, settings.max_running_jobs);
  take(op.max_tracked_jobs, settings.max_tracked_jobs);
  take(op.maintain_node_health, settings.maintain_node_health);
  take(op.prealloc_wipe_disks, settings.prealloc_wipe_disks);
  take(op.default_iallocator, settings.default_iallocator);
  if (op.mac_prefix) settings.mac_prefix = TRY(model::parse_mac_prefix(*op.mac_prefix));
  if (op.master_netdev && !model::is_interface_name(*op.master_netdev)) {
    return fail(ErrorCode::WrongInput,
                "'{}' can't be the name of a network interface; 'ip link' lists those that there "
                "are",
                *op.master_netdev);
  }
  take(op.master_netdev, settings.master_netdev);
  take(op.master_netmask, settings.master_netmask);
  take(op.reserved_lvs, settings.reserved_lvs);
  take(op.file_storage_dir, settings.file_storage_dir);
  take(op.shared_file_storage_dir, settings.shared_file_storage_dir);
  take(op.enabled_user_shutdown, settings.enabled_user_shutdown);
  if (op.compression_tools) {
    TRY(model::check_compression_tools(*op.compression_tools));
    settings.compression_tools = *op.compression_tools;
  }
  TRY(check_numbers(settings));
  if (op.enabled_disk_templates || op.vg_name || op.file_storage_dir ||
      op.shared_file_storage_dir) {
    TRY(check_templates(op, settings));
  }
  TRY(check_nodes(op, settings, facts, plan.warnings));
  if (cluster.settings().master_netdev == settings.master_netdev &&
      cluster.settings().master_netmask == settings.master_netmask) {
    return plan;
  }
  plan.address_before = master_address(cluster.settings(), false);
  plan.address_after = master_address(settings, true);
  return plan;
}

Result<jobs::Hooks> ClusterSetParams::hooks(Op const& op, model::Cluster const& cluster,
                                            Plan const&) {
  return cluster_hooks("cluster-modify", cluster,
                       {{"OP_TARGET", cluster.settings().cluster_name},
                        {"NEW_VG_NAME", op.vg_name.value_or("None")}});
}

namespace {

void tell_address_change(ClusterSetParams::Plan const& plan, jobs::JobContext& job) {
  if (!plan.address_before || !plan.address_after) return;
  auto const& from = *plan.address_before;
  auto const& to = *plan.address_after;
  if (from.netdev != to.netdev) {
    job.log(fmt::format("Shutting down master ip on the current netdev ({})", from.netdev));
    job.log(fmt::format("Changing master_netdev from {} to {}", from.netdev, to.netdev));
  }
  if (from.netmask != to.netmask) {
    job.log(fmt::format("Changing master IP netmask to {}", to.netmask));
  }
  if (from.netdev != to.netdev) {
    job.log(fmt::format("Starting the master ip on the new master netdev ({})", to.netdev));
  }
}

}  // namespace

Result<json::value> ClusterSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& note : plan.notes) job.info(note);
  for (auto const& warning : plan.warnings) job.warn(warning);
  auto const& master = plan.settings.master_node;
  tell_address_change(plan, job);
  for (auto const& address : {plan.address_before, plan.address_after}) {
    if (!address) continue;
    auto back = *address;
    back.is_up = !back.is_up;
    TRY(job.step(fmt::format("{} the cluster's address on {}",
                             address->is_up ? "Raising" : "Dropping", address->netdev),
                 master, *address, {.undo = jobs::undo_call(master, back)}));
  }
  TRY(job.commit("Changing the settings", [&](store::ClusterEdit& edit) -> Result<void> {
    edit.put(plan.settings);
    return {};
  }));
  json::object answer;
  answer["jobs"] = json::array();
  return answer;
}

schema::Fields ClusterSetParams::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::settings>("settings", "All settings from now on."),
      schema::field<&Plan::notes>("notes", "What is told before, of what was left out."),
      schema::field<&Plan::warnings>("warnings", "What is told before."),
      schema::field<&Plan::address_before>("address_before", "The cluster's address to drop."),
      schema::field<&Plan::address_after>("address_after", "The cluster's address to raise.")};
  return table;
}

}  // namespace flotte::units
