#include "units/start_checks.h"

#include <boost/json/serialize.hpp>

#include "model/hypervisor_rules.h"

namespace flotte::units {

rpc::InstanceSpec device_spec(model::Cluster const& cluster, model::Instance const& instance,
                              Overrides const& overrides) {
  auto spec = instance_spec(cluster, instance, overrides);
  spec.osparams.clear();
  return spec;
}

std::vector<StartSource> start_sources(model::Settings const& settings) {
  std::vector<StartSource> sources;
  auto const add = [&](std::string name, model::HypervisorKind kind, std::string const& os) {
    model::Instance any;
    any.hypervisor = kind;
    any.os = os;
    rpc::InstanceSpec spec;
    spec.name = name;
    spec.hypervisor = kind;
    spec.os = os;
    spec.hvparams = model::start_hvparams(settings, any);
    spec.beparams = model::filled_beparams(settings, any);
    sources.push_back({std::move(name), std::move(spec)});
  };
  for (auto const kind : settings.enabled_hypervisors) {
    add("cluster", kind, "");
    for (auto const& [os, by_kind] : settings.os_hvp) {
      auto const* kinds = by_kind.if_object();
      if (kinds && kinds->contains(schema::name_of(kind))) {
        add(fmt::format("os {}", std::string_view(os)), kind, std::string(os));
      }
    }
  }
  return sources;
}

std::string start_shape(rpc::InstanceSpec const& spec) {
  json::array modes;
  for (auto const& one : spec.disks) {
    modes.push_back(json::array{json::string_view(schema::name_of(one.disk.dev_type)),
                                json::string_view(schema::name_of(one.disk.mode))});
  }
  return json::serialize(json::array{json::string_view(schema::name_of(spec.hypervisor)),
                                     spec.hvparams, model::number_of(spec.beparams, "vcpus"),
                                     model::number_of(spec.beparams, "maxmem"), std::move(modes),
                                     spec.nics.size()});
}

namespace {

bool is_away(Error const& error) {
  return error.error_class == ErrorClass::Unreachable;
}

Result<rpc::HypervisorAdvice> ask_advice(rpc::InstanceSpec const& spec, model::Node const& node,
                                         jobs::NodeReader& nodes) {
  TRY(model::check_start(spec.hypervisor, spec.hvparams, spec.beparams));
  // The fake one takes everything.
  if (spec.hypervisor == model::HypervisorKind::Fake) return rpc::HypervisorAdvice{};
  auto checked = nodes.ask(node, rpc::HypervisorValidate{spec});
  // A daemon that is being restarted has refused nothing.
  if (checked || is_away(checked.error())) return checked;
  auto error = checked.error();
  error.error_class = ErrorClass::Exec;
  error.message = fmt::format("Hypervisor parameter validation failed on node {}: {}", node.name,
                              error.message);
  return Failure(std::move(error));
}

}  // namespace

Result<std::vector<std::string>> check_start_on(rpc::InstanceSpec const& spec,
                                                model::Node const& node, jobs::NodeReader& nodes) {
  return TRY(ask_advice(spec, node, nodes)).warnings;
}

Result<std::optional<std::string>> check_start(model::Cluster const& cluster,
                                               model::Instance const& instance,
                                               Overrides const& overrides,
                                               jobs::NodeReader& nodes) {
  auto const advice = TRY(ask_advice(device_spec(cluster, instance, overrides),
                                     *TRY(online_primary(cluster, instance)), nodes));
  if (advice.is_known || advice.warnings.empty()) return std::optional<std::string>();
  return std::optional(advice.warnings.back());
}

Failure not_stopped(model::Instance const& instance, std::string_view unknown) {
  return fail(ErrorCode::EnvironmentError,
              "{}; so instance {} is not stopped. 'gnt-instance shutdown' and 'startup' don't mind",
              unknown, instance.name);
}

Result<std::vector<std::string>> check_start_changes(rpc::InstanceSpec const& before,
                                                     rpc::InstanceSpec const& after,
                                                     model::Node const& node,
                                                     jobs::NodeReader& nodes) {
  if (start_shape(before) == start_shape(after)) return std::vector<std::string>();
  auto checked = check_start_on(after, node, nodes);
  if (checked || before.hvparams != after.hvparams || is_away(checked.error())) return checked;
  auto const was = check_start_on(before, node, nodes);
  if (was) return checked;
  if (is_away(was.error())) return was;
  return std::vector{
      fmt::format("It can't be started, now as before: {}", checked.error().message)};
}

}  // namespace flotte::units
