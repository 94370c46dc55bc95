// What info commands print: dictionaries from the controller, laid out with Ganeti's words
// (docs/ganeti.md, "Output of info"). Pure.
#pragma once

#include <boost/json/object.hpp>

#include "cli/command.h"

namespace flotte::cli {

// By key.
json::object sorted(json::object const& object);

json::object instance_layout(json::object const& info);
json::object group_layout(json::object const& row);
json::object cluster_layout(json::object const& info);
json::object job_layout(json::object const& row);

}  // namespace flotte::cli
