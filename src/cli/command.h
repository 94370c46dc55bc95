// A command: one row of a program's table. `gnt-instance add` is the row `add` of the program
// `gnt-instance`.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/print.h"
#include "cli/session.h"

namespace flotte::cli {

struct Call {
  std::string program;  // gnt-instance
  std::string command;  // add
  Arguments arguments;
  Session& session;
};

using CommandFunction = Outcome<int> (*)(Call&);

struct Command {
  std::string name;
  std::string arguments;  // shown in the usage line, e.g. "[<instance-name>...]"
  std::size_t arguments_min = 0;
  std::size_t arguments_max = 0;
  std::vector<Option> options;
  std::string help;
  CommandFunction function = nullptr;  // null: listed as Ganeti lists it, not built yet
  // In commands.log. What the shell asks while somebody types is not worth a line there.
  bool is_logged = true;
  // Of one that is not built: where it can say more than that.
  CommandFunction refusal = nullptr;
};

struct Program {
  std::string name;
  std::vector<Command> commands;
  std::vector<std::pair<std::string, std::string>> aliases;  // stop -> shutdown
  // It has one command, which has no name: its options and arguments follow the program's, in any
  // order.
  bool is_plain = false;
};

Program instance_program();
Program cluster_program();
Program node_program();
Program group_program();
Program job_program();
Program os_program();
Program debug_program();
Program backup_program();
Program network_program();
Program storage_program();
Program filter_program();
Program move_program();
Program flotte_program();
std::vector<Program> programs();  // all of them

// argv[0] (or, for `flotte gnt-instance …`, argv[1]) names the program. The exit code.
int run_command_line(int argc, char** argv);

// --- What the programs share
// ------------------------------------------------------------------------------------------

std::vector<Option> common_options();  // of every command: --help --debug --reason
std::vector<Option> with(std::vector<Option> own, std::vector<std::vector<Option>> const& more);
// Of a command that is not built: known, so that its help and what is mistyped are Ganeti's. Named
// as "force", "f/force", or with a value "I/iallocator=".
std::vector<Option> known_options(std::vector<std::string> const& names);
// Named likewise; parsed, and refused by name.
std::vector<Option> not_built_options(std::vector<std::string> const& names);
std::vector<Option> without(std::vector<Option> options, std::vector<std::string> const& names);
std::vector<Option> priority_option();
std::vector<Option> list_options();         // --no-headers --separator --units -o -v -F --json
std::vector<Option> list_fields_options();  // --no-headers --separator --json
std::vector<Option> submit_options();       // --submit --print-jobid --dry-run --priority

// An opcode with the common parameters from the options.
Outcome<json::object> opcode(Call& call, std::string_view op_id);
// Submits one job and waits, or with --submit only says its id. The results of its opcodes; none
// with --submit and --dry-run.
Outcome<std::optional<json::array>> submit_or_run(Call& call, json::object op);
struct JobEnd {
  std::int64_t id = 0;
  Outcome<json::array> results;
};

// The jobs that one submitted, by its results, each followed to its end. Their ids are told as
// Ganeti tells them.
Outcome<std::vector<JobEnd>> follow_jobs(Call& call, json::array const& results);
Outcome<TableOptions> table_options(Call& call);
// Those of --output: instead of the default ones, or with a plus after them.
std::vector<std::string> chosen_fields(Call& call, std::string const& default_fields);
// A list command over one resource. A filter that is not null holds beside what is chosen by
// arguments.
Outcome<int> list(Call& call, std::string const& what, std::string const& default_fields,
                  json::value const& filter = {});
// The same of the objects that are named, or all, whatever the arguments are.
Outcome<int> list_named(Call& call, std::string const& what, std::string const& default_fields,
                        std::vector<std::string> const& names);
Outcome<int> list_fields(Call& call, std::string const& what);
// Objects by name, or all; each row an object of its fields.
Outcome<json::array> rows_of(Call& call, std::string const& what, json::array fields,
                             std::vector<std::string> const& names);
// Asks on the terminal. --force and --force-multiple answer yes, or nothing does.
enum class Unless { Forced, Never };
Outcome<void> confirm(Call& call, std::string const& question, Unless unless = Unless::Forced,
                      int refused = exit_failure);
json::value text_value(std::string_view text);
json::array text_values(std::vector<std::string> const& texts);

}  // namespace flotte::cli

// The value of an Outcome, or return its error.
#define OK(expression)                                        \
  __extension__({                                             \
    auto flotte_ok = (expression);                            \
    if (!flotte_ok) return tl::unexpected(flotte_ok.error()); \
    std::move(*flotte_ok);                                    \
  })
// The same for a Result: our own errors are worded as prerequisite errors.
#define GIVEN(expression)                                 \
  __extension__({                                         \
    auto flotte_given = (expression);                     \
    if (!flotte_given) return stop(flotte_given.error()); \
    std::move(*flotte_given);                             \
  })
