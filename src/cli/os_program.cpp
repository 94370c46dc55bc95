// gnt-os: the OS definitions of the nodes.
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<json::array> os_rows(Call& call, std::initializer_list<char const*> fields,
                             json::array names = {}) {
  auto op = OK(opcode(call, "OP_OS_DIAGNOSE"));
  json::array wanted;
  for (auto const* field : fields) wanted.push_back(field);
  op["output_fields"] = std::move(wanted);
  op["names"] = std::move(names);
  auto const results = OK(call.session.run(json::array{std::move(op)}));
  return results.at(0).as_array();
}

Outcome<int> os_list(Call& call) {
  auto const rows = OK(os_rows(call, {"name", "variants", "valid", "hidden", "blacklisted"}));
  json::array data;
  for (auto const& row : rows) {
    if (!row.at(2).as_bool() || row.at(3).as_bool() || row.at(4).as_bool()) continue;
    auto const name = python_text(row.at(0));
    auto const& variants = row.at(1).as_array();
    if (variants.empty()) data.push_back(json::array{json::array{0, row.at(0)}});
    for (auto const& variant : variants) {
      data.push_back(json::array{json::array{0, text_value(name + "+" + python_text(variant))}});
    }
  }
  json::value const table{
      {"fields", json::array{json::object{{"name", "name"}, {"title", "Name"}, {"kind", "text"}}}},
      {"data", std::move(data)}};
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(table_json(table)).c_str());
  } else {
    std::fputs(render_table(table, {.has_headers = !call.arguments.has("no-headers")}).c_str(),
               stdout);
  }
  return 0;
}

std::string listed(json::value const& list, char const* word) {
  std::string out;
  for (auto const& item : list.as_array()) {
    out += (out.empty() ? "" : ", ") + python_text(item.is_array() ? item.at(0) : item);
  }
  return out.empty() ? fmt::format("[no {}]", word) : fmt::format("[{}: {}]", word, out);
}

// Of each node's UUID.
Outcome<json::object> node_names(Call& call) {
  auto const answer =
      OK(call.session.post("query", {{"what", "node"}, {"fields", json::array{"uuid", "name"}}}));
  json::object names;
  for (auto const& row : answer.at("data").as_array()) {
    names[row.at(0).at(1).as_string()] = row.at(1).at(1);
  }
  return names;
}

// What a node says of a definition; of one that is not valid only why.
std::string status_on_node(json::array const& found) {
  auto const path = python_text(found.at(0));
  auto const* trusted = found.at(6).as_bool() ? "[trusted]" : "[untrusted]";
  if (!found.at(1).as_bool()) {
    return fmt::format("invalid - {} (path: {}) [no API versions declared] {}",
                       python_text(found.at(2)), path, trusted);
  }
  return fmt::format("valid (path: {}) {} {} {} {}", path, listed(found.at(5), "API versions"),
                     listed(found.at(3), "variants"), listed(found.at(4), "parameters"), trusted);
}

Outcome<int> os_diagnose(Call& call) {
  auto const rows =
      OK(os_rows(call, {"name", "valid", "variants", "node_status", "hidden", "blacklisted"}));
  auto const names = OK(node_names(call));
  int exit_code = 0;
  for (auto const& row : rows) {
    if (!row.at(1).as_bool()) exit_code = exit_failure;
    std::printf("OS: %s [global status: %s]%s%s\n", python_text(row.at(0)).c_str(),
                row.at(1).as_bool() ? "valid" : "invalid", row.at(4).as_bool() ? " [hidden]" : "",
                row.at(5).as_bool() ? " [blacklisted]" : "");
    if (!row.at(2).as_array().empty()) {
      std::string variants;
      for (auto const& item : row.at(2).as_array())
        variants += (variants.empty() ? "" : ", ") + python_text(item);
      std::printf("  Variants: [%s]\n", variants.c_str());
    }
    for (auto const& [node, entries] : row.at(3).as_object()) {
      // Ganeti names a node by its UUID; who that is stands behind.
      auto const* name = names.if_contains(node);
      std::printf("  Node: %s, status: %s; node %s\n", std::string(std::string_view(node)).c_str(),
                  status_on_node(entries.at(0).as_array()).c_str(),
                  name ? python_text(*name).c_str() : "?");
    }
    std::printf("\n");
  }
  return exit_code;
}

// Changes of the cluster's settings that concern one definition.
Outcome<int> os_modify(Call& call) {
  auto const& arguments = call.arguments;
  auto const name = text_value(arguments.positional()[0]);
  auto op = OK(opcode(call, "OP_CLUSTER_SET_PARAMS"));
  auto const before = op.size();
  auto const of_this = [&](json::object params) {
    json::object out;
    out[name.get_string()] = std::move(params);
    return out;
  };
  if (arguments.has("hypervisor-parameters")) {
    op["os_hvp"] = of_this(OK(by_name(call, "hypervisor-parameters")));
  }
  if (auto const text = arguments.value("os-parameters")) {
    op["osparams"] = of_this(GIVEN(parse_pairs(*text, arguments.spelled("os-parameters"))));
  }
  for (auto const& [option, field] :
       {std::pair{"hidden", "hidden_os"}, std::pair{"blacklisted", "blacklisted_os"}}) {
    auto const text = arguments.value(option);
    if (!text) continue;
    auto const* change = GIVEN(parse_yes_no(*text)) ? "add" : "remove";
    op[field] = json::array{json::array{change, name}};
  }
  if (op.size() == before) {
    return stop("At least one of OS parameters or hypervisor parameters must be passed");
  }
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

Outcome<int> os_info(Call& call) {
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  auto const rows = OK(os_rows(call,
                               {"name", "valid", "hidden", "blacklisted", "api_versions",
                                "variants", "parameters", "trusted"},
                               names));
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(rows).c_str());
    return 0;
  }
  for (auto const& row : rows) {
    auto const flag = [&](char const* word, std::size_t i) {
      std::printf("  - %s: %s\n", word, python_text(row.at(i)).c_str());
    };
    auto const each = [&](char const* word, std::size_t i) {
      std::printf("  - %s:\n", word);
      for (auto const& item : row.at(i).as_array()) {
        std::printf(
            "    - %s\n",
            item.is_array()
                ? fmt::format("{}: {}", python_text(item.at(0)), python_text(item.at(1))).c_str()
                : python_text(item).c_str());
      }
    };
    std::printf("%s:\n", python_text(row.at(0)).c_str());
    flag("valid", 1);
    flag("hidden", 2);
    flag("blacklisted", 3);
    if (row.at(1).as_bool()) {
      each("API versions", 4);
      each("variants", 5);
      each("parameters", 6);
    }
    flag("trusted", 7);
    std::printf("\n");
  }
  for (auto const& name : names) {
    bool known = false;
    for (auto const& row : rows) known = known || row.at(0) == name;
    if (!known) std::printf("%s: \n\n", python_text(name).c_str());
  }
  return 0;
}

}  // namespace

Program os_program() {
  return {"gnt-os",
          {{"diagnose", "", 0, 0, priority_option(), "Diagnose all operating systems", os_diagnose},
           {"info", "", 0, many, with({{0, "json", false, "Print JSON"}}, {priority_option()}),
            "Show detailed information about operating systems", os_info},
           {"list", "", 0, 0,
            with({{0, "no-headers", false, "Don't display column headers"},
                  {0, "json", false, "Print JSON"}},
                 {priority_option()}),
            "Lists all valid operating systems on the cluster", os_list},
           {"modify", "", 1, 1,
            with({{'H', "hypervisor-parameters", true, "Hypervisor parameters: kvm:acpi=no"},
                  {'O', "os-parameters", true, "OS parameters"},
                  {0, "hidden", true, "yes or no"},
                  {0, "blacklisted", true, "yes or no"}},
                 {submit_options(), not_built_options({"os-parameters-private="})}),
            "Modify the OS parameters", os_modify}},
          {{"show", "info"}}};
}

}  // namespace flotte::cli
