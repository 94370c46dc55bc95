// gnt-node: the nodes, their volumes and storage.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/command.h"
#include "cli/info.h"
#include "cli/print.h"
#include "cli/tags.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> node_list(Call& call) {
  return list(call, "node", "name,dtotal,dfree,mtotal,mnode,mfree,pinst_cnt,sinst_cnt");
}
Outcome<int> node_list_fields(Call& call) {
  return list_fields(call, "node");
}

Outcome<int> node_info(Call& call) {
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  constexpr char const* fields[] = {"name",
                                    "pip",
                                    "sip",
                                    "master_candidate",
                                    "drained",
                                    "offline",
                                    "master_capable",
                                    "vm_capable",
                                    "pinst_list",
                                    "sinst_list",
                                    "ndparams",
                                    "custom_ndparams"};
  json::array wanted;
  for (auto const* field : fields) wanted.push_back(field);
  auto const answer =
      OK(call.session.post("query", {{"what", "node"}, {"fields", wanted}, {"names", names}}));
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(table_json(answer)).c_str());
    return 0;
  }
  json::array all;
  for (auto const& row : answer.at("data").as_array()) {
    auto const cell = [&](std::size_t i) { return row.at(i).at(1); };
    auto const names_of = [&](std::size_t i) -> json::value {
      return cell(i).as_array().empty() ? json::value("") : cell(i);
    };
    json::object node;
    node["Node name"] = cell(0);
    node["primary ip"] = cell(1);
    node["secondary ip"] = cell(2);
    node["master candidate"] = cell(3);
    node["drained"] = cell(4);
    node["offline"] = cell(5);
    node["master_capable"] = cell(6);
    node["vm_capable"] = cell(7);
    node["primary for instances"] = names_of(8);
    node["secondary for instances"] = names_of(9);
    json::object params;
    auto const all_params = cell(10);
    auto const own_params = cell(11);
    for (auto const& [key, value] : sorted(all_params.as_object())) {
      auto const is_own = own_params.as_object().contains(key);
      auto const shown = python_text(value);
      params[key] = text_value(is_own ? shown : fmt::format("default ({})", shown));
    }
    node["node parameters"] = std::move(params);
    all.push_back(std::move(node));
  }
  std::fputs(render_info(all).c_str(), stdout);
  return 0;
}

// The opcodes that answer rows of their own, older than queries.
Outcome<int> rows_of_opcode(Call& call, json::object op, std::string const& default_fields) {
  auto const options = OK(table_options(call));
  json::array fields;
  json::array columns;
  for (auto const& name : chosen_fields(call, default_fields)) {
    auto title = name == "phys" ? "PhysDev" : name == "vg" ? "VG" : name;
    if (!title.empty()) {
      title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
    }
    auto const is_unit = name == "size" || name == "used" || name == "free";
    fields.push_back(text_value(name));
    columns.push_back({{"name", text_value(name)},
                       {"title", text_value(title)},
                       {"kind", is_unit                 ? "unit"
                                : name == "allocatable" ? "bool"
                                                        : "text"}});
  }
  json::array nodes;
  for (auto const& name : call.arguments.positional()) nodes.push_back(text_value(name));
  op["output_fields"] = std::move(fields);
  op["nodes"] = std::move(nodes);
  auto const results = OK(call.session.run(json::array{std::move(op)}));
  json::array data;
  for (auto const& row : results.at(0).as_array()) {
    json::array cells;
    for (auto const& value : row.as_array()) cells.push_back(json::array{0, value});
    data.push_back(std::move(cells));
  }
  json::value const table{{"fields", std::move(columns)}, {"data", std::move(data)}};
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(table_json(table)).c_str());
  } else {
    std::fputs(render_table(table, options).c_str(), stdout);
  }
  return 0;
}

Outcome<int> node_volumes(Call& call) {
  return rows_of_opcode(call, OK(opcode(call, "OP_NODE_QUERYVOLS")),
                        "node,phys,vg,name,size,instance");
}

// There are no mirrors yet: nobody uses a minor.
Outcome<int> node_drbd(Call& call) {
  auto const& name = call.arguments.positional()[0];
  OK(call.session.post("query", {{"what", "node"},
                                 {"fields", json::array{"name"}},
                                 {"names", json::array{text_value(name)}}}));
  json::array columns;
  for (auto const* title : {"Node", "Minor", "Instance", "Disk", "Role", "PeerNode"}) {
    columns.push_back({{"name", title}, {"title", title}, {"kind", "text"}});
  }
  json::value const table{{"fields", std::move(columns)}, {"data", json::array()}};
  std::fputs(render_table(table, OK(table_options(call))).c_str(), stdout);
  return 0;
}

Outcome<int> node_modify(Call& call) {
  auto const& arguments = call.arguments;
  auto const& name = arguments.positional()[0];
  auto op = OK(opcode(call, "OP_NODE_SET_PARAMS"));
  op["node_name"] = text_value(name);
  auto const before = op.size();
  for (auto const& [option, field] :
       {std::pair{"master-candidate", "master_candidate"}, std::pair{"drained", "drained"},
        std::pair{"offline", "offline"}, std::pair{"master-capable", "master_capable"},
        std::pair{"vm-capable", "vm_capable"}, std::pair{"node-powered", "powered"}}) {
    if (auto const text = arguments.value(option)) op[field] = GIVEN(parse_yes_no(*text));
  }
  if (auto const text = arguments.value("node-parameters")) {
    op["ndparams"] = GIVEN(parse_pairs(*text, "--node-parameters"));
  }
  if (op.size() == before + op.count("powered")) {
    return stop("Please give at least one of the parameters.");
  }
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results || results->at(0).as_array().empty()) return 0;
  std::printf("Modified node %s\n", name.c_str());
  for (auto const& change : results->at(0).as_array()) {
    std::printf(" - %-5s -> %s\n", python_text(change.at(0)).c_str(),
                python_text(change.at(1)).c_str());
  }
  return 0;
}

Outcome<int> node_storage(Call& call) {
  auto op = OK(opcode(call, "OP_NODE_QUERY_STORAGE"));
  if (auto const type = call.arguments.value("storage-type"))
    op["storage_type"] = text_value(*type);
  return rows_of_opcode(call, std::move(op), "node,type,name,size,used,free,allocatable");
}

// What a type of storage doesn't allow is refused in Ganeti's words; what Ganeti does with volume
// groups and their physical volumes is not built yet.
tl::unexpected<CommandError> refuse_storage(Call const& call, std::string_view possible_for,
                                            std::string_view deed) {
  auto const& type = call.arguments.positional()[1];
  constexpr std::string_view known[] = {"blockdev", "diskless", "ext",   "file",      "gluster",
                                        "lvm-pv",   "lvm-vg",   "rados", "sharedfile"};
  if (std::ranges::find(known, std::string_view(type)) == std::end(known)) {
    return stop(Error{ErrorCode::WrongInput, fmt::format("Unknown storage type: {}", type)});
  }
  if (type == possible_for) {
    return stop(fmt::format("{} {} of storage units of type '{}' is not built yet", call.program,
                            call.command, type));
  }
  return stop(Error{ErrorCode::WrongInput,
                    fmt::format("Storage units of type '{}' can not be {}", type, deed)});
}

Outcome<int> modify_storage(Call& call) {
  if (call.arguments.has("allocatable")) return refuse_storage(call, "lvm-pv", "modified");
  std::fprintf(stderr, "No changes to perform, exiting.\n");
  return 0;
}

Outcome<int> repair_storage(Call& call) {
  return refuse_storage(call, "lvm-vg", "repaired");
}

}  // namespace

Program node_program() {
  return {
      "gnt-node",
      {{"add",
        "[-s ip] [--readd] [--no-ssh-key-check] [--force-join] [--no-node-setup] [--verbose] "
        "[--network] <node-name>",
        1, 1,
        with(known_options({"s/secondary-ip=", "readd", "no-ssh-key-check", "force-join",
                            "no-node-setup", "v/verbose", "g/node-group=", "master-capable=",
                            "vm-capable=", "node-parameters=", "hypervisor-state=", "disk-state="}),
             {priority_option()}),
        "Add a node to the cluster"},
       {"add-tags", "<node-name> <tag>...", 1, many, tag_options(), "Add tags to the given node",
        add_tags},
       {"evacuate", "[-f] {-I <iallocator> | -n <dst>} [-p | -s] [options...] <node>", 1, 1,
        with(known_options({"f/force", "I/iallocator=", "ignore-soft-errors", "n/new-secondary=",
                            "early-release", "p/primary-only", "s/secondary-only"}),
             {without(submit_options(), {"dry-run"})}),
        "Relocate the primary and/or secondary instances from a node"},
       {"failover", "[-f] <node>", 1, 1,
        with(known_options({"f/force", "ignore-consistency", "I/iallocator="}),
             {priority_option()}),
        "Stops the primary instances on a node and start them on their secondary node (only for "
        "instances with drbd disk template)"},
       {"health", "[<node-name>...]", 0, many,
        with(known_options({"no-headers", "separator=", "oob-timeout="}), {priority_option()}),
        "List health of node(s) using out-of-band"},
       {"info",
        "[<node>...]",
        0,
        many,
        {{0, "json", false, "Print JSON"}},
        "Show information about the node(s)",
        node_info},
       {"list", "[<node-name>...]", 0, many, list_options(),
        "Lists the nodes in the cluster. The available fields can be shown using the "
        "\"list-fields\" command (see the man page for details). The default field list is (in "
        "order): name, dtotal, dfree, mtotal, mnode, mfree, pinst_cnt, sinst_cnt.",
        node_list},
       {"list-drbd",
        "<node>",
        1,
        1,
        {{0, "no-headers", false, "Don't display column headers"},
         {0, "separator", true, "Separator between output fields"}},
        "Query the list of used DRBD minors on the given node",
        node_drbd},
       {"list-fields", "[fields...]", 0, many, list_fields_options(),
        "Lists all available fields for nodes", node_list_fields},
       {"list-storage", "[<node-name>...]", 0, many,
        with({choice({'t', "storage-type", true, "file, lvm-vg or sharedfile"},
                     {"file", "lvm-pv", "lvm-vg", "sharedfile", "gluster"})},
             {without(list_options(), {"verbose", "filter"}), priority_option()}),
        "List physical volumes on node(s). The available fields are (see the man page for "
        "details): node, type, name, size, used, free, allocatable.",
        node_storage},
       {"list-tags", "<node-name>", 1, 1, {}, "List the tags of the given node", list_tags},
       {"migrate", "[-f] <node>", 1, 1,
        with(known_options({"f/force", "non-live", "migration-mode=", "n/target-node=",
                            "I/iallocator=", "ignore-ipolicy", "no-runtime-changes"}),
             {without(submit_options(), {"dry-run"})}),
        "Migrate all the primary instance on a node away from it (only for instances of type "
        "drbd)"},
       {"modify", "<node-name>", 1, 1,
        with({{'f', "force", false, "No effect: what it overrides needs another node"},
              {'C', "master-candidate", true, "yes or no"},
              {'O', "offline", true, "yes or no"},
              {'D', "drained", true, "yes or no"},
              {0, "master-capable", true, "yes or no"},
              {0, "vm-capable", true, "yes or no"},
              {0, "auto-promote", false, "No effect: there are no other nodes yet"},
              {0, "node-parameters", true, "Node parameters: ssh_port=22"},
              {0, "node-powered", true, "yes or no"}},
             {submit_options(),
              not_built_options({"s/secondary-ip=", "hypervisor-state=", "disk-state="})}),
        "Alters the parameters of a node", node_modify},
       {"modify-storage", "<node-name> <storage-type> <volume-name>", 3, 3,
        with({choice({0, "allocatable", true, "yes or no"}, {"yes", "no"})}, {submit_options()}),
        "Modify storage volume on a node", nullptr, true, modify_storage},
       {"power", "on|off|cycle|status [<node-name>...]", 1, many,
        with(known_options({"auto-promote", "ignore-status", "f/force", "no-headers",
                            "separator=", "oob-timeout=", "power-delay="}),
             {without(submit_options(), {"dry-run"})}),
        "Change power state of node by calling out-of-band helper."},
       {"powercycle", "<node-name>", 1, 1,
        with(known_options({"f/force", "yes"}), {submit_options()}),
        "Tries to forcefully powercycle a node"},
       {"remove", "<node-name>", 1, 1, with(known_options({"dry-run"}), {priority_option()}),
        "Removes a node from the cluster"},
       {"remove-tags", "<node-name> <tag>...", 1, many, tag_options(),
        "Remove tags from the given node", remove_tags},
       {"repair-storage", "<node-name> <storage-type> <volume-name>", 3, 3,
        with(known_options({"ignore-consistency"}), {submit_options()}),
        "Repairs a storage volume on a node", nullptr, true, repair_storage},
       {"restricted-command", "<command> <node-name>...", 1, many,
        with(known_options({"sync", "M/show-machine-names", "g/node-group="}),
             {without(submit_options(), {"dry-run"})}),
        "Executes a restricted command on node(s)"},
       {"volumes", "[<node-name>...]", 0, many,
        with(without(list_options(), {"verbose", "filter"}), {priority_option()}),
        "List logical volumes on node(s)", node_volumes}},
      {{"show", "info"}}};
}

}  // namespace flotte::cli
