#include "units/os_names.h"

#include <algorithm>

namespace flotte::units {

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
    return fail(ErrorCode::EnvironmentError, "OS '{}' on node {} is not valid: {}", base, node_name,
                found->diagnose);
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

}  // namespace flotte::units
