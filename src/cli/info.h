// What info commands print: dictionaries from the controller, laid out with Ganeti's words
// (ganeti-compat §1.5). Pure. And the tag commands, which every program has.
#pragma once

#include <boost/json/object.hpp>

#include "cli/command.h"

namespace flotte::cli {

json::object instance_layout(json::object const& info);
json::object cluster_layout(json::object const& info);
json::object job_layout(json::object const& row);

Outcome<int> add_tags(Call& call);
Outcome<int> remove_tags(Call& call);
Outcome<int> list_tags(Call& call);

}  // namespace flotte::cli
