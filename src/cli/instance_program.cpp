// gnt-instance.
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "cli/command.h"
#include "cli/info.h"
#include "cli/instance_creation.h"
#include "cli/instance_selection.h"
#include "cli/instance_transfer.h"
#include "cli/print.h"
#include "cli/serial_console.h"
#include "cli/tags.h"
#include "cli/values.h"
#include "model/params.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> for_each_selected(Call& call, std::string const& verb, json::object const& op) {
  auto const names = OK(selection(call));
  if (names.empty()) {
    std::printf("Cluster is empty, no instances to %s\n", verb.c_str());
    return 0;
  }
  if (is_for_many(call, names) && !call.arguments.has("force-multiple")) {
    OK(confirm(call, question_about(verb, names), Unless::Never).map([] { return 0; }));
  }
  return for_each_of(call, names, op);
}

Outcome<int> startup(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_STARTUP"));
  op["force"] = call.arguments.has("force");
  op["ignore_offline_nodes"] = call.arguments.has("ignore-offline");
  op["no_remember"] = call.arguments.has("no-remember");
  op["startup_paused"] = call.arguments.has("paused");
  OK(put_pairs(call, op, "hypervisor-parameters", "hvparams").map([] { return 0; }));
  OK(put_pairs(call, op, "backend-parameters", "beparams").map([] { return 0; }));
  return for_each_selected(call, "startup", op);
}

std::int64_t seconds_of(Call& call, std::string const& option) {
  // That it is one, and fits, was checked with the option.
  return whole_number(strip(call.arguments.value_or(option, "120"))).value_or(0);
}

Outcome<int> shutdown(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_SHUTDOWN"));
  op["force"] = call.arguments.has("force");
  op["ignore_offline_nodes"] = call.arguments.has("ignore-offline");
  op["no_remember"] = call.arguments.has("no-remember");
  op["timeout"] = seconds_of(call, "timeout");
  return for_each_selected(call, "shutdown", op);
}

Outcome<int> reboot(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_REBOOT"));
  op["reboot_type"] = text_value(call.arguments.value_or("type", "hard"));
  op["shutdown_timeout"] = seconds_of(call, "shutdown-timeout");
  return for_each_selected(call, "reboot", op);
}

// From a numbered list, on the terminal; who can't be asked has aborted.
Outcome<std::string> ask_for_os(Call& call) {
  auto op = OK(opcode(call, "OP_OS_DIAGNOSE"));
  op["output_fields"] = json::array{"name", "variants"};
  auto const results = OK(call.session.run(json::array{std::move(op)}));
  std::vector<std::string> names;
  for (auto const& row : results.at(0).as_array()) {
    auto const name = python_text(row.at(0));
    if (row.at(1).as_array().empty()) names.push_back(name);
    for (auto const& variant : row.at(1).as_array()) {
      names.push_back(name + "+" + python_text(variant));
    }
  }
  if (names.empty()) return stop("Can't get the OS list");
  std::printf("Available OS templates:\n");
  std::string numbers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::printf("%3zu: %s\n", i, names[i].c_str());
    numbers += std::to_string(i) + "/";
  }
  std::fflush(stdout);
  std::string answer;
  if (std::fstream terminal("/dev/tty"); terminal) {
    terminal << "Enter OS template number (or x to abort):\n" << numbers << "[x]/?: " << std::flush;
    std::getline(terminal, answer);
  }
  auto const chosen = parse_count(strip(answer), "--select-os");
  if (chosen && static_cast<std::size_t>(*chosen) < names.size()) {
    return names[static_cast<std::size_t>(*chosen)];
  }
  return stop("User aborted reinstall, exiting");
}

Outcome<int> reinstall(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_REINSTALL"));
  op["force_variant"] = call.arguments.has("force-variant");
  auto os = call.arguments.value("os-type");
  for (auto const& [option, field] : {std::pair{"os-parameters", "osparams"},
                                      std::pair{"os-parameters-private", "osparams_private"},
                                      std::pair{"os-parameters-secret", "osparams_secret"}}) {
    OK((put_pairs(call, op, option, field).map([] { return 0; })));
  }
  auto const names = OK(selection(call));
  if (names.empty()) {
    return stop(Error{ErrorCode::WrongInput, "Selection filter does not match any instances"});
  }
  if (call.arguments.has("select-os")) os = OK(ask_for_os(call));
  if (os) op["os_type"] = text_value(*os);
  auto const change = os ? fmt::format("change the OS to '{}'", *os) : "keep the same OS";
  if (is_for_many(call, names)) {
    if (!call.arguments.has("force-multiple")) {
      auto const note = fmt::format(
          "Note: this will remove *all* data for the below instances! It will {}.\n\n", change);
      OK(confirm(call, question_about("reinstall", names, note), Unless::Never).map([] {
        return 0;
      }));
    }
  } else {
    OK(confirm(call, fmt::format("This will reinstall the instance '{}' (and {}) which removes all "
                                 "data. Continue?",
                                 names[0], change))
           .map([] { return 0; }));
  }
  return for_each_of(call, names, op);
}

Outcome<int> remove(Call& call) {
  auto const& name = call.arguments.positional()[0];
  OK(confirm(call,
             fmt::format("This will remove the volumes of the instance {} (including mirrors), "
                         "thus removing all the data of the instance. Continue?",
                         name))
         .map([] { return 0; }));
  auto op = OK(opcode(call, "OP_INSTANCE_REMOVE"));
  op["instance_name"] = text_value(name);
  op["shutdown_timeout"] = seconds_of(call, "shutdown-timeout");
  op["ignore_failures"] = call.arguments.has("ignore-failures");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> rename(Call& call) {
  auto const& words = call.arguments.positional();
  auto op = OK(opcode(call, "OP_INSTANCE_RENAME"));
  op["instance_name"] = text_value(words[0]);
  op["new_name"] = text_value(words[1]);
  op["name_check"] = call.arguments.has("name-check");
  op["ip_check"] = call.arguments.has("ip-check");
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results) return 0;
  std::printf("Instance '%s' renamed to '%s'\n", words[0].c_str(),
              python_text(results->at(0)).c_str());
  return 0;
}

Outcome<int> recreate_disks(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(opcode(call, "OP_INSTANCE_RECREATE_DISKS"));
  op["instance_name"] = text_value(arguments.positional()[0]);
  json::array disks;
  for (auto const& text : arguments.values("disk")) {
    auto [index, params] = GIVEN(parse_named_pairs(text, "--disk"));
    auto const number = GIVEN(parse_count(index, "--disk"));
    if (auto* size = params.if_contains("size")) {
      *size = OK(disk_size(*size));
    }
    if (auto* spindles = params.if_contains("spindles"); spindles && spindles->is_string()) {
      *spindles = GIVEN(parse_count(std::string_view(spindles->get_string()), "--disk"));
    }
    disks.push_back(json::array{number, std::move(params)});
  }
  op["disks"] = std::move(disks);
  if (auto const node = arguments.value("node")) {
    json::array nodes;
    for (auto const& name : split(*node, ':')) nodes.push_back(text_value(name));
    op["nodes"] = std::move(nodes);
  }
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> grow_disk(Call& call) {
  auto const& words = call.arguments.positional();
  auto op = OK(opcode(call, "OP_INSTANCE_GROW_DISK"));
  op["instance_name"] = text_value(words[0]);
  if (words[1].empty() || words[1].size() > 4 ||
      words[1].find_first_not_of("0123456789") != std::string::npos) {
    return stop(Error{ErrorCode::WrongInput,
                      fmt::format("Invalid disk index: invalid literal for int() with base 10: "
                                  "'{}'; disks are counted from 0",
                                  words[1])});
  }
  op["disk"] = whole_number(words[1]).value_or(0);
  op["amount"] = GIVEN(parse_size(words[2])).value;
  op["absolute"] = call.arguments.has("absolute");
  op["ignore_ipolicy"] = call.arguments.has("ignore-ipolicy");
  op["wait_for_sync"] = !call.arguments.has("no-wait-for-sync");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<void> put_device_changes(Call& call, json::object& op, std::string const& option,
                                 std::string const& field) {
  json::array changes;
  for (auto const& text : call.arguments.values(option)) {
    auto change = GIVEN(parse_device_change(text, "--" + option));
    auto* size = change[2].get_object().if_contains("size");
    if (size) *size = OK(disk_size(*size));
    changes.push_back(std::move(change));
  }
  if (!changes.empty()) op[field] = std::move(changes);
  return {};
}

// A guest that runs is changed at once, unless that is unwished.
Outcome<void> put_hotplug(Call& call, json::object& op) {
  auto const& arguments = call.arguments;
  if (arguments.has("no-hotplug") &&
      (arguments.has("hotplug") || arguments.has("hotplug-if-possible"))) {
    return stop("Please use only one of --hotplug, --hotplug-if-possible and --no-hotplug");
  }
  op["hotplug"] = !arguments.has("no-hotplug");
  op["hotplug_if_possible"] = arguments.has("hotplug-if-possible");
  return {};
}

// What only goes with `modify -t`.
Outcome<void> put_conversion(Call& call, json::object& op) {
  auto const& arguments = call.arguments;
  auto const wanted = arguments.value("disk-template");
  if (arguments.has("ext-params") && wanted != "ext") {
    return stop("Specifying ExtStorage parameters requires converting to the 'ext' disk template");
  }
  if (wanted == "ext" && !arguments.has("ext-params")) {
    return stop("Provider option is missing, use either the '--ext-params' or '-e' option");
  }
  auto const is_file = wanted == "file" || wanted == "sharedfile" || wanted == "gluster";
  if ((arguments.has("file-driver") || arguments.has("file-storage-dir")) && !is_file) {
    return stop(
        "Specifying file-based configuration arguments requires converting to a file-based disk "
        "template");
  }
  OK(put_pairs(call, op, "ext-params", "ext_params").map([] { return 0; }));
  for (auto const& [option, field] :
       {std::pair{"disk-template", "disk_template"}, std::pair{"file-driver", "file_driver"},
        std::pair{"file-storage-dir", "file_storage_dir"}, std::pair{"node", "remote_node"},
        std::pair{"iallocator", "iallocator"}}) {
    if (auto const value = arguments.value(option)) op[field] = text_value(*value);
  }
  return {};
}

Outcome<bool> is_running(Call& call) {
  auto const answer = OK(call.session.post(
      "query", {{"what", "instance"},
                {"fields", json::array{"oper_state"}},
                {"names", json::array{text_value(call.arguments.positional()[0])}}}));
  return answer.at("data").at(0).at(0).at(1) == json::value(true);
}

Outcome<int> modify(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(opcode(call, "OP_INSTANCE_SET_PARAMS"));
  auto const no_wishes = op.size();
  op["instance_name"] = text_value(arguments.positional()[0]);
  OK(put_pairs(call, op, "backend-parameters", "beparams").map([] { return 0; }));
  OK(put_pairs(call, op, "hypervisor-parameters", "hvparams").map([] { return 0; }));
  OK(put_pairs(call, op, "os-parameters", "osparams").map([] { return 0; }));
  OK(put_pairs(call, op, "os-parameters-private", "osparams_private").map([] { return 0; }));
  auto const os = arguments.value("os-type");
  if (os && !os->empty()) op["os_name"] = text_value(*os);
  if (arguments.has("offline") || arguments.has("online")) op["offline"] = arguments.has("offline");
  OK(put_device_changes(call, op, "net", "nics").map([] { return 0; }));
  OK(put_device_changes(call, op, "disk", "disks").map([] { return 0; }));
  if (auto const memory = arguments.value("runtime-memory")) {
    op["runtime_mem"] = GIVEN(parse_size(*memory)).value;
  }
  if (auto const node = arguments.value("new-primary")) op["pnode"] = text_value(*node);
  if (auto const wish = arguments.value("communication")) {
    op["instance_communication"] = GIVEN(parse_yes_no(*wish));
  }
  auto const wishes = op.size() - no_wishes;
  if (wishes == 1 && !arguments.has("disk-template")) {
    return stop("Please give at least one of the parameters.");
  }
  // Devices and what is left of the memory change in the guest while it runs.
  auto const is_done_at_once =
      !arguments.has("no-hotplug") && !arguments.has("hotplug-if-possible") &&
      wishes == 1 + op.count("nics") + op.count("disks") + op.count("runtime_mem");
  OK(put_conversion(call, op).map([] { return 0; }));
  OK(put_hotplug(call, op).map([] { return 0; }));
  op["ignore_ipolicy"] = arguments.has("ignore-ipolicy");
  op["force"] = arguments.has("force");
  op["force_variant"] = arguments.has("force-variant");
  op["conflicts_check"] = !arguments.has("no-conflicts-check");
  op["wait_for_sync"] = !arguments.has("no-wait-for-sync");
  auto const result = OK(submit_or_run(call, std::move(op)));
  if (!result) return 0;
  auto const& changes = result->at(0).as_array();
  if (changes.empty()) return 0;
  std::printf("Modified instance %s\n", arguments.positional()[0].c_str());
  for (auto const& change : changes) {
    std::printf(" - %-5s -> %s\n", python_text(change.at(0)).c_str(),
                python_text(change.at(1)).c_str());
  }
  if (is_done_at_once && OK(is_running(call))) return 0;
  std::printf(
      "Please don't forget that most parameters take effect only at the next (re)start of the "
      "instance initiated by ganeti; restarting from within the instance will not be enough.\n");
  if (arguments.has("hypervisor-parameters")) {
    std::printf(
        "Note that changing hypervisor parameters without performing a restart might lead to a "
        "crash while performing a live migration. This will be addressed in future Ganeti "
        "versions.\n");
  }
  return 0;
}

Outcome<int> info(Call& call) {
  if (call.arguments.positional().empty() && !call.arguments.has("all")) {
    return stop(
        "No instance selected. Please pass in --all if you want to query all instances.\n"
        "Note that this can take a long time on a big cluster.");
  }
  if (!call.arguments.positional().empty() && call.arguments.has("all")) {
    return stop("Cannot use --all if you specify instance names.");
  }
  auto op = OK(opcode(call, "OP_INSTANCE_QUERY_DATA"));
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  op["instances"] = std::move(names);
  op["static"] = call.arguments.has("static");
  auto const results = OK(call.session.run(json::array{std::move(op)}));
  auto const& found = results.at(0).as_object();
  if (found.empty()) {
    std::printf("No instances.\n");
    return exit_failure;
  }
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(found).c_str());
    return 0;
  }
  json::array all;
  for (auto const& [name, one] : found) all.push_back(instance_layout(one.as_object()));
  std::fputs(render_info(all).c_str(), stdout);
  return 0;
}

// The far end of a tunnel: what a display that listens on every address has on its own node.
std::string tunnel_end(std::string const& listens) {
  if (listens.starts_with('/')) return listens;
  auto const colon = listens.rfind(':');
  auto const address = listens.substr(0, colon);
  auto const port = listens.substr(colon);
  if (address == "0.0.0.0") return "127.0.0.1" + port;
  if (address == "::") return "[::1]" + port;
  return (address.find(':') == std::string::npos ? address : "[" + address + "]") + port;
}

// What to type where the viewer is.
Outcome<int> print_vnc_tunnel(Call& call) {
  auto const answer = OK(call.session.post(
      "query", {{"what", "instance"},
                {"fields", json::array{"name", "oper_state", "oper_vnc", "pnode", "network_port"}},
                {"names", json::array{text_value(call.arguments.positional()[0])}}}));
  auto const& row = answer.at("data").at(0);
  auto const name = python_text(row.at(0).at(1));
  if (row.at(1).at(1) != json::value(true)) {
    return stop(fmt::format(
        "Failure: command execution error:\nInstance {} is not running, can't get console", name));
  }
  if (!row.at(2).at(1).is_string()) {
    return stop(Error{ErrorCode::WrongState,
                      fmt::format("Instance {} runs without VNC; switch it on with 'gnt-instance "
                                  "modify -H vnc_bind_address=127.0.0.1 {}' and restart it with "
                                  "'gnt-instance reboot {}'",
                                  name, name, name)});
  }
  auto const listens = python_text(row.at(2).at(1));
  auto const node = python_text(row.at(3).at(1));
  if (!listens.starts_with('/') &&
      listens.find_first_not_of("0123456789abcdef.:") != std::string::npos) {
    return stop(Error{ErrorCode::WrongState,
                      fmt::format("VNC of {} listens on an interface's address, {} of node {}: the "
                                  "viewer connects to it without a tunnel",
                                  name, listens, node)});
  }
  auto const port = row.at(4).at(1).is_null() ? std::string("5900") : python_text(row.at(4).at(1));
  auto const nodes = OK(call.session.post("query", {{"what", "node"},
                                                    {"fields", json::array{"ndp/ssh_port"}},
                                                    {"names", json::array{text_value(node)}}}));
  std::printf(
      "ssh -f -o ExitOnForwardFailure=yes -p %s -L %s:%s root@%s sleep 60\n"
      "vncviewer localhost::%s\n",
      python_text(nodes.at("data").at(0).at(0).at(1)).c_str(), port.c_str(),
      tunnel_end(listens).c_str(), node.c_str(), port.c_str());
  return 0;
}

Outcome<int> console(Call& call) {
  auto const& arguments = call.arguments;
  auto const& name = arguments.positional()[0];
  if (arguments.has("write") && arguments.has("read-only")) {
    return stop("Please use only one of --write and --read-only");
  }
  if (arguments.has("vnc")) return print_vnc_tunnel(call);
  OK(check_exists(call, name).map([] { return 0; }));
  auto const answer =
      OK(call.session.post("query", {{"what", "instance"},
                                     {"fields", json::array{"name", "console", "oper_state"}},
                                     {"names", json::array{text_value(name)}}}));
  auto const& row = answer.at("data").at(0);
  auto const full_name = python_text(row.at(0).at(1));
  auto const& console = row.at(1).at(1);
  if (!console.is_object()) {
    if (row.at(2).at(1) == json::value(true)) {
      return stop(
          fmt::format("Failure: command execution error:\nConsole information for "
                      "instance {} is unavailable",
                      full_name));
    }
    return stop(fmt::format(
        "Failure: command execution error:\nInstance {} is not running, can't get console",
        full_name));
  }
  auto const kind = python_text(console.at("kind"));
  if (kind == "msg") {
    std::printf("%s\n", python_text(console.at("message")).c_str());
    return 0;
  }
  if (kind == "vnc") {
    auto const host = python_text(console.at("host"));
    auto const port = python_text(console.at("port"));
    std::printf("Instance %s has VNC listening on %s:%s (display %s), URL <vnc://%s:%s/>\n",
                full_name.c_str(), host.c_str(), port.c_str(),
                python_text(console.at("display")).c_str(), host.c_str(), port.c_str());
    return 0;
  }
  auto const socket = call.session.paths().kvm_socket(full_name, "serial");
  if (arguments.has("show-cmd")) {
    std::printf("socat STDIO,raw,echo=0,escape=0x1d UNIX-CONNECT:%s\n", socket.c_str());
    return 0;
  }
  if (::access(socket.c_str(), W_OK) != 0) {
    return stop(
        fmt::format("The serial console of {} is on node {}, at {}; run the command there, as root",
                    full_name, python_text(console.at("host")), socket));
  }
  return serial_console(call.session.paths(), full_name,
                        arguments.has("write")       ? Keyboard::Take
                        : arguments.has("read-only") ? Keyboard::Never
                                                     : Keyboard::IfFree);
}

Outcome<int> list_command(Call& call) {
  return list(call, "instance", "name,hypervisor,os,pnode,status,oper_ram");
}
Outcome<int> list_fields_command(Call& call) {
  return list_fields(call, "instance");
}

Outcome<int> activate_disks(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_ACTIVATE_DISKS"));
  op["instance_name"] = text_value(call.arguments.positional()[0]);
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results) return 0;
  for (auto const& disk : results->at(0).as_array()) {
    std::printf("%s:%s:%s\n", python_text(disk.at(0)).c_str(), python_text(disk.at(1)).c_str(),
                python_text(disk.at(2)).c_str());
  }
  return 0;
}

Outcome<int> deactivate_disks(Call& call) {
  auto op = OK(opcode(call, "OP_INSTANCE_DEACTIVATE_DISKS"));
  op["instance_name"] = text_value(call.arguments.positional()[0]);
  op["force"] = call.arguments.has("force");
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// A file with a list of what OP_INSTANCE_CREATE takes.
Outcome<int> batch_create(Call& call) {
  auto const& path = call.arguments.positional()[0];
  std::ifstream file(path);
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  if (!file)
    return stop(fmt::format("Can't parse the instance definition file: [Errno {}] {}: '{}'", errno,
                            std::strerror(errno), path));
  auto parsed = schema::parse(text);
  if (!parsed) {
    return stop(fmt::format("Can't parse the instance definition file: {}: '{}'",
                            parsed.error().message, path));
  }
  if (!parsed->is_array()) {
    return stop(
        fmt::format("The instance definition file is not List of Dictionary; {} should hold "
                    "[{{\"instance_name\": ...}}, ...]",
                    path));
  }
  auto op = OK(opcode(call, "OP_INSTANCE_MULTI_ALLOC"));
  op["instances"] = std::move(*parsed);
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results) return 0;
  std::size_t failed = 0;
  for (auto const& end : OK(follow_jobs(call, *results))) failed += end.results ? 0 : 1;
  if (failed > 0) {
    std::printf("There were %zu errors during the creation.\n", failed);
    return exit_failure;
  }
  std::printf("All instances created successfully.\n");
  return 0;
}

}  // namespace

Program instance_program() {
  std::vector<Option> const remember{
      {0, "ignore-offline", false, "Change the wish though the node is offline"},
      {0, "no-remember", false, "Leave the wish as it is"}};
  return {
      "gnt-instance",
      {
          {"activate-disks", "<instance-name>", 1, 1,
           with({{0, "ignore-size", false, "No effect: disks of any size are activated"},
                 {0, "wait-for-sync", false, "No effect: there are no mirrors yet"}},
                {submit_options()}),
           "Activate an instance's disks", activate_disks},
          {"add", "[...] -t disk-type -n node[:secondary-node] -o os-type <instance-name>", 1, 1,
           with(creation_options(), {submit_options()}),
           "Creates and adds a new instance to the cluster", create_instance},
          {"add-tags", "<instance-name> <tag>...", 1, many, tag_options(),
           "Add tags to the given instance", add_tags},
          {"batch-create", "<instances.json>", 1, 1,
           with({{'I', "iallocator", true, "What chooses nodes", false}}, {submit_options()}),
           "Create a bunch of instances based on specs in the file.", batch_create},
          {"change-group", "[-I <iallocator>] [--to <group>] <instance-name>", 1, 1,
           with(known_options({"to=", "I/iallocator=", "early-release"}),
                {without(submit_options(), {"dry-run"})}),
           "Change group of instance"},
          {"console", "[--show-cmd] <instance-name>", 1, 1,
           with({{0, "show-cmd", false, "Print the command instead"},
                 {0, "write", false, "Take the keyboard from another terminal"},
                 {0, "read-only", false, "Only watch"},
                 {0, "vnc", false, "Print how to reach its display by ssh"}},
                {priority_option()}),
           "Opens a console on the specified instance", console},
          {"deactivate-disks", "[-f] <instance-name>", 1, 1,
           with({{'f', "force", false, "Also where it should run"}}, {submit_options()}),
           "Deactivate an instance's disks", deactivate_disks},
          failover_command(),
          {"grow-disk", "<instance-name> <disk> <size>", 3, 3,
           with({{0, "absolute", false, "The size is the new size"},
                 {0, "ignore-ipolicy", false, "Accept what the policy forbids"},
                 {0, "no-wait-for-sync", false, "Do not wait for mirrors"}},
                {submit_options()}),
           "Grow an instance's disk", grow_disk},
          {"info", "[-s] {--all | <instance-name>...}", 0, many,
           with({{'s', "static", false, "Only the configuration"},
                 {0, "all", false, "All instances"},
                 {0, "json", false, "Print JSON"}},
                {priority_option(), not_built_options({"roman"})}),
           "Show information on the specified instance(s)", info},
          {"list", "[<instance-name>...]", 0, many, list_options(),
           "Lists the instances and their status. The available fields can be shown using the "
           "\"list-fields\" command (see the man page for details). The default field list is (in "
           "order): name, hypervisor, os, pnode, status, oper_ram.",
           list_command},
          {"list-fields", "[fields...]", 0, many, list_fields_options(),
           "Lists all available fields for instances", list_fields_command},
          {"list-tags",
           "<instance-name>",
           1,
           1,
           {},
           "List the tags of the given instance",
           list_tags},
          migrate_command(),
          {"modify", "<instance-name>", 1, 1,
           with(
               {{'B', "backend-parameters", true, "Backend parameters"},
                {'H', "hypervisor-parameters", true, "Hypervisor parameters"},
                {'O', "os-parameters", true, "OS parameters"},
                {'o', "os-type", true, "The OS"},
                {0, "offline", false, "Mark it offline"},
                {0, "online", false, "Mark it online"},
                {0, "ignore-ipolicy", false, "Accept what the policy forbids"},
                {0, "net", true, "A NIC: add:link=br0, 0:modify,link=br1 or 1:remove"},
                {0, "disk", true, "A disk: add:size=10G, 0:modify,mode=ro or 1:remove"},
                {0, "hotplug", false, "Change the running guest, too (the default)"},
                {0, "hotplug-if-possible", false, "Go on where it can't be changed"},
                {0, "no-hotplug", false, "Leave it for the next start"},
                disk_template_option("Another template; what is on the disks is copied"),
                {0, "file-driver", true, "With -t: driver of file disks"},
                {0, "file-storage-dir", true, "With -t: directory below the file storage"},
                {'e', "ext-params", true, "With -t ext: the provider and its parameters"},
                {'n', "node", true, "With -t: the secondary node of mirrored disks"},
                {'I', "iallocator", true, "With -t: what chooses that node"},
                {0, "new-primary", true, "Where the disks were taken to"},
                {0, "no-wait-for-sync", false, "Do not wait for mirrors"},
                {0, "no-conflicts-check", false,
                 "Take reserved addresses, and those of other networks"},
                {'c', "communication", true, "yes or no: a NIC for metad"},
                size({'m', "runtime-memory", true, "What the running guest is left of its memory"}),
                {'f', "force", false, "Accept what is only dangerous"},
                {0, "force-variant", false, "Accept an unlisted variant"},
                {0, "os-parameters-private", true, "OS parameters kept from lists"}},
               {submit_options()}),
           "Alters the parameters of an instance", modify},
          move_command(),
          {"reboot", "<instance>", 0, many,
           with({choice({'t', "type", true, "soft, hard or full"}, {"soft", "hard", "full"}),
                 integer({0, "shutdown-timeout", true, "Seconds"}),
                 {0, "ignore-secondaries", false, "No effect: there are no secondary nodes yet"}},
                {without(selection_options(), {"force"}), submit_options()}),
           "Reboots an instance", reboot},
          {"recreate-disks", "<instance-name>", 1, 1,
           with({{0, "disk", true, "Only this one: 1, or 1:size=10G"},
                 {'n', "node", true, "The node that it has"},
                 {'I', "iallocator", true, "What chooses the node", false}},
                {submit_options()}),
           "Recreate an instance's disks", recreate_disks},
          {"reinstall", "[-f] <instance>", 0, many,
           with({{'o', "os-type", true, "The OS"},
                 {'O', "os-parameters", true, "OS parameters"},
                 {0, "force-variant", false, "Accept an unlisted variant"},
                 {0, "os-parameters-private", true, "OS parameters kept from lists"},
                 {0, "os-parameters-secret", true, "OS parameters that are not stored"},
                 {0, "select-os", false, "Choose from a list"}},
                {selection_options(), submit_options()}),
           "Reinstall a stopped instance", reinstall},
          {"remove", "[-f] <instance-name>", 1, 1,
           with({{'f', "force", false, "Don't ask"},
                 integer({0, "shutdown-timeout", true, "Seconds"}),
                 {0, "ignore-failures", false, "Go on where a part stays behind"}},
                {submit_options()}),
           "Shuts down the instance and removes it", remove},
          {"remove-tags", "<instance-name> <tag>...", 1, many, tag_options(),
           "Remove tags from given instance", remove_tags},
          {"rename", "<old-name> <new-name>", 2, 2,
           with({{'f', "force", false, "No effect: nothing is asked"},
                 {0, "name-check", false, "Look the new name up first"},
                 {0, "ip-check", false, "Refuse an address that answers"},
                 {0, "no-name-check", false, "No effect: that is the default"},
                 {0, "no-ip-check", false, "No effect: that is the default"}},
                {submit_options()}),
           "Rename the instance", rename},
          replace_disks_command(),
          {"shutdown", "<instance>", 0, many,
           with({integer({0, "timeout", true, "Seconds before the plug is pulled"})},
                {remember, selection_options(), submit_options()}),
           "Stops an instance", shutdown},
          {"startup", "<instance>", 0, many,
           with({{'H', "hypervisor-parameters", true, "For this start only"},
                 {'B', "backend-parameters", true, "For this start only"},
                 {0, "paused", false, "Leave it paused"}},
                {remember, selection_options(), submit_options()}),
           "Starts an instance", startup},
      },
      {{"start", "startup"}, {"stop", "shutdown"}, {"show", "info"}}};
}

}  // namespace flotte::cli
