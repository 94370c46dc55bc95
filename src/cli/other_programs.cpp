// gnt-node, gnt-job, gnt-os and gnt-debug.
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "cli/command.h"
#include "cli/info.h"
#include "cli/print.h"
#include "cli/values.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

// --- gnt-node
// ---------------------------------------------------------------------------------------------------------

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

// --- gnt-job
// ----------------------------------------------------------------------------------------------------------

Outcome<int> job_list(Call& call) {
  return list(call, "job", "id,status,summary");
}
Outcome<int> job_list_fields(Call& call) {
  return list_fields(call, "job");
}

Outcome<std::int64_t> job_id(std::string const& text) {
  if (text.empty() || text.size() > 15 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return stop(Error{ErrorCode::WrongInput, fmt::format("Invalid job ID '{}'", text)});
  }
  return std::stoll(text);
}

Outcome<int> job_info(Call& call) {
  json::array wanted;
  for (auto const* field :
       {"id", "status", "ops", "opresult", "opstatus", "oplog", "opstart", "opexec", "opend",
        "received_ts", "start_ts", "end_ts", "journal", "set_aside"}) {
    wanted.push_back(field);
  }
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  auto const answer =
      OK(call.session.post("query", {{"what", "job"}, {"fields", wanted}, {"names", names}}));
  auto const rows = table_json(answer);
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(rows).c_str());
    return 0;
  }
  int exit_code = 0;
  json::array all;
  for (auto const& row : rows.as_array()) {
    if (row.at("status").is_null()) {
      std::fprintf(stderr, "Job ID %s not found\n", python_text(row.at("id")).c_str());
      exit_code = exit_failure;
    } else {
      all.push_back(job_layout(row.as_object()));
    }
  }
  std::fputs(render_info(all).c_str(), stdout);
  return exit_code;
}

Outcome<int> job_watch(Call& call) {
  auto const id = OK(job_id(call.arguments.positional()[0]));
  std::printf("Output from job %lld follows\n---------------------------\n",
              static_cast<long long>(id));
  auto const result = call.session.follow(id);
  std::printf("%s\n", result ? "Job succeeded" : "Job failed");
  if (!result) return tl::unexpected(result.error());
  return 0;
}

Outcome<int> job_wait(Call& call) {
  auto const id = OK(job_id(call.arguments.positional()[0]));
  auto const result = call.session.follow(id, {.prints_log = false});
  return result ? 0 : exit_failure;
}

Outcome<int> job_cancel(Call& call) {
  int exit_code = 0;
  for (auto const& text : call.arguments.positional()) {
    auto const id = OK(job_id(text));
    auto const answer = OK(call.session.post(fmt::format("jobs/{}/cancel", id), {}));
    auto const ok = answer.at(0).as_bool();
    std::printf("%s\n", python_text(answer.at(1)).c_str());
    if (!ok) exit_code = exit_failure;
  }
  return exit_code;
}

Outcome<int> job_archive(Call& call) {
  int exit_code = 0;
  for (auto const& text : call.arguments.positional()) {
    auto const id = OK(job_id(text));
    if (!OK(call.session.post(fmt::format("jobs/{}/archive", id), {})).as_bool()) {
      std::fprintf(stderr, "Failed to archive job with ID '%lld': it has not ended\n",
                   static_cast<long long>(id));
      exit_code = exit_failure;
    }
  }
  return exit_code;
}

Outcome<int> job_autoarchive(Call& call) {
  auto const& text = call.arguments.positional()[0];
  std::int64_t age = -1;
  if (text != "all") {
    auto const letter = text.empty() ? ' ' : text.back();
    auto const factor = letter == 's'   ? 1
                        : letter == 'm' ? 60
                        : letter == 'h' ? 3600
                        : letter == 'd' ? 86400
                        : letter == 'w' ? 604800
                                        : 0;
    auto const number = factor ? text.substr(0, text.size() - 1) : text;
    age = OK(job_id(number)) * (factor ? factor : 1);
  }
  auto const answer = OK(call.session.post("jobs/autoarchive", {{"age_s", age}}));
  std::printf("Archived %s jobs, %s unchecked left\n", python_text(answer.at(0)).c_str(), "0");
  return 0;
}

// --- gnt-os
// -----------------------------------------------------------------------------------------------------------

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

Outcome<int> os_diagnose(Call& call) {
  auto const rows = OK(os_rows(call, {"name", "valid", "variants", "node_status"}));
  for (auto const& row : rows) {
    std::printf("OS: %s [global status: %s]\n", python_text(row.at(0)).c_str(),
                row.at(1).as_bool() ? "valid" : "invalid");
    if (!row.at(2).as_array().empty()) {
      std::string variants;
      for (auto const& item : row.at(2).as_array())
        variants += (variants.empty() ? "" : ", ") + python_text(item);
      std::printf("  Variants: [%s]\n", variants.c_str());
    }
    for (auto const& [node, entries] : row.at(3).as_object()) {
      auto const& first = entries.at(0).as_array();
      auto const why = python_text(first.at(2));
      std::printf("  Node: %s, status: %s (path: %s) %s %s %s [%s]\n",
                  std::string(std::string_view(node)).c_str(),
                  first.at(1).as_bool() ? "valid" : fmt::format("invalid ({})", why).c_str(),
                  python_text(first.at(0)).c_str(), listed(first.at(5), "API versions").c_str(),
                  listed(first.at(3), "variants").c_str(),
                  listed(first.at(4), "parameters").c_str(),
                  first.at(6).as_bool() ? "trusted" : "untrusted");
    }
    std::printf("\n");
  }
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
    each("API versions", 4);
    each("variants", 5);
    each("parameters", 6);
    flag("trusted", 7);
    std::printf("\n");
  }
  for (auto const& name : names) {
    bool known = false;
    for (auto const& row : rows) known = known || row.at(0) == name;
    if (!known) std::printf("%s: no such OS; see 'gnt-os list'\n", python_text(name).c_str());
  }
  return 0;
}

// --- gnt-debug
// --------------------------------------------------------------------------------------------------------

Outcome<int> debug_delay(Call& call) {
  auto op = OK(opcode(call, "OP_TEST_DELAY"));
  std::istringstream text(call.arguments.positional()[0]);
  double seconds = 0;
  if (!(text >> seconds) || !text.eof()) {
    return stop(Error{ErrorCode::WrongInput,
                      fmt::format("Invalid duration '{}'", call.arguments.positional()[0])});
  }
  op["duration"] = seconds;
  op["no_locks"] = call.arguments.has("no-locks") || !call.arguments.has("n");
  op["on_master"] = !call.arguments.has("no-master");
  json::array nodes;
  for (auto const& node : call.arguments.values("n")) nodes.push_back(text_value(node));
  op["on_nodes"] = std::move(nodes);
  op["interruptible"] = call.arguments.has("interruptible");
  if (auto const repeat = call.arguments.value("repeat")) op["repeat"] = OK(job_id(*repeat));
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// Each file holds one job: a list of opcodes; with --each every opcode is a job of its own.
Outcome<int> debug_submit_job(Call& call) {
  json::array jobs;
  for (auto const& path : call.arguments.positional()) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return stop(fmt::format("Can't read {}", path));
    auto const ops = GIVEN(schema::parse(text.str()));
    if (!ops.is_array()) return stop(fmt::format("{} must hold a list of opcodes", path));
    if (call.arguments.has("each")) {
      for (auto const& op : ops.get_array()) jobs.push_back(json::array{op});
    } else {
      jobs.push_back(ops);
    }
  }
  auto const ids = OK(call.session.submit(jobs));
  int exit_code = 0;
  for (auto const id : ids) {
    auto const result = call.session.follow(id);
    if (!result) {
      std::fprintf(stderr, "Job %lld: %s\n", static_cast<long long>(id),
                   result.error().text.c_str());
      exit_code = exit_failure;
    }
  }
  return exit_code;
}

Outcome<int> debug_locks(Call& call) {
  return list(call, "lock", "name,mode,owner,pending");
}

}  // namespace

Program node_program() {
  return {"gnt-node",
          {{"add-tags", "<node> <tag>...", 2, many, submit_options(), "Add tags to the given node",
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
            with({{'t', "storage-type", true, "file, lvm-vg or sharedfile"}}, {list_options()}),
            "List storage on node(s)", node_storage},
           {"list-tags", "<node>", 1, 1, {}, "List the tags of the given node", list_tags},
           {"remove-tags", "<node> <tag>...", 2, many, submit_options(),
            "Remove tags from the given node", remove_tags},
           {"volumes", "[<node>...]", 0, many, list_options(), "List logical volumes on node(s)",
            node_volumes}},
          {{"show", "info"}}};
}

Program job_program() {
  return {"gnt-job",
          {{"archive", "<job-id>...", 1, many, {}, "Archive specified jobs", job_archive},
           {"autoarchive",
            "<age>",
            1,
            1,
            {},
            "Auto archive jobs older than the given age: 1d, 1w, all",
            job_autoarchive},
           {"cancel",
            "<job-id>...",
            1,
            many,
            {{'f', "force", false, "Don't ask"}},
            "Cancel specified jobs",
            job_cancel},
           {"change-priority", "<job-id>...", 1, many, {}, "Change the priority of jobs"},
           {"info",
            "<job-id>...",
            1,
            many,
            {{0, "json", false, "Print JSON"}},
            "Show detailed information about the specified jobs",
            job_info},
           {"list", "[<job-id>...]", 0, many, list_options(), "Lists the jobs and their status",
            job_list},
           {"list-fields", "[<field>...]", 0, many, list_options(),
            "Lists all available fields for jobs", job_list_fields},
           {"wait", "<job-id>", 1, 1, {}, "Wait for a job to finish", job_wait},
           {"watch",
            "<job-id>",
            1,
            1,
            {},
            "Follows a job and prints its output as it arrives",
            job_watch}},
          {{"show", "info"}}};
}

Program os_program() {
  return {"gnt-os",
          {{"diagnose", "", 0, 0, {}, "Diagnose all operating systems", os_diagnose},
           {"info",
            "[<os>...]",
            0,
            many,
            {{0, "json", false, "Print JSON"}},
            "Show detailed information about operating systems",
            os_info},
           {"list",
            "",
            0,
            0,
            {{0, "no-headers", false, "Don't display column headers"},
             {0, "json", false, "Print JSON"}},
            "Lists all valid operating systems on the cluster",
            os_list},
           {"modify", "<os>", 1, 1, {}, "Modify the OS parameters"}},
          {{"show", "info"}}};
}

Program debug_program() {
  return {"gnt-debug",
          {{"delay", "[options...] <duration>", 1, 1,
            with({{'n', "n", true, "A node that waits too, locked"},
                  {0, "no-master", false, "The controller does not wait"},
                  {'l', "no-locks", false, "Take no lock"},
                  {'r', "repeat", true, "Rounds"},
                  {'i', "interruptible", false, "Accepted"}},
                 {submit_options()}),
            "Executes a TestDelay OpCode", debug_delay},
           {"locks", "", 0, 0, list_options(), "Show a list of locks", debug_locks},
           {"submit-job",
            "<op-list-file>...",
            1,
            many,
            {{0, "each", false, "Each opcode is a job of its own"}},
            "Submits jobs built from json files",
            debug_submit_job}},
          {}};
}

}  // namespace flotte::cli
