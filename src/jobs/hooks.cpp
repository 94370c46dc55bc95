#include "jobs/hooks.h"

namespace flotte::jobs {
namespace {

constexpr std::string_view hooks_version = "2";
constexpr std::string_view configuration = "config-update";

// What every hook is told (docs/ganeti.md, "Hooks"), and the variables as they were before.
std::map<std::string, std::string> common(HookScene const& scene, std::string_view path,
                                          std::string_view phase) {
  auto const& settings = scene.cluster.settings();
  auto const master = scene.cluster.node(settings.master_node);
  std::map<std::string, std::string> environment{
      {"GANETI_HOOKS_VERSION", std::string(hooks_version)},
      {"GANETI_HOOKS_PATH", std::string(path)},
      {"GANETI_HOOKS_PHASE", std::string(phase)},
      {"GANETI_OP_CODE", std::string(scene.op_id)},
      {"GANETI_CLUSTER", settings.cluster_name},
      {"GANETI_MASTER", master ? (*master)->name : ""}};
  if (!scene.hooks.object_type.empty()) {
    environment["GANETI_OBJECT_TYPE"] = scene.hooks.object_type;
  }
  for (auto const& [name, value] : scene.hooks.variables) environment["GANETI_" + name] = value;
  return environment;
}

}  // namespace

rpc::HooksRun before_operation(HookScene const& scene) {
  auto const& path = scene.hooks.directory;
  return {.directory = path + "-pre.d",
          .instance = scene.hooks.instance,
          .environment = common(scene, path, "pre"),
          .later = {path + "-post.d", fmt::format("{}-post.d", configuration)}};
}

rpc::HooksRun after_operation(HookScene const& scene, HookVariables const& now) {
  auto const& path = scene.hooks.directory;
  rpc::HooksRun run{.directory = path + "-post.d",
                    .instance = scene.hooks.instance,
                    .environment = common(scene, path, "post")};
  for (auto const& [name, value] : now) run.environment["GANETI_POST_" + name] = value;
  return run;
}

rpc::HooksRun after_configuration(HookScene const& scene) {
  return {.directory = fmt::format("{}-post.d", configuration),
          .instance = scene.hooks.instance,
          .environment = common(scene, configuration, "post")};
}

json::array failures(std::string_view node, std::vector<rpc::HookResult> const& results) {
  json::array failed;
  for (auto const& [script, outcome, output] : results) {
    if (outcome != rpc::HookOutcome::Failed) continue;
    failed.push_back(json::array{node, script, output});
  }
  return failed;
}

schema::Fields Hooks::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Hooks::directory>("directory", "Without the phase."),
      field<&Hooks::object_type>("object_type", "What kind of thing it is about."),
      field<&Hooks::instance>("instance", "The instance that it is about."),
      field<&Hooks::variables>("variables", "What the scripts are told of it."),
      field<&Hooks::pre_nodes>("pre_nodes", "Where they run before."),
      field<&Hooks::post_nodes>("post_nodes", "Where they run afterwards."),
  };
  return table;
}

schema::Fields HooksLeft::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&HooksLeft::hooks>("hooks", "Those of the operation."),
      field<&HooksLeft::for_configuration>("for_configuration",
                                           "Whether the master has some for its changes."),
  };
  return table;
}

}  // namespace flotte::jobs
