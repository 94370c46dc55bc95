// What the units of node groups share: names and parameters that a group may have.
#pragma once

#include <string_view>

#include "model/params.h"

namespace flotte::units {

namespace json = boost::json;

// Of a group or a network, as `kind` says.
Result<void> check_object_name(std::string_view kind, std::string_view name);
Result<void> check_alloc_policy(std::string_view policy);
// Changes of disk parameters, laid over what there is; by template.
Result<json::object> changed_diskparams(json::object all, json::object const& changes);

}  // namespace flotte::units
