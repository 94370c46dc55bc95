#include "cli/emergency_power_off.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <set>

#include "cli/instance_selection.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

// The power may be away for longer; whoever is there then may want the guests.
constexpr std::time_t watcher_pause_s = 24 * 3600;

struct Affected {
  std::vector<std::string> nodes;
  std::vector<std::string> instances;
};

// Those named, those of the groups named, or all.
Outcome<std::vector<std::string>> wanted_nodes(Call& call) {
  auto const& names = call.arguments.positional();
  if (!call.arguments.has("groups")) return names;
  std::vector<std::string> nodes;
  for (auto const& group : OK(rows_of(call, "group", {"node_list"}, names))) {
    for (auto const& node : group.at("node_list").as_array()) nodes.push_back(python_text(node));
  }
  return nodes;
}

Outcome<void> check_words(Call const& call) {
  if (!call.arguments.has("all")) return {};
  if (call.arguments.has("groups")) return stop("Only one of --groups or --all are allowed");
  if (call.arguments.positional().empty()) return {};
  return stop("Arguments in combination with --all are not allowed");
}

Outcome<Affected> affected(Call& call, bool is_on) {
  Affected found;
  std::set<std::string> instances;  // by name, each once
  auto const wanted = OK(wanted_nodes(call));
  for (auto const& node :
       OK(rows_of(call, "node", {"name", "master", "pinst_list", "offline"}, wanted))) {
    auto const name = python_text(node.at("name"));
    found.nodes.push_back(name);
    if (!node.at("offline").as_bool()) {
      for (auto const& one : node.at("pinst_list").as_array()) instances.insert(python_text(one));
    }
    auto const is_master = node.at("master").as_bool();
    if (is_master && is_on) continue;
    if (is_master && !call.arguments.has("all")) {
      return stop(fmt::format(
          "{} is the master node, please do a master-failover to another node not affected by the "
          "EPO or use --all if you intend to shutdown the whole cluster",
          name));
    }
    std::printf(
        "Node %s does not support out-of-band handling, it can not be handled in a fully automated "
        "manner\n",
        name.c_str());
  }
  found.instances.assign(instances.begin(), instances.end());
  return found;
}

Outcome<json::object> opcode_for(Call& call, bool is_on) {
  auto op = OK(opcode(call, is_on ? "OP_INSTANCE_STARTUP" : "OP_INSTANCE_SHUTDOWN"));
  if (is_on) return op;
  op["timeout"] =
      GIVEN(parse_count(call.arguments.value_or("shutdown-timeout", "120"), "--shutdown-timeout"));
  op["no_remember"] = true;
  return op;
}

// Or it would start at once what is stopped: it is still wished to run. A pause that is longer
// stays.
Outcome<void> pause_watcher(Call& call) {
  auto const info = OK(call.session.get("cluster"));
  auto const& known = info.at("watcher_pause");
  auto until = std::time(nullptr) + watcher_pause_s;
  if (!known.is_null()) until = std::max(until, known.to_number<std::time_t>());
  OK(call.session.post("watcher", {{"paused_until", until}}));
  std::printf("The watcher is paused until %s, or until 'gnt-cluster epo --on'.\n",
              strip(std::ctime(&until)).c_str());
  return {};
}

Outcome<void> continue_watcher(Call& call) {
  OK(call.session.post("watcher", {{"paused_until", nullptr}}));
  std::printf("The watcher is no longer paused.\n");
  return {};
}

Outcome<int> epo(Call& call) {
  OK(check_words(call).map([] { return 0; }));
  auto const is_on = call.arguments.has("on");
  auto const [nodes, instances] = OK(affected(call, is_on));
  OK(confirm(call, fmt::format("The epo will operate on {} nodes.\nDo you want to continue?\n"
                               "Affected nodes:\n  {}",
                               nodes.size(), fmt::join(nodes, "\n  ")))
         .map([] { return 0; }));
  if (!is_on) OK(pause_watcher(call).map([] { return 0; }));
  for (auto const& name : instances) {
    std::printf("Submit %s of instance %s\n", is_on ? "startup" : "shutdown", name.c_str());
  }
  auto const op = OK(opcode_for(call, is_on));
  auto const exit_code = instances.empty() ? 0 : OK(for_each_of(call, instances, op));
  if (is_on) OK(continue_watcher(call).map([] { return 0; }));
  if (exit_code == 0) {
    std::printf("All instances have been %s successfully\n", is_on ? "started" : "stopped");
    return 0;
  }
  std::fprintf(stderr, is_on
                           ? "Please investigate and start stopped instances manually\n"
                           : "Please investigate and stop instances manually before continuing\n");
  return exit_code;
}

}  // namespace

Command emergency_power_off_command() {
  return {"epo",
          "[<opts>...] [args]",
          0,
          10'000,
          {{'f', "force", false, "Don't ask"},
           {0, "on", false, "Start the instances again"},
           {0, "groups", false, "Arguments are node groups"},
           {0, "all", false, "All nodes, the master too"},
           integer({0, "shutdown-timeout", true, "Seconds before the plug is pulled"}),
           integer({0, "oob-timeout", true, "No effect: nodes aren't switched yet"}),
           number({0, "power-delay", true, "No effect: nodes aren't switched yet"})},
          "Performs an emergency power-off on given args",
          epo};
}

}  // namespace flotte::cli
