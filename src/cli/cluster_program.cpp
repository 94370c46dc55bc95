// gnt-cluster.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/random.h"
#include "cli/command.h"
#include "cli/daemons.h"
#include "cli/emergency_power_off.h"
#include "cli/info.h"
#include "cli/node_door.h"
#include "cli/policy.h"
#include "cli/print.h"
#include "cli/remote.h"
#include "cli/renew_crypto.h"
#include "cli/tags.h"
#include "cli/values.h"
#include "model/verify_codes.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

json::array words_of(std::string const& text) {
  json::array list;
  for (auto const& word : split(text, ',')) {
    if (!word.empty()) list.push_back(text_value(word));
  }
  return list;
}

// What init and modify have in common, by the names of the settings.
Outcome<json::object> settings_of(Call& call) {
  auto const& arguments = call.arguments;
  json::object out;
  for (auto const& [option, key] : {std::pair{"enabled-hypervisors", "enabled_hypervisors"},
                                    std::pair{"enabled-disk-templates", "enabled_disk_templates"},
                                    std::pair{"compression-tools", "compression_tools"},
                                    std::pair{"reserved-lvs", "reserved_lvs"}}) {
    // An empty list is Ganeti's "not given", but for volumes: there are none that aren't ours.
    auto const text = arguments.value(option);
    if (text && (!text->empty() || std::string_view(key) == "reserved_lvs")) {
      out[key] = words_of(*text);
    }
  }
  for (auto const& [option, key] :
       {std::pair{"file-storage-dir", "file_storage_dir"},
        std::pair{"shared-file-storage-dir", "shared_file_storage_dir"},
        std::pair{"mac-prefix", "mac_prefix"}, std::pair{"master-netdev", "master_netdev"},
        std::pair{"default-iallocator", "default_iallocator"}}) {
    if (auto const text = arguments.value(option)) out[key] = text_value(*text);
  }
  for (auto const& [option, key] :
       {std::pair{"backend-parameters", "beparams"}, std::pair{"nic-parameters", "nicparams"},
        std::pair{"node-parameters", "ndparams"}}) {
    if (auto const text = arguments.value(option)) {
      out[key] = GIVEN(parse_pairs(*text, arguments.spelled(option)));
    }
  }
  for (auto const& [option, key] : {std::pair{"hypervisor-parameters", "hvparams"},
                                    std::pair{"disk-parameters", "diskparams"}}) {
    if (arguments.has(option)) out[key] = OK(by_name(call, option));
  }
  for (auto const& [option, key] : {std::pair{"candidate-pool-size", "candidate_pool_size"},
                                    std::pair{"master-netmask", "master_netmask"},
                                    std::pair{"max-running-jobs", "max_running_jobs"},
                                    std::pair{"max-tracked-jobs", "max_tracked_jobs"}}) {
    if (auto const text = arguments.value(option)) {
      auto const number = schema::parse(strip(*text));
      if (!number || !number->is_int64())
        return stop(fmt::format("The --{} option expects an int parameter.", option));
      out[key] = *number;
    }
  }
  for (auto const& [option, key] : {std::pair{"prealloc-wipe-disks", "prealloc_wipe_disks"},
                                    std::pair{"user-shutdown", "enabled_user_shutdown"},
                                    std::pair{"maintain-node-health", "maintain_node_health"}}) {
    if (auto const text = arguments.value(option)) out[key] = GIVEN(parse_yes_no(*text));
  }
  auto policy = OK(policy_of(call, PolicyOf::Cluster));
  if (!policy.empty()) out["ipolicy"] = std::move(policy);
  return out;
}

// The address of the cluster's name, or empty when it has none.
std::string resolve(std::string const& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0 || !found) return "";
  char text[INET_ADDRSTRLEN] = {};
  // The kernel's generic sockaddr, which getaddrinfo() made an IPv4 one as asked.
  ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in const*>(found->ai_addr)->sin_addr, text,
              sizeof text);
  ::freeaddrinfo(found);
  return text;
}

// What they ask for is only where other nodes, mirrors or hypervisors are. They are taken, so that
// what was typed for Ganeti goes through, and what doesn't happen is said.
std::vector<Option> options_for_later() {
  return {{0, "gluster-storage-dir", true, "No effect: there are no Gluster disks yet"},
          {0, "drbd-usermode-helper", true, "No effect: there are no mirrored disks yet"},
          {0, "hypervisor-state", true, "No effect: nothing asks for it"},
          {0, "disk-state", true, "No effect: nothing asks for it"},
          {0, "install-image", true, "No effect: OS scripts run on the node"},
          {0, "zeroing-image", true, "No effect: nothing is exported yet"},
          {0, "default-iallocator-params", true, "No effect: hail has none"}};
}

// Those of `init` alone.
std::vector<Option> init_options_for_later() {
  return {{0, "ssh-key-bits", true, "No effect: no SSH keys are made for other nodes yet"},
          {0, "ssh-key-type", true, "No effect: no SSH keys are made for other nodes yet"}};
}

void tell_what_is_for_later(Call const& call) {
  for (auto const& option : with(options_for_later(), {init_options_for_later()})) {
    if (!call.arguments.has(option.name)) continue;
    std::fprintf(stderr, "Note: --%s: %s\n", option.name.c_str(), option.help.c_str());
  }
}

// IPv4 is what there is.
Outcome<void> check_ip_version(Call const& call) {
  auto const text = call.arguments.value_or("primary-ip-version", "4");
  auto const version = parse_count(text, "--primary-ip-version");
  if (!version) {
    return stop(fmt::format(
        "Invalid primary ip version value: invalid literal for int() with base 10: '{}'", text));
  }
  if (*version == 4) return {};
  return stop(Error{ErrorCode::WrongInput,
                    *version == 6 ? std::string("Clusters whose address is IPv6 are not built yet")
                                  : fmt::format("Invalid primary ip version: {}.", *version)});
}

bool is_address_of_this_host(in_addr const& wanted) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  bool is_found = false;
  for (auto const* one = all; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
    // The kernel's generic sockaddr, an IPv4 one as its family says.
    auto const* address = reinterpret_cast<sockaddr_in const*>(one->ifa_addr);
    is_found = is_found || address->sin_addr.s_addr == wanted.s_addr;
  }
  ::freeifaddrs(all);
  return is_found;
}

// The address for replication; empty: the primary one.
Outcome<std::string> secondary_ip(Call const& call) {
  auto const text = call.arguments.value_or("secondary-ip", "");
  if (text.empty()) return text;
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) {
    return stop(
        Error{ErrorCode::WrongInput,
              fmt::format("Secondary IP address ({}) has to be a valid IPv4 address.", text)});
  }
  if (is_address_of_this_host(address)) return text;
  return stop(Error{
      ErrorCode::EnvironmentError,
      fmt::format("You gave {} as secondary IP, but it does not belong to this host.", text)});
}

Outcome<int> init(Call& call) {
  auto const& paths = call.session.paths();
  auto const& name = call.arguments.positional()[0];
  tell_what_is_for_later(call);
  OK(check_ip_version(call).map([] { return 0; }));
  auto settings = OK(settings_of(call));
  if (auto const ip = OK(secondary_ip(call)); !ip.empty())
    settings["secondary_ip"] = text_value(ip);
  settings["cluster_name"] = text_value(name);
  if (!settings.contains("enabled_hypervisors"))
    settings["enabled_hypervisors"] = json::array{"kvm"};
  if (auto const vg = call.arguments.value("vg-name"))
    settings["volume_group_name"] = text_value(*vg);
  if (!settings.contains("enabled_disk_templates")) {
    settings["enabled_disk_templates"] = settings.contains("volume_group_name")
                                             ? json::array{"plain", "diskless"}
                                             : json::array{"diskless"};
  }
  auto const address = resolve(name);
  auto const netdev = call.arguments.value("master-netdev");
  if (address.empty() && netdev) {
    return stop(fmt::format(
        "Failure: can't resolve hostname '{}'; give it a free address in /etc/hosts", name));
  }
  OK(start_daemons(paths).map([] { return 0; }));
  SystemRandom random;
  auto const node_uuid = random.uuid();
  json::array directories;
  for (auto const* key : {"file_storage_dir", "shared_file_storage_dir"}) {
    if (settings.contains(key)) directories.push_back(settings.at(key));
  }
  json::object bootstrap{{"cluster_name", text_value(name)},
                         {"node_uuid", text_value(node_uuid)},
                         {"file_storage_dirs", std::move(directories)}};
  auto const& templates = settings["enabled_disk_templates"].as_array();
  if (std::ranges::find(templates, json::value("plain")) != templates.end() &&
      settings.contains("volume_group_name")) {
    bootstrap["volume_group_name"] = settings["volume_group_name"];
  }
  if (netdev) {
    bootstrap["master_netdev"] = text_value(*netdev);
    bootstrap["master_ip"] = text_value(address);
    settings["master_ip"] = text_value(address);
  }
  auto answer = OK(call_node(paths, "bootstrap", bootstrap)).as_object();
  answer["node_uuid"] = text_value(node_uuid);
  settings["bootstrap"] = std::move(answer);
  auto const job = call.session.post("init", settings);
  if (!job) {
    // What the node daemon made is taken back: nothing is half initialised.
    (void)call_node(paths, "node_leave_cluster", {});
    return tl::unexpected(job.error());
  }
  OK(call.session.follow(job->to_number<std::int64_t>()));
  return 0;
}

Outcome<int> destroy(Call& call) {
  if (!call.arguments.has("yes-do-it") && !call.arguments.has("ya-rly")) {
    return stop(
        "Destroying a cluster is irreversible. If you really want destroy this cluster, supply "
        "the --yes-do-it option.");
  }
  OK(call.session.post("destroy", {}));
  OK(call_node(call.session.paths(), "node_leave_cluster", {}));
  return 0;
}

Outcome<int> rename(Call& call) {
  auto const& name = call.arguments.positional()[0];
  auto const before = python_text(OK(call.session.get("cluster")).at("name"));
  OK(confirm(call,
             fmt::format("This will rename the cluster from '{}' to '{}'. If you are connected "
                         "over the network to the cluster name, the operation is very dangerous as "
                         "the IP address will be removed from the node and the change may not go "
                         "through. Continue?",
                         before, name))
         .map([] { return 0; }));
  auto op = OK(opcode(call, "OP_CLUSTER_RENAME"));
  op["name"] = text_value(name);
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results || results->at(0).is_null()) return 0;
  std::printf("Cluster renamed from '%s' to '%s'\n", before.c_str(),
              python_text(results->at(0)).c_str());
  return 0;
}

Outcome<int> refuse_failover(Call& call) {
  auto const info = OK(call.session.get("cluster"));
  return stop(
      Error{ErrorCode::WrongInput,
            fmt::format(
                "This commands must be run on the node where you want the new master to be. {} is "
                "already the master",
                python_text(info.at("master")))});
}

Outcome<int> refuse_upgrade(Call& call) {
  if (call.arguments.has("to") == call.arguments.has("resume")) {
    return stop("Precisely one of the options --to and --resume has to be given");
  }
  return stop("gnt-cluster upgrade is not built yet: install the package of the other version");
}

Outcome<int> redist_conf(Call& call) {
  auto const op = OK(opcode(call, "OP_CLUSTER_REDIST_CONF"));
  OK(submit_or_run(call, op));
  return 0;
}

Outcome<int> activate_master_ip(Call& call) {
  auto const op = OK(opcode(call, "OP_CLUSTER_ACTIVATE_MASTER_IP"));
  OK(submit_or_run(call, op));
  return 0;
}

Outcome<int> deactivate_master_ip(Call& call) {
  if (!call.arguments.has("yes")) {
    OK(confirm(call,
               "This will disable the master IP. All the open connections to the master IP will be "
               "closed. To reach the master you will need to use its node IP. Continue?")
           .map([] { return 0; }));
  }
  auto const op = OK(opcode(call, "OP_CLUSTER_DEACTIVATE_MASTER_IP"));
  OK(submit_or_run(call, op));
  return 0;
}

// Says nothing; the exit code is the answer.
Outcome<int> master_ping(Call& call) {
  return call.session.get("cluster") ? 0 : exit_failure;
}

Outcome<int> show_ispecs(Call& call) {
  auto const info = OK(call.session.get("cluster"));
  std::printf("gnt-cluster init%s %s\n",
              policy_command(info.at("ipolicy").as_object(), PolicyOf::Cluster).c_str(),
              python_text(info.at("name")).c_str());
  return 0;
}

Outcome<int> getmaster(Call& call) {
  std::printf("%s\n", python_text(OK(call.session.get("cluster")).at("master")).c_str());
  return 0;
}

Outcome<int> version(Call& call) {
  auto const info = OK(call.session.get("cluster"));
  for (auto const& [title, key] :
       {std::pair{"Software version", "software_version"},
        std::pair{"Internode protocol", "protocol_version"},
        std::pair{"Configuration format", "config_version"},
        std::pair{"OS api version", "os_api_version"},
        std::pair{"Export interface", "export_version"}, std::pair{"VCS version", "vcs_version"}}) {
    std::printf("%s: %s\n", title, python_text(info.at(key)).c_str());
  }
  return 0;
}

Outcome<int> info(Call& call) {
  auto const info = OK(call.session.get("cluster"));
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(info).c_str());
  } else {
    std::fputs(render_info(cluster_layout(info.as_object())).c_str(), stdout);
  }
  return 0;
}

Outcome<int> modify(Call& call) {
  auto const settings = OK(settings_of(call));
  tell_what_is_for_later(call);
  if (settings.empty() && !call.arguments.has("vg-name")) {
    auto const is_given = [&](Option const& option) { return call.arguments.has(option.name); };
    if (std::ranges::any_of(options_for_later(), is_given)) return 0;
    return stop("Please give at least one of the parameters.");
  }
  auto op = OK(opcode(call, "OP_CLUSTER_SET_PARAMS"));
  for (auto const& [key, value] : settings) op[key] = value;
  if (auto const vg = call.arguments.value("vg-name")) op["vg_name"] = text_value(*vg);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> verify(Call& call) {
  auto const& arguments = call.arguments;
  auto op = OK(opcode(call, "OP_CLUSTER_VERIFY"));
  op["error_codes"] = arguments.has("error-codes");
  op["verbose"] = arguments.has("verbose");
  op["debug_simulate_errors"] = arguments.has("debug-simulate-errors");
  json::array ignored;
  for (auto const& code : arguments.values("ignore-errors")) {
    ignored.push_back(text_value(code));
  }
  op["ignore_errors"] = std::move(ignored);
  json::array skipped;
  if (arguments.has("no-nplus1-mem")) skipped.push_back("nplusone_mem");
  if (arguments.has("no-hv-param-assessment")) skipped.push_back("hvparam_assessment");
  op["skip_checks"] = std::move(skipped);
  if (auto const group = arguments.value("node-group")) op["group_name"] = text_value(*group);
  std::size_t failed = 0;
  bool is_good = true;
  auto const submitted = OK(call.session.run(json::array{std::move(op)}));
  for (auto const& end : OK(follow_jobs(call, submitted))) {
    if (!end.results) ++failed;
    if (!end.results || end.results->at(0) != json::value(true)) is_good = false;
  }
  if (failed > 0) std::printf("%zu job(s) failed while verifying the cluster.\n", failed);
  return is_good ? 0 : exit_failure;
}

Outcome<int> verify_disks(Call& call) {
  auto op = OK(opcode(call, "OP_CLUSTER_VERIFY_DISKS"));
  if (auto const group = call.arguments.value("node-group")) op["group_name"] = text_value(*group);
  op["is_strict"] = !call.arguments.has("no-strict");
  int code = 0;
  auto const submitted = OK(call.session.run(json::array{std::move(op)}));
  for (auto const& end : OK(follow_jobs(call, submitted))) {
    if (!end.results) {
      code = exit_failure;
      continue;
    }
    auto const& found = end.results->at(0).as_array();
    auto const& bad_nodes = found.at(0).as_object();
    auto const& inactive = found.at(1).as_array();
    auto const& missing = found.at(2).as_object();
    for (auto const& [node, why] : bad_nodes) {
      std::printf("Error gathering data on node %s: %s\n",
                  std::string(std::string_view(node)).c_str(), python_text(why).c_str());
      std::printf("You need to fix these nodes first before fixing instances\n");
      code = exit_failure;
    }
    for (auto const& name : inactive) {
      std::printf("Activating disks for instance '%s'\n", python_text(name).c_str());
      std::fflush(stdout);
      auto activate = OK(opcode(call, "OP_INSTANCE_ACTIVATE_DISKS"));
      activate["instance_name"] = name;
      if (auto const done = call.session.run(json::array{std::move(activate)}); !done) {
        std::fprintf(stderr, "Error activating disks for instance %s: %s\n",
                     python_text(name).c_str(), done.error().text.c_str());
        code = exit_failure;
      }
    }
    for (auto const& [name, disks] : missing) {
      std::printf("Instance %s has missing logical volumes:\n",
                  std::string(std::string_view(name)).c_str());
      for (auto const& disk : disks.as_array()) {
        std::printf("\t%s %s\n", python_text(disk.at(0)).c_str(), python_text(disk.at(1)).c_str());
      }
    }
    if (!missing.empty()) {
      std::printf(
          "You need to replace or recreate disks for all the above instances if this message "
          "persists after fixing broken nodes.\n");
      code = exit_failure;
    } else if (inactive.empty()) {
      std::printf("No disks need to be activated.\n");
    }
  }
  return code;
}

Outcome<int> repair_disk_sizes(Call& call) {
  auto op = OK(opcode(call, "OP_CLUSTER_REPAIR_DISK_SIZES"));
  json::array instances;
  for (auto const& name : call.arguments.positional()) instances.push_back(text_value(name));
  op["instances"] = std::move(instances);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> queue(Call& call) {
  auto const& verb = call.arguments.positional()[0];
  if (verb == "drain" || verb == "undrain") {
    OK(call.session.post("queue", {{"drain", verb == "drain"}}));
    return 0;
  }
  if (verb != "info")
    return stop(Error{ErrorCode::WrongInput, fmt::format("Command '{}' is not valid.", verb)});
  auto const info = OK(call.session.get("cluster"));
  std::printf("The drain flag is %s\n", info.at("drain_flag").as_bool() ? "set" : "unset");
  return 0;
}

// Nodes that are named, or of a group, or all; those that are offline are left out. The master is
// the last.
Outcome<std::vector<Target>> targets(Call& call) {
  json::object request{{"what", "node"},
                       {"fields", json::array{"name", "ndp/ssh_port", "role", "group", "offline"}}};
  json::array names;
  for (auto const& name : call.arguments.values("node")) names.push_back(text_value(name));
  if (!names.empty()) request["names"] = std::move(names);
  auto const group = call.arguments.value("node-group");
  auto const answer = OK(call.session.post("query", request));
  std::vector<Target> found;
  std::vector<Target> masters;
  for (auto const& row : answer.at("data").as_array()) {
    auto const cell = [&](std::size_t index) { return row.at(index).at(1); };
    if (cell(4) == json::value(true) || (group && python_text(cell(3)) != *group)) continue;
    auto const is_master = python_text(cell(2)) == "M";
    (is_master ? masters : found)
        .push_back({.name = python_text(cell(0)),
                    .ssh_port = cell(1).to_number<std::int64_t>(),
                    .is_here = is_master});
  }
  found.insert(found.end(), masters.begin(), masters.end());
  if (!found.empty()) return found;
  return stop(Error{ErrorCode::UnknownEntity,
                    group ? fmt::format("Node group '{}' has no node that is online", *group)
                          : std::string("No node is online")});
}

Outcome<int> command(Call& call) {
  auto const& arguments = call.arguments;
  auto const line = fmt::format("{}", fmt::join(arguments.positional(), " "));
  for (auto const& target : OK(targets(call))) {
    auto const said = run(command_on(target, line));
    if (arguments.has("failure-only") && said.exit_code == 0) continue;
    std::printf("------------------------------------------------\n");
    if (arguments.has("show-machine-names")) {
      for (auto const& text : split(strip(said.output), '\n'))
        std::printf("%s: %s\n", target.name.c_str(), text.c_str());
    } else {
      std::printf("node: %s\n%s\n", target.name.c_str(), said.output.c_str());
    }
    std::printf("return code = %d\n", said.exit_code);
  }
  return 0;
}

Outcome<int> copyfile(Call& call) {
  std::error_code error;
  auto const& given = call.arguments.positional()[0];
  auto const path = std::filesystem::canonical(given, error);
  if (error) {
    std::error_code unknown;
    return stop(Error{ErrorCode::WrongInput,
                      error == std::errc::no_such_file_or_directory
                          ? fmt::format("No such filename '{}'",
                                        std::filesystem::absolute(given, unknown).string())
                          : fmt::format("Can't copy '{}': {}", given, error.message())});
  }
  int code = 0;
  for (auto const& target : OK(targets(call))) {
    if (target.is_here) continue;  // it is there
    auto const said = run(copy_to(target, path.string()));
    if (said.exit_code == 0) continue;
    std::fprintf(stderr, "Copy of file %s to node %s failed: %s\n", path.c_str(),
                 target.name.c_str(), strip(said.output).c_str());
    code = exit_failure;
  }
  return code;
}

std::vector<std::string> verify_code_names() {
  std::vector<std::string> names;
  for (auto const& code : model::verify_codes()) names.emplace_back(code.name);
  return names;
}

std::vector<Option> target_options() {
  return {{'n', "node", true, "Only this node; may stand more than once"},
          {'g', "node-group", true, "Only nodes of this group"}};
}

Outcome<int> watcher(Call& call) {
  auto const& words = call.arguments.positional();
  auto const& verb = words[0];
  auto const pause = [&](json::value const& until) {
    return call.session.post("watcher", {{"paused_until", until}});
  };
  if (verb == "continue") {
    OK(pause(nullptr));
    std::printf("The watcher is no longer paused.\n");
    return 0;
  }
  if (verb == "pause") {
    if (words.size() < 2) return stop(Error{ErrorCode::WrongInput, "Missing pause duration"});
    OK(pause(std::time(nullptr) + GIVEN(parse_timespec(words[1]))));
  } else if (verb != "info") {
    return stop(Error{ErrorCode::WrongInput, fmt::format("Command '{}' is not valid.", verb)});
  }
  auto const info = OK(call.session.get("cluster"));
  auto const& until = info.at("watcher_pause");
  if (until.is_null()) {
    std::printf("The watcher is not paused.\n");
  } else {
    auto const when = until.to_number<std::time_t>();
    std::printf("The watcher is paused until %s.\n", strip(std::ctime(&when)).c_str());
  }
  return 0;
}

std::vector<Option> settings_options() {
  return with({{'B', "backend-parameters", true, "Backend parameters"},
               integer({'C', "candidate-pool-size", true, "Master candidates wished"}),
               {0, "enabled-hypervisors", true, "Hypervisors, separated by commas"},
               {0, "enabled-disk-templates", true, "Disk templates, separated by commas"},
               {0, "file-storage-dir", true, "Where file disks live"},
               {0, "shared-file-storage-dir", true, "Where sharedfile disks live"},
               {'H', "hypervisor-parameters", true, "Hypervisor parameters: kvm:kernel_path="},
               {'m', "mac-prefix", true, "First three octets of MAC addresses"},
               {0, "master-netdev", true, "Interface of the cluster's address"},
               {0, "master-netmask", true, "Its prefix length"},
               {'N', "nic-parameters", true, "NIC parameters: link=br0"},
               {0, "vg-name", true, "The volume group"},
               {'I', "default-iallocator", true, "What chooses nodes"},
               {0, "prealloc-wipe-disks", true, "yes or no"},
               {0, "maintain-node-health", true, "yes or no"},
               {0, "user-shutdown", true, "yes or no"},
               {0, "compression-tools", true, "What may compress disks on their way: gzip,lzop"},
               {0, "node-parameters", true, "Node parameters: ssh_port=22"},
               {'D', "disk-parameters", true, "Disk parameters: plain:stripes=1"},
               {0, "ipolicy-std-specs", true, "Instance policy: the standard"},
               {0, "uid-pool", true, "User ids for guests", false},
               {0, "use-external-mip-script", true, "yes or no", false}},
              {options_for_later(), policy_options()});
}

}  // namespace

Program cluster_program() {
  return {
      "gnt-cluster",
      {
          {"activate-master-ip", "", 0, 0, {}, "Activates the master IP", activate_master_ip},
          {"add-tags", "<tag>...", 0, many, tag_options(), "Add tags to the cluster", add_tags},
          {"command", "[-n <node-name>...] <command>", 1, many,
           with({{'M', "show-machine-names", false, "Each line with the node's name before it"},
                 {0, "failure-only", false, "Only of nodes where it fails"}},
                {target_options()}),
           "Runs a command on all (or only some) nodes", command},
          {"copyfile", "[-n <node-name>...] <filename>", 1, 1,
           with({{0, "use-replication-network", false, "Over the secondary addresses", false}},
                {target_options()}),
           "Copies a file to all (or only some) nodes", copyfile},
          {"deactivate-master-ip",
           "",
           0,
           0,
           {{0, "yes", false, "Don't ask"}},
           "Deactivates the master IP",
           deactivate_master_ip},
          {"destroy",
           "",
           0,
           0,
           {{0, "yes-do-it", false, "Really"}, {0, "ya-rly", false, "The same"}},
           "Destroy cluster",
           destroy},
          emergency_power_off_command(),
          {"getmaster", "", 0, 0, {}, "Shows the cluster master", getmaster},
          {"info", "[--roman]", 0, 0,
           with({{0, "json", false, "Print JSON"}}, {not_built_options({"roman"})}),
           "Show cluster configuration", info},
          {"init", "[<opts>...] <cluster-name>", 1, 1,
           with(settings_options(),
                {{{'s', "secondary-ip", true, "Address for replication"},
                  {0, "primary-ip-version", true, "4"},
                  {0, "no-etc-hosts", false, "No effect: /etc/hosts is left alone"},
                  {0, "no-ssh-init", false, "No effect: SSH is left alone"}},
                 init_options_for_later(),
                 split_policy_options()}),
           "Initialises a new cluster configuration", init},
          {"list-tags", "", 0, 0, {}, "List the tags of the cluster", list_tags},
          {"master-failover", "", 0, 0,
           known_options({"no-voting", "yes-do-it", "ignore-offline-nodes="}),
           "Makes the current node the master", nullptr, true, refuse_failover},
          {"master-ping", "", 0, 0, {}, "Checks if the master is alive", master_ping},
          {"modify", "[<opts>...]", 0, 0,
           with(settings_options(),
                {{{'f', "force", false, "Don't ask"},
                  integer({0, "max-running-jobs", true, "Jobs that run at once"}),
                  integer({0, "max-tracked-jobs", true, "Jobs tracked at once"}),
                  {0, "reserved-lvs", true, "Volumes that are not ours"}},
                 not_built_options(
                     {"instance-communication-network=", "add-uids=", "remove-uids=",
                      "modify-etc-hosts=", "enabled-data-collectors=", "data-collector-interval="}),
                 submit_options()}),
           "Alters the parameters of the cluster", modify},
          {"queue", "drain|undrain|info", 1, 1, {}, "Change queue properties", queue},
          {"redist-conf", "", 0, 0,
           with({{0, "yes-do-it", false, "No effect: nothing is asked"}}, {submit_options()}),
           "Forces a push of the configuration file and ssconf files to the nodes in the cluster",
           redist_conf},
          {"remove-tags", "<tag>...", 0, many, tag_options(), "Remove tags from the cluster",
           remove_tags},
          {"rename",
           "<new-name>",
           1,
           1,
           {{'f', "force", false, "Don't ask"},
            {0, "dry-run", false, "Only check whether it would work"}},
           "Renames the cluster",
           rename},
          renew_crypto_command(),
          {"repair-disk-sizes", "[<instance-name>...]", 0, many, submit_options(),
           "Updates mismatches in recorded disk sizes", repair_disk_sizes},
          {"search-tags",
           "",
           1,
           1,
           {priority_option()},
           "Searches the tags on all objects on the cluster for a given pattern (regex)",
           search_tags},
          {"show-ispecs-cmd",
           "",
           0,
           0,
           {},
           "Show the command line to re-create the cluster",
           show_ispecs},
          {"upgrade", "", 0, 0, known_options({"to=", "resume"}),
           "Upgrade (or downgrade) to a new Ganeti version", nullptr, true, refuse_upgrade},
          {"verify", "", 0, 0,
           with(
               {{0, "error-codes", false, "Print each finding's code"},
                choice({'I', "ignore-errors", true, "A code that is only a warning"},
                       verify_code_names()),
                {'g', "node-group", true, "Only this group"},
                {'v', "verbose", false, "Name each node and instance"},
                {0, "no-nplus1-mem", false, "Don't look at the memory for failovers"},
                {0, "no-hv-param-assessment", false, "Don't look for hypervisor parameters' files"},
                {0, "debug-simulate-errors", false, "Print what each check would say"},
                {0, "verify-ssh-clutter", false, "No effect: SSH is left alone"}},
               {priority_option(), not_built_options({"dry-run"})}),
           "Does a check on the cluster configuration", verify},
          {"verify-disks", "", 0, 0,
           with({{'g', "node-group", true, "Only this group"},
                 {0, "no-strict", false, "No effect: there are no mirrors yet"}},
                {priority_option()}),
           "Does a check on the cluster disk status", verify_disks},
          {"version", "", 0, 0, {}, "Shows the cluster version", version},
          {"watcher",
           "{pause <timespec>|continue|info}",
           1,
           2,
           {},
           "Change watcher properties",
           watcher},
      },
      {{"show", "info"}, {"masterfailover", "master-failover"}}};
}

}  // namespace flotte::cli
