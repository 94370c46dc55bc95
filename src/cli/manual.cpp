#include "cli/manual.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "model/params.h"

namespace flotte::cli {
namespace {

// An option that so many commands of a page take is told once.
constexpr auto shared_from = 4;

// A heading and what follows it, up to the next.
struct Section {
  std::string heading;  // "# FILES", "## add"
  std::string text;
};

std::string without_blank_ends(std::string const& text) {
  auto const begin = text.find_first_not_of('\n');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of('\n') + 1 - begin);
}

std::vector<Section> sections_of(std::string const& prose) {
  std::vector<Section> sections;
  std::istringstream lines(prose);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ") || line.starts_with("## ")) {
      sections.push_back({line, ""});
    } else if (!sections.empty()) {
      sections.back().text += line + "\n";
    }
  }
  for (auto& section : sections) section.text = without_blank_ends(section.text);
  return sections;
}

// So that Markdown takes it as it is.
std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (std::string_view("\\`*_<>[]").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string bold(std::string_view text) {
  return fmt::format("**{}**", escaped(text));
}

// "[<node>...]" with its placeholders in italics.
std::string italic_placeholders(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '<' || c == '>'; }, '*');
  return text;
}

std::string spelled(Option const& option) {
  auto const name = bold("--" + option.name) + (option.has_value ? "=*VALUE*" : "");
  return option.letter ? bold(fmt::format("-{}", option.letter)) + ", " + name : name;
}

std::string definition(std::string const& term, std::string const& text) {
  return fmt::format("{}\n: {}\n\n", term, text);
}

bool is_same(Option const& one, Option const& other) {
  return one.letter == other.letter && one.name == other.name && one.help == other.help;
}

bool contains(std::vector<Option> const& options, Option const& option) {
  return std::ranges::any_of(options, [&](Option const& one) { return is_same(one, option); });
}

// Options that are told once for the whole page.
std::vector<Option> shared_options(Program const& program) {
  std::vector<Option> shared;
  auto const everywhere = with(list_options(), {submit_options()});
  for (auto const& command : program.commands) {
    for (auto const& option : command.options) {
      auto const users = std::ranges::count_if(
          program.commands, [&](Command const& other) { return contains(other.options, option); });
      auto const is_shared = users >= shared_from || contains(everywhere, option);
      if (option.is_built && is_shared && !contains(shared, option)) shared.push_back(option);
    }
  }
  return shared;
}

std::string sentence_of(std::string const& lead, std::vector<std::string> const& items,
                        std::string const& end) {
  return items.empty() ? "" : fmt::format("{}{}{}\n\n", lead, fmt::join(items, ", "), end);
}

std::string options_text(Command const& command, std::vector<Option> const& shared) {
  std::string own;
  std::vector<std::string> common;
  std::vector<std::string> not_built;
  for (auto const& option : command.options) {
    if (!option.is_built) {
      not_built.push_back(bold("--" + option.name));
    } else if (contains(shared, option)) {
      common.push_back(spelled(option));
    } else {
      own += definition(spelled(option), escaped(option.help) + ".");
    }
  }
  return own + sentence_of("Common options: ", common, ".") +
         sentence_of("Not built yet: ", not_built, ".");
}

// The command's name and its aliases.
std::string names_of(Program const& program, Command const& command) {
  auto names = command.name;
  for (auto const& [alias, meant] : program.aliases) {
    if (meant == command.name) names += ", " + alias;
  }
  return names;
}

std::string command_text(Program const& program, Command const& command, std::string const& prose,
                         std::vector<Option> const& shared) {
  auto const help = escaped(command.help) + (command.help.ends_with('.') ? "" : ".");
  return fmt::format("### {}\n\n{} {}\n\n{}\n\n{}", names_of(program, command),
                     bold(program.name + " " + command.name),
                     italic_placeholders(command.arguments), prose.empty() ? help : prose,
                     options_text(command, shared));
}

std::string commands_text(Program const& program, std::map<std::string, std::string> const& prose) {
  std::string out;
  std::vector<std::string> not_built;
  auto const shared = shared_options(program);
  for (auto const& command : program.commands) {
    auto const found = prose.find(command.name);
    if (!command.function) {
      not_built.push_back(bold(command.name));
    } else {
      out += command_text(program, command, found == prose.end() ? "" : found->second, shared);
    }
  }
  return out + sentence_of("### Not built yet\n\nKnown by name, and refused: ", not_built, ".");
}

// Of a program that is one command.
std::string plain_text(Program const& program) {
  auto const& command = program.commands.front();
  std::string out;
  for (auto const& option : with(common_options(), {command.options})) {
    out += definition(spelled(option), escaped(option.help) + ".");
  }
  return out;
}

std::string common_options_text(Program const& program) {
  std::string out;
  for (auto const& option : with(common_options(), {shared_options(program)})) {
    out += definition(spelled(option), escaped(option.help) + ".");
  }
  return out;
}

std::string parameters_text(model::ParamTable table) {
  std::string out;
  for (auto const& param : table) {
    // The table's default is in JSON's notation.
    auto const is_empty = param.default_json == R"("")";
    std::string value(param.default_json);
    std::erase(value, '"');
    out += definition(bold(param.name), fmt::format("{} Default: {}.", escaped(param.doc),
                                                    is_empty ? "empty" : "`" + value + "`"));
  }
  return out;
}

// What follows the prose of a section.
std::string generated(std::string const& heading, Program const& program,
                      std::map<std::string, std::string> const& command_prose) {
  if (heading == "# OPTIONS" && program.is_plain) return plain_text(program);
  if (heading == "# COMMANDS") return commands_text(program, command_prose);
  if (heading == "# COMMON OPTIONS") return common_options_text(program);
  if (heading == "# BACKEND PARAMETERS") return parameters_text(model::backend_params());
  if (heading == "# NIC PARAMETERS") return parameters_text(model::nic_params());
  if (heading == "# HYPERVISOR PARAMETERS") {
    return parameters_text(model::hypervisor_params(model::HypervisorKind::Kvm));
  }
  return "";
}

Result<std::map<std::string, std::string>> prose_of_commands(Program const& program,
                                                             std::vector<Section> const& sections) {
  std::map<std::string, std::string> prose;
  for (auto const& [heading, text] : sections) {
    if (!heading.starts_with("## ")) continue;
    auto const name = heading.substr(3);
    auto const command = std::ranges::find(program.commands, name, &Command::name);
    if (command == program.commands.end()) {
      return fail(ErrorCode::WrongInput, "{}: there is no command '{}'", program.name, name);
    }
    if (!command->function) {
      return fail(ErrorCode::WrongInput, "{}: '{}' is not built yet", program.name, name);
    }
    prose[name] = text;
  }
  return prose;
}

Result<void> check_sections(Program const& program, std::vector<Section> const& sections) {
  auto const wanted_sections =
      program.is_plain ? std::vector<std::string>{"# NAME", "# OPTIONS"}
                       : std::vector<std::string>{"# NAME", "# COMMANDS", "# COMMON OPTIONS"};
  for (auto const& wanted : wanted_sections) {
    if (std::ranges::find(sections, wanted, &Section::heading) == sections.end()) {
      return fail(ErrorCode::WrongInput, "{}: there is no section '{}'", program.name, wanted);
    }
  }
  return {};
}

std::string title(std::string const& page) {
  return fmt::format("# {} 8 \"\" \"flotte\" \"Flotte\"\n\n", page);
}

Outcome<std::string> read_file(std::string const& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return stop(fmt::format("Can't read {}", path));
  return text.str();
}

}  // namespace

Result<std::string> manual_page(std::string const& page, std::string const& prose,
                                std::vector<Program> const& all) {
  auto const program = std::ranges::find(all, page, &Program::name);
  if (program == all.end()) return title(page) + prose;
  auto const sections = sections_of(prose);
  TRY(check_sections(*program, sections));
  auto const command_prose = TRY(prose_of_commands(*program, sections));
  auto out = title(page);
  for (auto const& [heading, text] : sections) {
    if (heading.starts_with("## ")) continue;
    out += fmt::format("{}\n\n{}{}{}", heading, text, text.empty() ? "" : "\n\n",
                       generated(heading, *program, command_prose));
  }
  return out;
}

Outcome<int> manual(Call& call) {
  auto const& path = call.arguments.positional()[0];
  auto const prose = OK(read_file(path));
  auto const page = std::filesystem::path(path).stem().string();
  std::fputs(GIVEN(manual_page(page, prose, programs())).c_str(), stdout);
  return 0;
}

}  // namespace flotte::cli
