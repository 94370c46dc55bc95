#include "units/instance_set_params.h"

#include "jobs/job_context.h"
#include "model/hypervisor_rules.h"
#include "store/config_store.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

void note(json::array& changes, std::string name, json::value value) {
  changes.push_back(json::array{json::value(json::string_view(name)), std::move(value)});
}

void note_all(json::array& changes, std::string_view kind, json::object const& given) {
  for (auto const& [key, value] : given) {
    note(changes, fmt::format("{}/{}", kind, std::string_view(key)), value);
  }
}

}  // namespace

Result<jobs::LockSet> InstanceSetParams::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::exclusive(jobs::LockLevel::Instance, instance->name)};
}

Result<InstanceSetParams::Facts> InstanceSetParams::inspect(Op const& op,
                                                            model::Cluster const& cluster,
                                                            jobs::NodeReader& nodes) {
  if (op.hvparams.empty()) return Facts{};
  auto instance = *TRY(cluster.instance(op.instance_name));
  auto const changes = TRY(model::enforce_hypervisor(instance.hypervisor, op.hvparams));
  instance.hvparams = model::overlay(std::move(instance.hvparams), changes);
  TRY(model::check_hypervisor(instance.hypervisor,
                              model::filled_hvparams(cluster.settings(), instance)));
  auto const node = TRY(cluster.node(instance.primary_node));
  if (!node->offline) TRY(check_on_node(cluster, instance, {}, nodes));
  return Facts{};
}

Result<InstanceSetParams::Plan> InstanceSetParams::plan(Op const& op, model::Cluster const& cluster,
                                                        Facts const&) {
  auto instance = *TRY(cluster.instance(op.instance_name));
  if (!op.nics.empty() || !op.disks.empty() || op.disk_template || op.runtime_mem) {
    return fail(ErrorCode::WrongInput,
                "Changing NICs, disks, the disk template or the runtime memory is not built yet");
  }
  auto const osparams_private = op.osparams_private.value_or(json::object());
  if (op.hvparams.empty() && op.beparams.empty() && op.osparams.empty() &&
      osparams_private.empty() && !op.os_name && !op.offline) {
    return fail(ErrorCode::WrongInput, "No changes submitted");
  }
  Plan plan{.instance = instance.uuid,
            .beparams = TRY(model::enforce_backend(op.beparams)),
            .hvparams = TRY(model::enforce_hypervisor(instance.hypervisor, op.hvparams)),
            .osparams = op.osparams,
            .osparams_private = osparams_private,
            .os_name = op.os_name,
            .offline = op.offline};
  // Online means down: one that should run is to be stopped first, also for that.
  if (op.offline && instance.admin_state == model::AdminState::Up) {
    return fail(ErrorCode::WrongState, "Instance '{}' is marked to be up, can't change to {}",
                instance.name, *op.offline ? "offline" : "online");
  }
  instance.beparams = model::overlay(std::move(instance.beparams), plan.beparams);
  auto const filled = model::filled_beparams(cluster.settings(), instance);
  if (model::number_of(filled, "minmem") > model::number_of(filled, "maxmem")) {
    return fail(ErrorCode::WrongInput, "minmem ({} MiB) must not be larger than maxmem ({} MiB)",
                model::number_of(filled, "minmem"), model::number_of(filled, "maxmem"));
  }
  if (!op.ignore_ipolicy) {
    auto const violations = model::policy_violations(cluster.settings().ipolicy, instance, filled);
    if (!violations.empty()) {
      return fail(ErrorCode::WrongInput,
                  "The change violates the instance policy: {}; --ignore-ipolicy does it anyway",
                  fmt::join(violations, ", "));
    }
  }
  note_all(plan.changes, "hv", plan.hvparams);
  // What the person typed: `memory`, not the two that it stands for.
  if (auto const* memory = op.beparams.if_contains("memory")) {
    auto shown = plan.beparams;
    note(plan.changes, "be/memory", shown.contains("maxmem") ? shown["maxmem"] : *memory);
    shown.erase("maxmem");
    shown.erase("minmem");
    note_all(plan.changes, "be", shown);
  } else {
    note_all(plan.changes, "be", plan.beparams);
  }
  note_all(plan.changes, "os", op.osparams);
  for (auto const& [key, value] : osparams_private) {
    note(plan.changes, fmt::format("os_private/{}", std::string_view(key)), "<redacted>");
  }
  if (op.os_name) note(plan.changes, "os", json::value(json::string_view(*op.os_name)));
  if (op.offline) note(plan.changes, "admin_state", *op.offline ? "offline" : "down");
  return plan;
}

Result<json::value> InstanceSetParams::apply(Plan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Changing its parameters", [&](store::ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.instance(plan.instance));
    instance.hvparams = model::overlay(std::move(instance.hvparams), plan.hvparams);
    instance.beparams = model::overlay(std::move(instance.beparams), plan.beparams);
    instance.osparams = model::overlay(std::move(instance.osparams), plan.osparams);
    instance.osparams_private =
        model::overlay(std::move(instance.osparams_private), plan.osparams_private);
    if (plan.os_name) instance.os = *plan.os_name;
    if (plan.offline) {
      instance.admin_state = *plan.offline ? model::AdminState::Offline : model::AdminState::Down;
    }
    edit.put(std::move(instance));
    return {};
  }));
  return plan.changes;
}

schema::Fields InstanceSetParams::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::instance>("instance", "The instance."),
      field<&Plan::beparams>("beparams", "Backend parameters that change; null: inherit."),
      field<&Plan::hvparams>("hvparams", "Hypervisor parameters that change; null: inherit."),
      field<&Plan::osparams>("osparams", "OS parameters that change; null: remove."),
      schema::secret<&Plan::osparams_private>("osparams_private",
                                              "Those kept from lists that change; null: remove."),
      field<&Plan::os_name>("os_name", "The OS, where it changes."),
      field<&Plan::offline>("offline", "Whether it is marked offline or online."),
      field<&Plan::changes>("changes", "What is told: [[name, value], ...]."),
  };
  return table;
}

}  // namespace flotte::units
