#include "units/instance_names.h"

#include <algorithm>

#include "base/text.h"
#include "model/names.h"

namespace flotte::units {

namespace {

// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view name) {
  constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(name, form, [](char c, char wanted) {
    if (wanted == '-') return c == '-';
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

Result<std::string> normalized_name(std::string_view given) {
  auto name = lower_case(std::string(given));
  auto const fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  };
  if (name.empty() || name.size() > model::instance_name_bytes_max ||
      !std::ranges::all_of(name, fits) || name.front() == '.' || name.front() == '-' ||
      name.find("..") != std::string::npos) {
    return fail(ErrorCode::WrongInput,
                "Invalid hostname '{}'; it may have letters, digits, '-', '_' and '.', at most {} "
                "of them, and begins with none of '-' and '.'",
                name, model::instance_name_bytes_max);
  }
  if (name.back() == '.') name.pop_back();
  return name;
}

Result<NameChecks> name_checks(bool name_check, bool ip_check, std::string_view refusal) {
  if (ip_check && !name_check) {
    return fail(ErrorCode::WrongInput, "{}; give --name-check, too", refusal);
  }
  return ip_check ? NameChecks::NameAndAddress : name_check ? NameChecks::Name : NameChecks::None;
}

Result<std::optional<rpc::ResolvedName>> look_up_name(std::string const& given, NameChecks checks,
                                                      model::Cluster const& cluster,
                                                      jobs::NodeReader& nodes) {
  auto const name = TRY(normalized_name(given));
  if (checks == NameChecks::None) return std::optional<rpc::ResolvedName>();
  auto const master = TRY(cluster.node(cluster.settings().master_node));
  auto resolved = nodes.ask(*master, rpc::ResolveName{name, checks == NameChecks::NameAndAddress});
  if (resolved) return std::optional(std::move(*resolved));
  auto error = resolved.error();
  if (error.code == ErrorCode::UnknownEntity) error.code = ErrorCode::ResolverError;
  return Failure(std::move(error));
}

Result<std::string> free_name(std::string const& given,
                              std::optional<rpc::ResolvedName> const& resolved,
                              model::Cluster const& cluster) {
  auto const typed = TRY(normalized_name(given));
  auto const name = resolved ? TRY(normalized_name(resolved->name)) : typed;
  // A short name stands for the long one, but not for any other.
  if (name != typed && !name.starts_with(typed + ".")) {
    return fail(ErrorCode::WrongInput,
                "Resolved hostname '{}' does not look the same as given hostname '{}'", name,
                typed);
  }
  if (is_uuid(name)) {
    return fail(ErrorCode::WrongInput,
                "Instance name '{}' is a UUID, and instances are found by theirs, too; choose "
                "another name",
                name);
  }
  if (resolved && resolved->answers) {
    return fail(ErrorCode::ResourceNotUnique, "IP {} of instance {} already in use", resolved->ip,
                name);
  }
  if (auto const known = cluster.instance(name); known && (*known)->name == name) {
    return fail(ErrorCode::AlreadyExists, "Instance '{}' is already in the cluster", name);
  }
  return name;
}

}  // namespace flotte::units
