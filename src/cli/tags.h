// The tag commands, which several programs have.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

std::vector<Option> tag_options();
Outcome<int> add_tags(Call& call);
Outcome<int> remove_tags(Call& call);
Outcome<int> list_tags(Call& call);
// Of all objects: "/instances/NAME TAG", a line for each that the pattern finds.
Outcome<int> search_tags(Call& call);

}  // namespace flotte::cli
