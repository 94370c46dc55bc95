#include "controller/first_cluster.h"

#include <algorithm>

#include "base/ip.h"
#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"
#include "model/nic_rules.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

template <class Enforce>
Result<json::object> each(json::object const& given, Enforce enforce) {
  json::object out;
  for (auto const& [name, params] : given) {
    if (!params.is_object()) {
      return fail(ErrorCode::WrongInput, "Parameters of '{}' must be a dict",
                  std::string_view(name));
    }
    out[name] = TRY(enforce(std::string_view(name), params.get_object()));
  }
  return out;
}

Result<void> enforce_parameters(model::Settings& settings) {
  settings.hvparams =
      TRY(each(settings.hvparams, [](std::string_view name, json::object const& params) {
        return model::enforce_hypervisor(name, params);
      }));
  for (auto const kind : settings.enabled_hypervisors) {
    TRY(model::check_hypervisor(kind, model::filled_hvparams(settings, kind)));
  }
  settings.diskparams =
      TRY(each(settings.diskparams,
               [](std::string_view name, json::object const& params) -> Result<json::object> {
                 auto const kind = schema::enum_from<model::DiskTemplate>(name);
                 if (!kind) return fail(ErrorCode::WrongInput, "Unknown disk template '{}'", name);
                 return model::enforce(model::disk_params(*kind), params);
               }));
  settings.beparams = TRY(model::enforce_backend(settings.beparams));
  settings.nicparams = TRY(model::enforce_nic(settings.nicparams));
  TRY(model::check_nic(model::filled_nicparams(settings)));
  settings.ndparams = TRY(model::enforce(model::node_params(), settings.ndparams));
  settings.ipolicy = TRY(model::changed_ipolicy(model::default_ipolicy(), settings.ipolicy,
                                                model::PolicyLevel::Cluster));
  return {};
}

Result<void> check(model::Settings const& settings) {
  if (settings.cluster_name.empty()) return fail(ErrorCode::WrongInput, "The cluster needs a name");
  if (settings.enabled_hypervisors.empty()) {
    return fail(ErrorCode::WrongInput, "At least one hypervisor must be enabled");
  }
  if (settings.enabled_disk_templates.empty()) {
    return fail(ErrorCode::WrongInput, "At least one disk template must be enabled");
  }
  TRY(model::check_compression_tools(settings.compression_tools));
  for (auto const one : settings.enabled_disk_templates) {
    auto const name = schema::name_of(one);
    if (model::traits_of(one).needs_group && settings.volume_group_name.empty()) {
      return fail(ErrorCode::WrongInput,
                  "Disk template {0} needs a volume group; name one with --vg-name, or leave {0} "
                  "out of --enabled-disk-templates",
                  name);
    }
    if (model::is_file(one) && model::directory_of(settings, one).empty()) {
      return fail(ErrorCode::WrongInput,
                  "Disk template {0} needs a directory; name one with --{1}-storage-dir", name,
                  model::traits_of(one).is_shared ? "shared-file" : "file");
    }
  }
  return {};
}

}  // namespace

Result<FirstCluster> first_cluster(json::object const& request, Random& random, double now) {
  auto given = request;
  auto const* bootstrap = given.if_contains("bootstrap");
  if (!bootstrap || !bootstrap->is_object()) {
    return fail(ErrorCode::WrongInput, "The node daemon's answer is missing");
  }
  auto const node_given = bootstrap->get_object();
  given.erase("bootstrap");
  auto const secondary_ip = model::text_of(given, "secondary_ip");
  given.erase("secondary_ip");
  given["uuid"] = random.uuid();

  FirstCluster first;
  first.settings = TRY(schema::decode<model::Settings>(json::value(given)));
  first.settings.master_ip = canonical_ip(first.settings.master_ip);
  TRY(enforce_parameters(first.settings));
  TRY(check(first.settings));

  first.group.uuid = GroupId(random.uuid());
  first.group.name = "default";
  first.node.uuid = NodeId(model::text_of(node_given, "node_uuid"));
  first.node.name = model::text_of(node_given, "node_name");
  first.node.primary_ip = model::text_of(node_given, "primary_ip");
  first.node.secondary_ip = secondary_ip.empty() ? first.node.primary_ip : secondary_ip;
  first.node.port = model::number_of(node_given, "port");
  first.node.group = first.group.uuid;
  if (first.node.uuid.empty() || first.node.name.empty() || first.node.port == 0) {
    return fail(ErrorCode::WrongInput, "The node daemon's answer lacks its name, UUID or port");
  }
  first.settings.master_node = first.node.uuid;
  for (auto* time : {&first.settings.ctime, &first.settings.mtime, &first.group.ctime,
                     &first.group.mtime, &first.node.ctime, &first.node.mtime}) {
    *time = now;
  }
  return first;
}

}  // namespace flotte::controller
