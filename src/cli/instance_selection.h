// Which instances a command is about: what --all, --tags, --node and their like mean, and what is
// asked before many are touched (docs/ganeti.md, "Selecting instances").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace flotte::cli {

std::vector<Option> selection_options();

// WrongInput: none is, unless all are wanted.
Outcome<std::vector<std::string>> selection(Call& call);
// UnknownEntity: it isn't there.
Outcome<void> check_exists(Call& call, std::string const& name);

// Where the shell or Ganeti would ask about more than one.
bool is_for_many(Call const& call, std::vector<std::string> const& names);
// "The startup will operate on 2 instances."
std::string question_about(std::string_view verb, std::vector<std::string> const& names,
                           std::string_view note = "");

// The opcode about each: one job an instance, all submitted together, then waited for one after the
// other. The exit code.
Outcome<int> for_each_of(Call& call, std::vector<std::string> const& names, json::object const& op);

}  // namespace flotte::cli
