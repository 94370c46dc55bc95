// What `gnt-instance add` and `gnt-backup import` have in common: a new instance from options.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

std::vector<Option> creation_options();
std::vector<Option> import_options();
Outcome<int> create_instance(Call& call);
Outcome<int> import_instance(Call& call);

Option disk_template_option(std::string help);
// In MiB.
Outcome<std::int64_t> disk_size(json::value const& given);
// "memory=512M,vcpus=2" of an option as a dict in the opcode.
Outcome<void> put_pairs(Call& call, json::object& op, std::string const& option,
                        std::string const& field);

}  // namespace flotte::cli
