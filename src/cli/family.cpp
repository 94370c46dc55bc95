// From argv to a command, and how usage and help look.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/boundary.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t help_width = 80;

// Made when asked for: to make all takes longer than the rest of a command's start.
constexpr std::pair<std::string_view, Program (*)()> family[] = {
    {"gnt-instance", instance_program}, {"gnt-cluster", cluster_program},
    {"gnt-node", node_program},         {"gnt-group", group_program},
    {"gnt-job", job_program},           {"gnt-os", os_program},
    {"gnt-backup", backup_program},     {"gnt-network", network_program},
    {"gnt-storage", storage_program},   {"gnt-filter", filter_program},
    {"gnt-debug", debug_program},       {"move-instance", move_program},
    {"flotte", flotte_program}};

void print_usage(Program const& program) {
  std::printf(
      "Usage: %s {command} [options...] [argument...]\n"
      "%s <command> --help to see details, or man %s\n\nCommands:\n",
      program.name.c_str(), program.name.c_str(), program.name.c_str());
  std::size_t width = 0;
  for (auto const& command : program.commands) width = std::max(width, command.name.size());
  for (auto const& command : program.commands) {
    auto lead = fmt::format(" {:{}} - ", command.name, width);
    for (auto const& line : wrapped_lines(command.help, help_width - lead.size())) {
      std::printf("%s%s\n", lead.c_str(), line.c_str());
      lead = std::string(lead.size(), ' ');
    }
  }
  std::printf("\n");
}

std::string usage_line(Program const& program, Command const& command) {
  auto const name = program.is_plain ? "" : command.name + " ";
  return fmt::format("Usage\n=====\n  {} {}{}\n", program.name, name, command.arguments);
}

void print_help(Program const& program, Command const& command) {
  std::printf("%s\n", usage_line(program, command).c_str());
  for (auto const& line : wrapped_lines(command.help, help_width - 2))
    std::printf("%s\n", line.c_str());
  std::printf("\nOptions\n=======\n");
  for (auto const& option : command.options) {
    auto const value = option.has_value ? "=VALUE" : "";
    auto const names = option.letter ? fmt::format("-{}, --{}{}", option.letter, option.name, value)
                                     : fmt::format("--{}{}", option.name, value);
    std::printf("  %-34s %s%s\n", names.c_str(), option.help.c_str(),
                option.is_built ? "" : " (not built yet)");
  }
}

int usage_error(Program const& program, Command const& command, std::string const& message) {
  std::fprintf(stderr, "%s\n%s: error: %s\n", usage_line(program, command).c_str(),
               program.name.c_str(), message.c_str());
  return exit_usage;
}

// What it expects instead, in Ganeti's words; empty where the count is right.
std::string argument_fault(Command const& command, std::size_t count) {
  auto const least = command.arguments_min;
  auto const most = command.arguments_max;
  if (count > 0 && most == 0) return "no arguments";
  if (least == most && count != least) return fmt::format("{} argument(s)", least);
  if (count > most) return fmt::format("only {} argument(s)", most);
  if (count < least) return fmt::format("at least {} argument(s)", least);
  return "";
}

bool is_secret(std::string const& word) {
  // Both of them, also where they are abbreviated.
  return word.starts_with("--os-parameters-");
}

// What was typed, but not what nobody else may read.
std::string loggable(std::vector<std::string> const& argv) {
  std::string text;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    auto const is_hidden =
        i > 0 && is_secret(argv[i - 1]) && argv[i - 1].find('=') == std::string::npos;
    auto const shown = is_secret(argv[i]) ? argv[i].substr(0, argv[i].find('=')) : argv[i];
    text += (text.empty() ? "" : " ") + (is_hidden ? "..." : shown);
  }
  return text;
}

// As Ganeti keeps it; a person without the right to write it is not told.
void log_command(Paths const& paths, std::string const& program,
                 std::vector<std::string> const& argv) {
  constexpr mode_t administrators = 0640;
  int const fd = ::open(paths.commands_log().c_str(),
                        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, administrators);
  if (fd < 0) return;
  auto const now = SystemClock().wall();
  auto const milliseconds = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch());
  std::time_t const seconds = milliseconds.count() / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  auto const line =
      fmt::format("{:%Y-%m-%d %H:%M:%S},{:03}: {} pid={} INFO run with arguments '{}'\n", local,
                  milliseconds.count() % 1000, program, ::getpid(), loggable(argv));
  (void)!::write(fd, line.data(), line.size());
  ::close(fd);
}

std::vector<std::string> environment_arguments(std::string const& program,
                                               std::string const& command) {
  if (command != "list") return {};
  auto name = program + "_" + command;
  std::ranges::transform(name, name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  std::vector<std::string> words;
  auto const* value = std::getenv(name.c_str());
  std::istringstream text(value ? value : "");
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

int run_command(Program const& program, Command command, std::vector<std::string> const& argv,
                std::vector<std::string> words) {
  command.options = with(common_options(), {command.options});
  auto const order = program.is_plain ? Order::Mixed : Order::OptionsFirst;
  auto const parsed = parse_options(command.options, words, order);
  if (!parsed) return usage_error(program, command, parsed.error().message);
  if (parsed->has("help")) {
    print_help(program, command);
    return 0;
  }
  if (auto const fault = argument_fault(command, parsed->positional().size()); !fault.empty()) {
    if (program.is_plain) return usage_error(program, command, "Not enough arguments");
    std::fprintf(stderr, "Error: Command %s expects %s\n", command.name.c_str(), fault.c_str());
    return exit_failure;
  }
  if (!command.function) command.function = command.refusal;
  if (!command.function) {
    std::fprintf(stderr, "%s %s is not built yet\n", program.name.c_str(), command.name.c_str());
    return exit_failure;
  }
  Session session(Paths::from_environment());
  if (command.is_logged) log_command(session.paths(), program.name, argv);
  Call call{program.name, command.name, *parsed, session};
  auto const outcome = command.function(call);
  std::fflush(stdout);
  if (outcome) return *outcome;
  auto const& error = outcome.error();
  if (program.is_plain && error.exit_code == exit_usage) {
    return usage_error(program, command, error.text);
  }
  if (!error.text.empty()) std::fprintf(stderr, "%s\n", error.text.c_str());
  return error.exit_code;
}

int run(Program const& program, std::vector<std::string> argv) {
  if (!argv.empty() && argv[0] == "--version") {
    std::printf("%s (flotte 0.1.0) 3.0.2\n", program.name.c_str());
    return 0;
  }
  if (program.is_plain) return run_command(program, program.commands.front(), argv, argv);
  if (argv.empty()) {
    print_usage(program);
    return exit_failure;
  }
  if (argv[0] == "--help") {
    print_usage(program);
    return 0;
  }
  auto name = argv[0];
  for (auto const& [alias, meant] : program.aliases) {
    if (alias == name) name = meant;
  }
  auto found = std::ranges::find(program.commands, name, &Command::name);
  if (found == program.commands.end()) {
    print_usage(program);
    return exit_failure;
  }
  auto words = environment_arguments(program.name, name);
  words.insert(words.end(), argv.begin() + 1, argv.end());
  return run_command(program, *found, argv, std::move(words));
}

}  // namespace

std::vector<Program> programs() {
  std::vector<Program> all;
  for (auto const& [name, make] : family) all.push_back(make());
  return all;
}

std::vector<Option> common_options() {
  return {{'h', "help", false, "Show this help"},
          {'d', "debug", false, "Increase debugging level"},
          {0, "reason", true, "The reason, for the job's history"}};
}

namespace {

int run_program(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  auto name =
      words[0].substr(words[0].rfind('/') == std::string::npos ? 0 : words[0].rfind('/') + 1);
  words.erase(words.begin());
  // flotte gnt-instance list, for who has no links to the binary.
  auto const is_known = [](std::string_view word) {
    return std::ranges::find(family, word, [](auto const& one) { return one.first; }) !=
           std::end(family);
  };
  if (name == "flotte" && !words.empty() && is_known(words[0])) {
    name = words[0];
    words.erase(words.begin());
  }
  if (words.size() >= 2 && words[0] == "--root") {
    ::setenv("FLOTTE_ROOT", words[1].c_str(), 1);
    words.erase(words.begin(), words.begin() + 2);
  }
  for (auto const& [known, make] : family) {
    if (known == name) return run(make(), std::move(words));
  }
  std::string names;
  for (auto const& [known, make] : family) names += fmt::format(" {}", known);
  std::fprintf(stderr, "%s: no such program; this binary is:%s\n", name.c_str(), names.c_str());
  return exit_failure;
}

}  // namespace

// What the controller answers is looked into with functions that throw when it is not what it was
// declared to be: that ends here, as all else that is thrown.
int run_command_line(int argc, char** argv) {
  auto const ended =
      boundary("The command", [&]() -> Result<int> { return run_program(argc, argv); });
  if (ended) return *ended;
  std::fflush(stdout);
  std::fprintf(stderr,
               "Unhandled Ganeti error: %s; what it had submitted by then goes on: gnt-job list\n",
               ended.error().message.c_str());
  return exit_failure;
}

}  // namespace flotte::cli
