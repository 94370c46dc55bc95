#include "units/cluster_set_params.h"

#include <algorithm>

#include "jobs/job_context.h"
#include "model/hypervisor_rules.h"
#include "store/config_store.h"

namespace flotte::units {
namespace {

json::object object_in(json::object const& object, std::string_view key) {
  auto const* found = object.if_contains(key);
  return found && found->is_object() ? found->get_object() : json::object();
}

Result<json::object> changed_hvparams(json::object all, json::object const& given) {
  for (auto const& [name, params] : given) {
    auto const kind = schema::enum_from<model::HypervisorKind>(name);
    if (!kind || !params.is_object()) {
      return fail(ErrorCode::WrongInput, "Unknown hypervisor '{}'", std::string_view(name));
    }
    auto const enforced = TRY(model::enforce_hypervisor(*kind, params.get_object()));
    all[name] = model::overlay(object_in(all, name), enforced);
  }
  return all;
}

Result<json::object> changed_diskparams(json::object all, json::object const& given) {
  for (auto const& [name, params] : given) {
    auto const disk_template = schema::enum_from<model::DiskTemplate>(name);
    if (!disk_template || !params.is_object()) {
      return fail(ErrorCode::WrongInput, "Unknown disk template '{}'", std::string_view(name));
    }
    auto const enforced =
        TRY(model::enforce(model::disk_params(*disk_template), params.get_object()));
    all[name] = model::overlay(object_in(all, name), enforced);
  }
  return all;
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

// None where the cluster has no address.
std::optional<rpc::MasterAddress> master_address(model::Settings const& settings, bool is_up) {
  if (settings.master_ip.empty() || settings.master_netdev.empty()) return std::nullopt;
  return rpc::MasterAddress{.ip = settings.master_ip,
                            .netdev = settings.master_netdev,
                            .netmask = settings.master_netmask,
                            .is_up = is_up};
}

}  // namespace

Result<jobs::LockSet> ClusterSetParams::locks(Op const&, model::Cluster const&) {
  // Who changes the settings has read them first: one at a time.
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Cluster, "settings"),
                       jobs::all_shared(jobs::LockLevel::Instance),
                       jobs::all_shared(jobs::LockLevel::NodeGroup),
                       jobs::all_shared(jobs::LockLevel::Node)};
}

Result<ClusterSetParams::Facts> ClusterSetParams::inspect(Op const&, model::Cluster const&,
                                                          jobs::NodeReader&) {
  return Facts{};
}

Result<ClusterSetParams::Plan> ClusterSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                      Facts const&) {
  TRY(check_still_used(op, cluster));
  Plan plan{.settings = cluster.settings()};
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
    settings.nicparams =
        model::overlay(settings.nicparams, TRY(model::enforce(model::nic_params(), *op.nicparams)));
  }
  if (op.ndparams) {
    settings.ndparams =
        model::overlay(settings.ndparams, TRY(model::enforce(model::node_params(), *op.ndparams)));
  }
  if (op.diskparams) {
    settings.diskparams = TRY(changed_diskparams(settings.diskparams, *op.diskparams));
  }
  if (op.ipolicy) settings.ipolicy = model::overlay(settings.ipolicy, *op.ipolicy);
  if (op.os_hvp) settings.os_hvp = model::overlay(settings.os_hvp, *op.os_hvp);
  if (op.osparams) settings.osparams = model::overlay(settings.osparams, *op.osparams);
  take(op.vg_name, settings.volume_group_name);
  take(op.candidate_pool_size, settings.candidate_pool_size);
  take(op.max_running_jobs, settings.max_running_jobs);
  take(op.max_tracked_jobs, settings.max_tracked_jobs);
  take(op.maintain_node_health, settings.maintain_node_health);
  take(op.prealloc_wipe_disks, settings.prealloc_wipe_disks);
  take(op.default_iallocator, settings.default_iallocator);
  take(op.mac_prefix, settings.mac_prefix);
  take(op.master_netdev, settings.master_netdev);
  take(op.master_netmask, settings.master_netmask);
  take(op.reserved_lvs, settings.reserved_lvs);
  take(op.file_storage_dir, settings.file_storage_dir);
  take(op.shared_file_storage_dir, settings.shared_file_storage_dir);
  take(op.enabled_user_shutdown, settings.enabled_user_shutdown);
  if (settings.max_running_jobs < 1) {
    return fail(ErrorCode::WrongInput, "max_running_jobs must be at least 1, not {}",
                settings.max_running_jobs);
  }
  if (cluster.settings().master_netdev == settings.master_netdev &&
      cluster.settings().master_netmask == settings.master_netmask) {
    return plan;
  }
  plan.address_before = master_address(cluster.settings(), false);
  plan.address_after = master_address(settings, true);
  return plan;
}

Result<json::value> ClusterSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  auto const& master = plan.settings.master_node;
  for (auto const& address : {plan.address_before, plan.address_after}) {
    if (!address) continue;
    auto back = *address;
    back.is_up = !back.is_up;
    TRY(job.step(fmt::format("{} the cluster's address on {}",
                             address->is_up ? "Raising" : "Dropping", address->netdev),
                 master, *address, {.undo = jobs::undo_call(master, back)}));
  }
  TRY(job.commit("Changing the settings", [&](store::ClusterEdit& edit) -> Result<void> {
    // Ports are handed out by instance creation meanwhile: those stay as they are now.
    auto settings = plan.settings;
    settings.highest_used_port = edit.base().settings().highest_used_port;
    settings.tcpudp_port_pool = edit.base().settings().tcpudp_port_pool;
    edit.put(std::move(settings));
    return {};
  }));
  json::object answer;
  answer["jobs"] = json::array();
  return answer;
}

schema::Fields ClusterSetParams::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::settings>("settings", "All settings from now on."),
      schema::field<&Plan::address_before>("address_before", "The cluster's address to drop."),
      schema::field<&Plan::address_after>("address_after", "The cluster's address to raise.")};
  return table;
}

}  // namespace flotte::units
