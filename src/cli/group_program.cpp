// gnt-group: node groups, their policy and parameters.
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/command.h"
#include "cli/info.h"
#include "cli/policy.h"
#include "cli/tags.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> group_list(Call& call) {
  return list(call, "group", "name,node_cnt,pinst_cnt,alloc_policy,ndparams");
}
Outcome<int> group_list_fields(Call& call) {
  return list_fields(call, "group");
}

Outcome<void> put_parameters(Call& call, json::object& op) {
  auto const& arguments = call.arguments;
  if (auto const policy = arguments.value("alloc-policy")) op["alloc_policy"] = text_value(*policy);
  if (auto const text = arguments.value("node-parameters")) {
    op["ndparams"] = GIVEN(parse_pairs(*text, arguments.spelled("node-parameters")));
  }
  if (arguments.has("disk-parameters")) op["diskparams"] = OK(by_name(call, "disk-parameters"));
  auto policy = OK(policy_of(call, PolicyOf::Group));
  if (!policy.empty()) op["ipolicy"] = std::move(policy);
  return {};
}

Outcome<int> add(Call& call) {
  auto op = OK(opcode(call, "OP_GROUP_ADD"));
  op["group_name"] = text_value(call.arguments.positional()[0]);
  OK(put_parameters(call, op).map([] { return 0; }));
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> assign_nodes(Call& call) {
  auto op = OK(opcode(call, "OP_GROUP_ASSIGN_NODES"));
  auto const& words = call.arguments.positional();
  op["group_name"] = text_value(words[0]);
  json::array nodes;
  for (std::size_t i = 1; i < words.size(); ++i) nodes.push_back(text_value(words[i]));
  op["nodes"] = std::move(nodes);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> modify(Call& call) {
  auto const& name = call.arguments.positional()[0];
  auto op = OK(opcode(call, "OP_GROUP_SET_PARAMS"));
  op["group_name"] = text_value(name);
  auto const before = op.size();
  OK(put_parameters(call, op).map([] { return 0; }));
  if (op.size() == before) return stop("Please give at least one of the parameters.");
  auto const results = OK(submit_or_run(call, std::move(op)));
  if (!results || results->at(0).as_array().empty()) return 0;
  std::printf("Modified node group %s\n", name.c_str());
  for (auto const& change : results->at(0).as_array()) {
    std::printf(" - %-5s -> %s\n", python_text(change.at(0)).c_str(),
                python_text(change.at(1)).c_str());
  }
  return 0;
}

Outcome<int> remove(Call& call) {
  auto op = OK(opcode(call, "OP_GROUP_REMOVE"));
  op["group_name"] = text_value(call.arguments.positional()[0]);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> rename(Call& call) {
  auto op = OK(opcode(call, "OP_GROUP_RENAME"));
  op["group_name"] = text_value(call.arguments.positional()[0]);
  op["new_name"] = text_value(call.arguments.positional()[1]);
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<json::array> rows(Call& call, json::array fields) {
  return rows_of(call, "group", std::move(fields), call.arguments.positional());
}

Outcome<int> info(Call& call) {
  auto const groups = OK(rows(call, {"name", "ndparams", "custom_ndparams", "diskparams",
                                     "custom_diskparams", "ipolicy", "custom_ipolicy"}));
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(groups).c_str());
    return 0;
  }
  json::array all;
  for (auto const& group : groups) all.push_back(group_layout(group.as_object()));
  std::fputs(render_info(all).c_str(), stdout);
  return 0;
}

Outcome<int> show_ispecs(Call& call) {
  auto const* field = call.arguments.has("include-defaults") ? "ipolicy" : "custom_ipolicy";
  for (auto const& group : OK(rows(call, {"name", field}))) {
    std::printf("gnt-group add%s %s\n",
                policy_command(group.at(field).as_object(), PolicyOf::Group).c_str(),
                python_text(group.at("name")).c_str());
  }
  return 0;
}

std::vector<Option> parameter_options() {
  return with({{0, "alloc-policy", true, "preferred, last_resort or unallocable"},
               {0, "node-parameters", true, "Node parameters: ssh_port=22"},
               {'D', "disk-parameters", true, "Disk parameters: plain:stripes=1"}},
              {policy_options(), submit_options(),
               not_built_options({"hypervisor-state=", "disk-state="})});
}

}  // namespace

Program group_program() {
  return {"gnt-group",
          {
              {"add", "<group-name>", 1, 1, parameter_options(),
               "Add a new node group to the cluster", add},
              {"add-tags", "<group> <tag>...", 1, many, tag_options(),
               "Add tags to the given group", add_tags},
              {"assign-nodes", "<group-name> <node-name>...", 1, many,
               with({{'f', "force", false, "No effect: no instance has two nodes yet"}},
                    {submit_options()}),
               "Assign nodes to a group", assign_nodes},
              {"evacuate", "[-I <iallocator>] [--to <group>] <source-group>", 1, 1,
               known_options({"to=", "I/iallocator=", "early-release", "sequential",
                              "force-failover", "submit", "print-jobid"}),
               "Evacuate all instances within a group"},
              {"info",
               "[<group>...]",
               0,
               many,
               {{0, "json", false, "Print JSON"}},
               "Show group information",
               info},
              {"list", "[<group-name>...]", 0, many, without(list_options(), {"units"}),
               "Lists the node groups in the cluster. The available fields can be shown using the "
               "\"list-fields\" command (see the man page for details). The default list is (in "
               "order): name, node_cnt, pinst_cnt, alloc_policy, ndparams.",
               group_list},
              {"list-fields", "[fields...]", 0, many, list_fields_options(),
               "Lists all available fields for node groups", group_list_fields},
              {"list-tags", "<group>", 1, 1, {}, "List the tags of the given group", list_tags},
              {"modify", "<group>", 1, 1, parameter_options(),
               "Alters the parameters of a node group", modify},
              {"remove", "[--dry-run] <group>", 1, 1, submit_options(),
               "Remove an (empty) node group from the cluster", remove},
              {"remove-tags", "<group> <tag>...", 1, many, tag_options(),
               "Remove tags from the given group", remove_tags},
              {"rename", "[--dry-run] <old-name> <new-name>", 2, 2, submit_options(),
               "Rename a node group", rename},
              {"show-ispecs-cmd",
               "[--include-defaults] [<group>...]",
               0,
               many,
               {{0, "include-defaults", false, "Also what it has from the cluster"}},
               "Show the command line to re-create a group",
               show_ispecs},
          },
          {}};
}

}  // namespace flotte::cli
