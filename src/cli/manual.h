// The man pages: prose from docs/man with what the programs' tables say put in. Pure, but for the
// command that reads the prose; used when the packages are built, and by tests.
//
// The prose has a page's sections as `# HEADINGS`. Under `# COMMANDS` stand `## add` and the like:
// their paragraphs take the place of the command's help. Under COMMANDS, COMMON OPTIONS and the
// sections of parameters the tables follow what the prose says.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace flotte::cli {

// Markdown as go-md2man takes it. A page that is no program's is its prose alone.
Result<std::string> manual_page(std::string const& page, std::string const& prose,
                                std::vector<Program> const& all);

// flotte manual FILE: the page that docs/man/gnt-instance.md is the prose of.
Outcome<int> manual(Call& call);

}  // namespace flotte::cli
