#include "units/os_names.h"

#include <algorithm>
#include <set>

namespace flotte::units {
namespace {

constexpr std::int64_t api_with_parameters = 20;

}  // namespace

std::string os_base(std::string_view name) {
  return std::string(name.substr(0, name.find('+')));
}

std::string os_variant(std::string_view name) {
  auto const plus = name.find('+');
  return plus == std::string_view::npos ? std::string() : std::string(name.substr(plus + 1));
}

Result<rpc::OsDefinition> find_os(rpc::OsList const& list, std::string_view name,
                                  std::string_view node_name, bool force_variant) {
  auto const base = os_base(name);
  auto const variant = os_variant(name);
  auto const found = std::ranges::find(list.definitions, base, &rpc::OsDefinition::name);
  if (found == list.definitions.end()) {
    std::vector<std::string> names;
    for (auto const& os : list.definitions) names.push_back(os.name);
    return fail(ErrorCode::WrongInput, "OS '{}' not in supported OS list for node {}; it has: {}",
                base, node_name,
                names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  if (!found->diagnose.empty()) {
    return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError,
                   "OS Parameters validation failed on node {}: {}", node_name, found->diagnose);
  }
  if (found->variants.empty()) {
    if (variant.empty()) return *found;
    return fail(ErrorCode::WrongInput, "OS '{}' does not support variants ('{}' passed)", base,
                variant);
  }
  if (variant.empty()) {
    return fail(ErrorCode::WrongInput, "OS name '{}' must include a variant, one of: {}", base,
                fmt::join(found->variants, ", "));
  }
  if (!force_variant && std::ranges::find(found->variants, variant) == found->variants.end()) {
    return fail(ErrorCode::WrongInput,
                "Unsupported OS variant '{}' of '{}', it has: {}; --force-variant uses it anyway",
                variant, base, fmt::join(found->variants, ", "));
  }
  return *found;
}

boost::json::object os_parameter_changes(boost::json::object given) {
  for (auto& [name, value] : given) {
    if (value == "default") value = nullptr;
  }
  return given;
}

Result<void> check_os_parameters(rpc::OsDefinition const& os, boost::json::object const& params,
                                 std::string_view node_name) {
  if (os.api_versions.empty() || std::ranges::max(os.api_versions) < api_with_parameters) return {};
  std::vector<std::string> known;
  for (auto const& parameter : os.parameters) known.push_back(parameter.name);
  std::set<std::string> unknown;
  for (auto const& [name, value] : params) {
    if (std::ranges::find(known, name) == known.end()) unknown.emplace(name);
  }
  if (unknown.empty()) return {};
  return fail_as(ErrorClass::Exec, ErrorCode::WrongInput,
                 "OS Parameters validation failed on node {}: The following parameters are not "
                 "supported by the OS {}: {}; it has: {}",
                 node_name, os.name, fmt::join(unknown, ", "),
                 known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
}

Result<void> check_os_image(boost::json::object const& params) {
  auto const* given = params.if_contains("os-image");
  if (!given || !given->is_string()) return {};
  std::string_view const image = given->get_string();
  if (!image.starts_with('/') && image.find("://") == std::string_view::npos) {
    return fail(ErrorCode::WrongInput, "OS image must be an absolute path or a URL, not '{}'",
                image);
  }
  return fail(ErrorCode::WrongInput,
              "Installing an OS image ({}) is not built yet; without the OS parameter os-image the "
              "scripts of the OS definition install",
              image);
}

Result<void> check_given_once(boost::json::object const& open, boost::json::object const& hidden,
                              boost::json::object const& secret) {
  std::set<std::string> seen;
  std::set<std::string> repeated;
  for (auto const* given : {&open, &hidden, &secret}) {
    for (auto const& [name, value] : *given) {
      if (!seen.emplace(name).second) repeated.emplace(name);
    }
  }
  if (repeated.empty()) return {};
  return fail(ErrorCode::WrongInput,
              "OS parameters repeated multiple times: {}; give each of them once",
              fmt::join(repeated, ", "));
}

}  // namespace flotte::units
