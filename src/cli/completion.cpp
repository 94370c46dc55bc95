// The notation between the tables here and the script below. What may stand for a value or an
// argument is its kind: words parted by "|"; or "@" and what the script finds out, as in @node; or
// "?", anything. A comma at the end: several, parted by commas.
#include "cli/completion.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>
#include <set>

#include "cli/values.h"
#include "model/disk_templates.h"
#include "model/params.h"

namespace flotte::cli {
namespace {

constexpr auto anything = "?";

// After the tables.
constexpr auto script = R"bash(
# The words up to the cursor as they were typed: readline parts them at = and : too.
_flotte_words() {
  local rest=$COMP_LINE part
  words=()
  for part in "${COMP_WORDS[@]:0:COMP_CWORD + 1}"; do
    if [[ ${#words[@]} -gt 0 && $rest != [[:space:]]* ]]; then
      words[-1]+=$part
    else
      words+=("$part")
    fi
    rest=${rest#"${rest%%[![:space:]]*}"}
    rest=${rest#"$part"}
  done
}

# _flotte_offer LEAD TYPED CANDIDATE...: those that begin as TYPED does, after LEAD, which stays.
_flotte_offer() {
  local lead=$1 typed=$2 last=${COMP_WORDS[COMP_CWORD]} candidate
  shift 2
  [[ $last == [=:] ]] && last=
  # What readline does not count as part of the word.
  local held=${words[-1]%"$last"}
  for candidate; do
    [[ $candidate == "$typed"* ]] || continue
    printf -v candidate '%q' "$candidate"
    candidate=$lead$candidate
    COMPREPLY+=("${candidate#"$held"}")
  done
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
}

# The OS definitions of this machine, as name+variant.
_flotte_os() {
  local folder name variant has_variant
  for folder in "$root"/{srv/ganeti,usr/local/lib/ganeti,usr/lib/ganeti,usr/share/ganeti}/os/*/; do
    [[ -e $folder/create ]] || continue
    name=${folder%/} name=${name##*/} has_variant=
    if [[ -r $folder/variants.list ]]; then
      while read -r variant; do
        [[ $variant ]] && candidates+=("$name+$variant") has_variant=1
      done <"$folder/variants.list"
    fi
    [[ $has_variant ]] || candidates+=("$name")
  done
}

# _flotte_value KIND LEAD TYPED: what may stand for a value or an argument.
_flotte_value() {
  local kind=$1 lead=$2 typed=$3 before='' candidates=()
  if [[ $kind == *, ]]; then
    compopt -o nospace 2>/dev/null
    [[ $typed == +* ]] && before=+
    [[ $typed == *,* ]] && before=${typed%,*},
    lead+=$before typed=${typed#"$before"} kind=${kind%,}
  fi
  case $kind in
    '?') return ;;
    @file) compopt -o default 2>/dev/null; return ;;
    @directory) compopt -o dirnames 2>/dev/null; return ;;
    @interface) candidates=(/sys/class/net/*); candidates=("${candidates[@]##*/}") ;;
    @os) _flotte_os ;;
    @definition) _flotte_os; candidates=("${candidates[@]%%+*}") ;;
    @*) mapfile -t candidates < <(FLOTTE_ROOT=$root flotte names "${kind#@}" 2>/dev/null) ;;
    *) IFS='|' read -ra candidates <<<"$kind"
       # After the first comma of kvm:a=1,b=2 there is no kvm: any more.
       [[ $before ]] && candidates=("${candidates[@]#*:}") ;;
  esac
  _flotte_offer "$lead" "$typed" "${candidates[@]}"
  # A parameter's value may be a path.
  [[ ${#COMPREPLY[@]} -eq 0 && $typed == *=* ]] && compopt -o default 2>/dev/null
}

_flotte() {
  local IFS=$' \t\n' words=() options=() kinds=() root=$FLOTTE_ROOT program command key mixed at=1 given=0 i token name
  local -A takes=()
  COMPREPLY=()
  _flotte_words
  local last=$((${#words[@]} - 1))
  # As the programs read it: flotte gnt-instance …, and --root DIR first.
  program=${words[0]##*/}
  if [[ $program == flotte && $last -gt 1 && ${words[1]} && ${_flotte_commands["${words[1]}"]+known} ]]; then
    program=${words[1]} at=2
  fi
  if [[ ${words[at]} == --root && $last -gt $((at + 1)) ]]; then
    root=${words[at + 1]} at=$((at + 2))
  fi
  # One without commands has its options wherever they stand.
  [[ ${_flotte_commands[$program]} ]] || mixed=1
  if [[ ! $mixed ]]; then
    if ((at == last)); then
      read -ra options <<<"${_flotte_commands[$program]}"
      _flotte_offer '' "${words[last]}" "${options[@]}"
      return
    fi
    command=${words[at]}
    command=${_flotte_aliases["$program $command"]:-$command}
    ((++at))
  fi
  key="$program $command"
  read -ra kinds <<<"${_flotte_options[$key]}"
  for token in "${kinds[@]}"; do
    name=${token%%=*}
    options+=("--${name#*--}")
    if [[ $token == *=* ]]; then
      options[-1]+='='
      takes["--${name#*--}"]=${token#*=}
      takes["${name%%,*}"]=${token#*=}
    fi
  done

  # Options come before the first argument; nothing is an option after it.
  for ((; at < last; ++at)); do
    if [[ ${words[at]} == -- ]]; then
      ((++at))
      options=()
      break
    elif [[ ${words[at]} == -?* ]]; then
      [[ ${takes["${words[at]}"]} ]] && ((++at))
    elif [[ $mixed ]]; then
      ((++given))
    else
      break
    fi
  done
  local typed=${words[last]}
  if ((at > last)); then
    _flotte_value "${takes["${words[last - 1]}"]}" '' "$typed"
  elif ((at == last)) && [[ $typed == --*=* && ${takes["${typed%%=*}"]} ]]; then
    _flotte_value "${takes["${typed%%=*}"]}" "${typed%%=*}=" "${typed#*=}"
  elif ((at == last)) && [[ $typed == -* ]]; then
    _flotte_offer '' "$typed" "${options[@]}"
  else
    read -ra kinds <<<"${_flotte_arguments[$key]}"
    i=$((given + last - at))
    # The last one may be repeated.
    ((i >= ${#kinds[@]} && ${#kinds[@]})) && [[ ${kinds[-1]} == *... ]] && i=$((${#kinds[@]} - 1))
    name=${kinds[i]%...}
    _flotte_value "${name:-?}" '' "$typed"
  fi
}
)bash";

// "acpi=|boot_order=|…,", each after `lead`.
std::string parameters_after(std::string_view lead, model::ParamTable table) {
  std::string words;
  for (auto const& param : table) {
    words += fmt::format("{}{}{}=", words.empty() ? "" : "|", lead, param.name);
  }
  return words + ",";
}

// By the options' names; those with another kind in one program or command stand with its name.
// Those that are built, and their parameters.
std::pair<std::string, std::string> values_of_templates() {
  std::set<std::string> names;
  std::vector<std::string> parameters;
  for (auto const& [kind, name] : schema::EnumNames<model::DiskTemplate>::names) {
    if (!model::traits_of(kind).is_built) continue;
    names.emplace(name);
    auto const params = model::disk_params(kind);
    if (!params.empty()) parameters.push_back(parameters_after(fmt::format("{}:", name), params));
  }
  return {fmt::format("{}", fmt::join(names, "|")), fmt::format("{}", fmt::join(parameters, "|"))};
}

std::map<std::string, std::string> const& kinds_of_values() {
  static auto const kinds = [] {
    auto const kvm = model::hypervisor_params(model::HypervisorKind::Kvm);
    auto const [templates, disk_parameters] = values_of_templates();
    std::string const yes_or_no = "yes|no";
    return std::map<std::string, std::string>{
        {"alloc-policy", "preferred|last_resort|unallocable"},
        {"backend-parameters", "memory=|" + parameters_after("", model::backend_params())},
        {"disk", "0:size="},
        {"disk-parameters", disk_parameters},
        {"disk-template", templates},
        {"dest-ca-file", "@file"},
        {"dest-disk-template", templates},
        {"dest-password-file", "@file"},
        {"enabled-disk-templates", templates + ","},
        {"enabled-hypervisors", "kvm|fake,"},
        {"from", "@file"},
        {"flotte file", "@file"},
        {"gnt-cluster file-storage-dir", "@directory"},
        {"gnt-debug n", "@node"},
        {"gnt-debug locks output", "@lock-fields,"},
        {"gnt-instance modify hypervisor-parameters", parameters_after("", kvm)},
        {"gnt-instance startup hypervisor-parameters", parameters_after("", kvm)},
        {"gnt-network connect nic-parameters", "mode=|link=|vlan=,"},
        {"move-instance compress", "none|gzip|gzip-fast|gzip-slow|lzop"},
        {"move-instance hypervisor-parameters", parameters_after("", kvm)},
        {"hypervisor-parameters", parameters_after("kvm:", kvm)},
        {"ipolicy-disk-templates", templates + ","},
        {"maintain-node-health", yes_or_no},
        {"master-netdev", "@interface"},
        {"net", "0:link="},
        {"nic-parameters", parameters_after("", model::nic_params())},
        {"node", "@node"},
        {"src-node", "@node"},
        {"node-group", "@group"},
        {"node-parameters", parameters_after("", model::node_params())},
        {"opts", "read|write|@readonly|@operator|@admin,"},
        {"os-type", "@os"},
        {"prealloc-wipe-disks", yes_or_no},
        {"priority", "low|normal|high"},
        {"shared-file-storage-dir", "@directory"},
        {"src-ca-file", "@file"},
        {"src-password-file", "@file"},
        {"storage-type", "file|lvm-vg|sharedfile"},
        {"tags", "@tag,"},
        {"type", "soft|hard|full"},
        {"units", "h|m|g|t"},
        {"user-shutdown", yes_or_no}};
  }();
  return kinds;
}

// By the placeholders' names.
std::map<std::string, std::string> const& kinds_of_arguments() {
  static std::map<std::string, std::string> const kinds{{"file", "@file"},
                                                        {"filename", "@file"},
                                                        {"group", "@group"},
                                                        {"group-name", "@group"},
                                                        {"instance", "@instance"},
                                                        {"instance-name", "@instance"},
                                                        {"instances.json", "@file"},
                                                        {"job-id", "@job"},
                                                        {"node", "@node"},
                                                        {"network", "@network"},
                                                        {"network-name", "@network"},
                                                        {"node-name", "@node"},
                                                        {"op-list-file", "@file"},
                                                        {"tag", "@tag"}};
  return kinds;
}

// What the program is about: the resource of its lists.
std::string objects_of(Program const& program) {
  if (program.name == "gnt-backup") return "@export";
  return "@" + program.name.substr(program.name.find('-') + 1);
}

// What `list` and `list-fields` of the program know.
std::string fields_of(Program const& program) {
  return objects_of(program) + "-fields";
}

std::string kind_of_value(Program const& program, Command const& command, Option const& option) {
  if (command.name == "list" && option.name == "output") return fields_of(program) + ",";
  auto const& kinds = kinds_of_values();
  for (auto const& name : {fmt::format("{} {} {}", program.name, command.name, option.name),
                           fmt::format("{} {}", program.name, option.name), option.name}) {
    if (auto const found = kinds.find(name); found != kinds.end()) return found->second;
  }
  return anything;
}

std::string kind_of_argument(Program const& program, Command const& command,
                             std::string const& placeholder) {
  // A new name is nobody's yet.
  if (command.name == "add") return anything;
  if (placeholder == "fields") return fields_of(program);
  if (placeholder == "old-name") return objects_of(program);
  // The instance itself may be gone.
  if (program.name == "gnt-backup" && command.name != "export") return objects_of(program);
  auto const& kinds = kinds_of_arguments();
  auto const found = kinds.find(placeholder);
  return found == kinds.end() ? anything : found->second;
}

// "{--all | <instance-name>...}" → "@instance...", "{start|stop}" → "start|stop".
std::string arguments_of(Program const& program, Command const& command) {
  // These take a name, but their usage doesn't say so.
  if (program.name == "gnt-os" && command.arguments.empty()) {
    return command.name == "info"     ? "@definition..."
           : command.name == "modify" ? "@definition"
                                      : "";
  }
  // An option's placeholder, which is no argument; a placeholder; a bare one, which is always
  // repeated; a choice of words.
  static std::regex const part(
      R"((--?[A-Za-z-]+ <[a-z-]+>)|<([a-z_.-]*[a-z])(\.\.\.>|>( ?\.\.\.)?))"
      R"(|\b(fields)( ?\.\.\.))"
      R"(|\{([a-z]+(\|[a-z]+)*)\}|^([a-z]+(\|[a-z]+)+)$)");
  std::vector<std::string> kinds;
  auto const& text = command.arguments;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), part); at != std::sregex_iterator();
       ++at) {
    auto const& match = *at;
    if (match[2] == "opts") continue;
    if (match[2].matched) {
      kinds.push_back(kind_of_argument(program, command, match[2]) +
                      (match[3].str().size() > 1 ? "..." : ""));
    } else if (match[5].matched) {
      kinds.push_back(kind_of_argument(program, command, match[5]) + "...");
    } else if (match[7].matched || match[9].matched) {
      kinds.push_back(match[7].matched ? match[7] : match[9]);
    }
  }
  return fmt::format("{}", fmt::join(kinds, " "));
}

// "-t,--disk-template=diskless|file --no-nics"
std::string options_of(Program const& program, Command const& command) {
  std::vector<std::string> tokens;
  for (auto const& option : with(command.options, {common_options()})) {
    if (!option.is_built) continue;
    auto token = "--" + option.name;
    if (option.letter) token = fmt::format("-{},{}", option.letter, token);
    if (option.has_value) token += "=" + kind_of_value(program, command, option);
    tokens.push_back(std::move(token));
  }
  return fmt::format("{}", fmt::join(tokens, " "));
}

std::string row(std::string const& key, std::string const& value) {
  return fmt::format("  ['{}']='{}'\n", key, value);
}

struct Tables {
  std::string commands;
  std::string aliases;
  std::string options;
  std::string arguments;
};

void add_program(Program const& program, Tables& tables) {
  std::vector<std::string> words;
  for (auto const& command : program.commands) {
    if (!command.function) continue;
    auto const key = program.name + " " + command.name;
    if (!program.is_plain) words.push_back(command.name);
    tables.options += row(key, options_of(program, command));
    tables.arguments += row(key, arguments_of(program, command));
  }
  for (auto const& [alias, meant] : program.aliases) {
    if (std::ranges::find(words, meant) == words.end()) continue;
    words.push_back(alias);
    tables.aliases += row(program.name + " " + alias, meant);
  }
  tables.commands += row(program.name, fmt::format("{}", fmt::join(words, " ")));
}

Outcome<int> print_lines(std::set<std::string> const& lines) {
  for (auto const& line : lines) std::printf("%s\n", line.c_str());
  return 0;
}

// The values of one field of all objects; a list's items one by one.
Outcome<std::set<std::string>> values_of(Call& call, std::string_view what, char const* field) {
  auto const answer =
      OK(call.session.post("query", {{"what", text_value(what)}, {"fields", json::array{field}}}));
  std::set<std::string> values;
  for (auto const& row : answer.at("data").as_array()) {
    auto const& value = row.at(0).at(1);
    if (value.is_null()) continue;
    auto const items = value.is_array() ? value.as_array() : json::array{value};
    for (auto const& item : items) values.insert(python_text(item));
  }
  return values;
}

Outcome<std::set<std::string>> field_names(Call& call, std::string_view what) {
  auto const answer = OK(call.session.post("query-fields", {{"what", text_value(what)}}));
  std::set<std::string> fields;
  for (auto const& field : answer.at("fields").as_array())
    fields.insert(python_text(field.at("name")));
  return fields;
}

Outcome<std::set<std::string>> all_tags(Call& call) {
  std::set<std::string> tags;
  for (auto const* what : {"instance", "node", "group", "network"}) {
    tags.merge(OK(values_of(call, what, "tags")));
  }
  auto const cluster = OK(call.session.get("cluster"));
  for (auto const& tag : cluster.at("tags").as_array()) tags.insert(python_text(tag));
  return tags;
}

}  // namespace

std::string bash_completion(std::vector<Program> const& all) {
  Tables tables;
  std::vector<std::string> programs_known;
  for (auto const& program : all) {
    add_program(program, tables);
    programs_known.push_back(program.name);
  }
  return fmt::format(
      "# Completion for bash. Printed by `flotte completion bash`, from the commands' own tables.\n"
      "\ndeclare -gA _flotte_commands=(\n{}) _flotte_aliases=(\n{}) _flotte_options=(\n{}) "
      "_flotte_arguments=(\n{})\n{}\ncomplete -F _flotte {}\n",
      tables.commands, tables.aliases, tables.options, tables.arguments, script,
      fmt::join(programs_known, " "));
}

Outcome<int> completion(Call& call) {
  auto const& shell = call.arguments.positional()[0];
  if (shell != "bash") {
    return stop(fmt::format("flotte completion: bash, not '{}'", shell), exit_usage);
  }
  std::fputs(bash_completion(programs()).c_str(), stdout);
  return 0;
}

Outcome<int> names(Call& call) {
  constexpr std::string_view fields = "-fields";
  std::string_view const what = call.arguments.positional()[0];
  if (what == "tag") return print_lines(OK(all_tags(call)));
  if (what.ends_with(fields)) {
    return print_lines(OK(field_names(call, what.substr(0, what.size() - fields.size()))));
  }
  auto const* field = what == "job" ? "id" : what == "export" ? "export" : "name";
  return print_lines(OK(values_of(call, what, field)));
}

}  // namespace flotte::cli
