// Completion on the command line: one script for bash, made of the programs' tables, and the names
// that only the controller knows. The script holds everything that is known when it is made, so
// that a process is started for names alone. Pure, but for the commands.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace flotte::cli {

std::string bash_completion(std::vector<Program> const& all);

// flotte completion bash
Outcome<int> completion(Call& call);
// flotte names WHAT: instance, node, job and so on, tag, or instance-fields; one a line.
Outcome<int> names(Call& call);

}  // namespace flotte::cli
