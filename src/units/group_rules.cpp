#include "units/group_rules.h"

#include <algorithm>

#include "model/names.h"

namespace flotte::units {

Result<void> check_object_name(std::string_view kind, std::string_view name) {
  if (model::is_object_name(name)) return {};
  return fail(ErrorCode::WrongInput,
              "Invalid {} name '{}': at most {} characters, no blanks among them, and no dash at "
              "the beginning",
              kind, name, model::object_name_bytes_max);
}

Result<void> check_alloc_policy(std::string_view policy) {
  for (auto const* known : {"preferred", "last_resort", "unallocable"}) {
    if (policy == known) return {};
  }
  return fail(ErrorCode::WrongInput,
              "Invalid allocation policy '{}': preferred, last_resort or unallocable", policy);
}

namespace {

// Of no template at all.
Result<void> refuse_unknown_disk_params(json::object const& params) {
  for (auto const& [name, value] : params) {
    auto const has_it = [&](auto const& known) {
      auto const& [kind, text] = known;
      return std::ranges::any_of(model::disk_params(kind), [&](model::Param const& param) {
        return param.name == std::string_view(name);
      });
    };
    if (std::ranges::any_of(schema::EnumNames<model::DiskTemplate>::names, has_it)) continue;
    return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Unknown parameter '{}'",
                   std::string_view(name));
  }
  return {};
}

}  // namespace

Result<json::object> changed_diskparams(json::object all, json::object const& changes) {
  for (auto const& [name, params] : changes) {
    auto const kind = schema::enum_from<model::DiskTemplate>(name);
    if (!params.is_object()) {
      return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Expected dictionary, got '{}'",
                     model::python_text(params));
    }
    if (!kind) {
      TRY(refuse_unknown_disk_params(params.get_object()));
      return fail(ErrorCode::WrongInput, "Unknown disk template '{}'", std::string_view(name));
    }
    auto const* known = all.if_contains(name);
    all[name] = model::overlay(known && known->is_object() ? known->get_object() : json::object(),
                               TRY(model::enforce(model::disk_params(*kind), params.get_object())));
  }
  return all;
}

}  // namespace flotte::units
