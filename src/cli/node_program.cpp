// gnt-node: the nodes, their volumes and storage.
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/command.h"
#include "cli/print.h"
#include "cli/tags.h"

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
    for (auto const& [key, value] : all_params.as_object()) {
      auto const is_own = own_params.as_object().contains(key);
      auto const shown = value == json::value(1.0) ? std::string("1") : python_text(value);
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

Outcome<int> node_storage(Call& call) {
  auto op = OK(opcode(call, "OP_NODE_QUERY_STORAGE"));
  if (auto const type = call.arguments.value("storage-type"))
    op["storage_type"] = text_value(*type);
  return rows_of_opcode(call, std::move(op), "node,type,name,size,used,free,allocatable");
}

}  // namespace

Program node_program() {
  return {"gnt-node",
          {{"add-tags", "<node> <tag>...", 1, many, tag_options(), "Add tags to the given node",
            add_tags},
           {"info",
            "[<node>...]",
            0,
            many,
            {{0, "json", false, "Print JSON"}},
            "Show information about the node(s)",
            node_info},
           {"list", "[<node>...]", 0, many, list_options(), "Lists the nodes in the cluster",
            node_list},
           {"list-fields", "[<field>...]", 0, many, list_options(),
            "Lists all available fields for nodes", node_list_fields},
           {"list-storage", "[<node>...]", 0, many,
            with({{'t', "storage-type", true, "file, lvm-vg or sharedfile"}},
                 {list_options(), priority_option()}),
            "List storage on node(s)", node_storage},
           {"list-tags", "<node>", 1, 1, {}, "List the tags of the given node", list_tags},
           {"remove-tags", "<node> <tag>...", 1, many, tag_options(),
            "Remove tags from the given node", remove_tags},
           {"volumes", "[<node>...]", 0, many, with(list_options(), {priority_option()}),
            "List logical volumes on node(s)", node_volumes}},
          {{"show", "info"}}};
}

}  // namespace flotte::cli
