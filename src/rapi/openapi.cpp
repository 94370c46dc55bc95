#include "rapi/openapi.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "opcodes/opcode.h"
#include "rapi/changes.h"
#include "rapi/job_wait.h"
#include "rapi/reads.h"

namespace flotte::rapi {
namespace {

using std::string_view;

// Without what stands in the path or behind it: the least that makes sense.
constexpr BodyExample examples[] = {
    {"PUT", "/2/modify", R"({"candidate_pool_size": 10})"},
    {"POST", "/2/instances",
     R"({"__version__": 1, "mode": "create", "name": "web1", "os": "debootstrap+default",
         "disk_template": "plain", "disks": [{"size": 10240}], "nics": [{"link": "br0"}],
         "beparams": {"memory": 1024, "vcpus": 2}})"},
    {"POST", "/2/instances-multi-alloc",
     R"({"instances": [{"mode": "create", "name": "web1", "os": "noop",
                        "disk_template": "diskless", "disks": [], "nics": []}]})"},
    {"DELETE", "/2/instances/{name}", R"({"shutdown_timeout": 30})"},
    {"POST", "/2/instances/{name}/reboot", R"({"shutdown_timeout": 30})"},
    {"PUT", "/2/instances/{name}/shutdown", R"({"timeout": 30})"},
    {"POST", "/2/instances/{name}/reinstall", R"({"os": "debootstrap+default", "start": false})"},
    {"POST", "/2/instances/{name}/recreate-disks", R"({"disks": [[0, {}]]})"},
    {"PUT", "/2/instances/{name}/export", R"({"mode": "local", "destination": "node1"})"},
    {"DELETE", "/2/instances/{name}/export", "{}"},
    {"PUT", "/2/instances/{name}/rename", R"({"new_name": "web2"})"},
    {"PUT", "/2/instances/{name}/modify", R"({"beparams": {"vcpus": 4}})"},
    {"POST", "/2/instances/{name}/disk/{disk}/grow", R"({"amount": 1024})"},
    {"PUT", "/2/nodes/{name}/role", R"("regular")"},
    {"POST", "/2/nodes/{name}/modify", R"({"ndparams": {"cpu_speed": 2.0}})"},
    {"POST", "/2/networks", R"({"name": "lan", "network": "192.0.2.0/24"})"},
    {"DELETE", "/2/networks/{name}", R"({})"},
    {"PUT", "/2/networks/{name}/connect",
     R"({"group_name": "default", "network_mode": "bridged", "network_link": "br0"})"},
    {"PUT", "/2/networks/{name}/disconnect", R"({"group_name": "default"})"},
    {"PUT", "/2/networks/{name}/rename", R"({"new_name": "wan"})"},
    {"PUT", "/2/networks/{name}/modify", R"({"gateway": "192.0.2.1"})"},
    {"POST", "/2/groups", R"({"name": "rack2"})"},
    {"PUT", "/2/groups/{name}/modify", R"({"alloc_policy": "last_resort"})"},
    {"PUT", "/2/groups/{name}/rename", R"({"new_name": "rack3"})"},
    {"PUT", "/2/groups/{name}/assign-nodes", R"({"nodes": ["node2"]})"},
};

json::object schema_ref(string_view name) {
  return {{"$ref", fmt::format("#/components/schemas/{}", name)}};
}

json::object content(json::object schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}

json::object answer(string_view what, json::object schema) {
  return {{"description", what}, {"content", content(std::move(schema))}};
}

json::object parameter(string_view in, string_view name, string_view type, string_view what) {
  json::object all{
      {"name", name}, {"in", in}, {"description", what}, {"schema", json::object{{"type", type}}}};
  if (in == "path") all["required"] = true;
  return all;
}

json::array parameters_of_path(string_view path) {
  json::array all;
  for (auto at = path.find('{'); at != string_view::npos; at = path.find('{', at + 1)) {
    auto const name = path.substr(at + 1, path.find('}', at) - at - 1);
    auto const is_number = name == "job" || name == "disk";
    all.push_back(parameter("path", name, is_number ? "integer" : "string",
                            is_number ? "Its number." : "Its name or UUID."));
  }
  return all;
}

json::object operation(string_view method, string_view path, string_view sentence,
                       string_view permission, Access access) {
  std::string id = lower_case(std::string(method));
  for (char const character : path) {
    auto const is_word =
        (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
    if (is_word) {
      id += character;
    } else if (!id.ends_with('_') && character != '}') {
      id += '_';
    }
  }
  json::array security;
  // Nothing of it is needed.
  if (access == Access::Everybody) security.push_back(json::object());
  security.push_back(json::object{{"basic", json::array()}});
  return {{"operationId", id},
          {"summary", sentence},
          {"security", std::move(security)},
          {"x-permission", permission},
          {"parameters", parameters_of_path(path)},
          {"responses", json::object{{"default", answer("Refused.", schema_ref("Error"))}}}};
}

void put(json::object& paths, string_view method, string_view path, json::object operation) {
  auto& item = paths[path];
  if (!item.is_object()) item = json::object();
  item.get_object()[lower_case(std::string(method))] = std::move(operation);
}

BodyExample const* example_of(Change const& change) {
  auto const* found = std::ranges::find_if(examples, [&](BodyExample const& one) {
    return one.method == change.method && one.path == change.path;
  });
  return found == std::end(examples) ? nullptr : found;
}

// A body's members are the opcode's, but for what the path and the query say, under the names that
// a body has for them.
json::object body_schema(Change const& change, opcodes::Description const& opcode,
                         json::value const& example) {
  if (change.job != nullptr || !example.is_object()) {
    return {{"type", example.is_object() ? "object" : "string"}};
  }
  auto schema = schema::json_schema_of(opcode.fields);
  auto& properties = schema["properties"].get_object();
  auto const rename = [&](string_view from, string_view to) {
    auto const found = properties.find(from);
    if (found == properties.end()) return;
    auto property = found->value();
    properties.erase(found);
    if (!to.empty()) properties[to] = std::move(property);
    auto* required = schema.if_contains("required");
    if (!required) return;
    auto& names = required->get_array();
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (*name != json::value(from)) continue;
      if (to.empty()) {
        names.erase(name);
      } else {
        *name = to;
      }
      break;
    }
    if (names.empty()) schema.erase("required");
  };
  rename(change.making.named, "");
  for (auto const flag : change.making.flags) rename(flag, "");
  for (auto const& [from, to] : change.making.renamed) rename(to, from);
  properties["depends"] = json::object{
      {"type", "array"}, {"description", "Jobs that must have ended before, and how."}};
  // Some are fixed by what is special about a route; others of a call are no parameters of opcodes.
  schema["additionalProperties"] = true;
  return schema;
}

json::object described(Change const& change, opcodes::Description const& opcode) {
  auto all =
      operation(change.method, change.path, change.sentence, change.permission, Access::Account);
  auto& parameters = all["parameters"].get_array();
  for (auto const flag : change.making.flags) {
    if (!flag.empty()) parameters.push_back(parameter("query", flag, "integer", "1: yes; 0: no."));
  }
  if (change.path.ends_with("/tags")) {
    parameters.push_back(parameter("query", "tag", "string", "A tag; again for more of them."));
  }
  parameters.push_back(parameter("query", "reason", "string", "Why: for the trail of the job."));
  all["x-opcode"] = change.op_id;
  all["responses"].get_object()["200"] = answer("The number of the job.", schema_ref("JobId"));
  if (auto const* example = example_of(change)) {
    auto const parsed = schema::parse(example->body);
    auto const body = parsed ? *parsed : json::value();
    auto described = content(body_schema(change, opcode, body));
    described["application/json"].get_object()["example"] = body;
    all["requestBody"] = json::object{{"content", std::move(described)}};
  }
  return all;
}

json::object described(Read const& read) {
  auto all = operation(read.method, read.path, read.sentence, read.permission, read.access);
  auto& parameters = all["parameters"].get_array();
  if (read.traits.is_list) {
    parameters.push_back(parameter("query", "bulk", "integer", "1: all that is known of each."));
  }
  if (read.path.starts_with("/2/query/") && read.method == "GET") {
    parameters.push_back(parameter("query", "fields", "string", "Their names, with commas."));
  }
  if (read.path.starts_with("/2/query/") && read.method == "PUT") {
    auto described = content(json::object{{"type", "object"}});
    described["application/json"].get_object()["example"] = json::object{
        {"fields", json::array{"name", "status"}}, {"qfilter", json::array{"=", "name", "web1"}}};
    all["requestBody"] = json::object{{"content", std::move(described)}};
  }
  all["responses"].get_object()["200"] = answer("What was asked for.", json::object());
  return all;
}

json::object wait_for_a_job() {
  auto all = operation("GET", "/2/jobs/{job}/wait", "Waits for a change of a job.", "jobs.wait",
                       Access::Account);
  all["description"] =
      "The body of this GET is {\"fields\": […], \"previous_job_info\": […] or null, "
      "\"previous_log_serial\": a number or null}. Null is answered when nothing has changed for "
      "ten seconds.";
  all["responses"].get_object()["200"] = answer(
      "What differs.",
      json::object{{"type", json::array{"object", "null"}},
                   {"properties", json::object{{"job_info", json::object{{"type", "array"}}},
                                               {"log_entries", json::object{{"type", "array"}}}}}});
  return all;
}

json::object describe() {
  auto all = operation("GET", "/2/openapi.json", "This description.", "", Access::Everybody);
  all["responses"].get_object()["200"] = answer("It.", json::object{{"type", "object"}});
  return all;
}

json::object tell_metrics() {
  auto all = operation("GET", "/metrics", "What monitoring asks for, in Prometheus' text format.",
                       "", Access::Everybody);
  all["responses"].get_object()["200"] = json::object{
      {"description", "Metrics."},
      {"content",
       json::object{{"text/plain", json::object{{"schema", json::object{{"type", "string"}}}}}}}};
  return all;
}

json::object components() {
  json::object const error{
      {"type", "object"},
      {"required", json::array{"code", "message", "explain"}},
      {"properties", json::object{{"code", json::object{{"type", "integer"}}},
                                  {"message", json::object{{"type", "string"}}},
                                  {"explain", json::object{{"type", "string"}}}}}};
  return {
      {"securitySchemes",
       json::object{{"basic", json::object{{"type", "http"}, {"scheme", "basic"}}}}},
      {"schemas", json::object{{"Error", error}, {"JobId", json::object{{"type", "integer"}}}}}};
}

}  // namespace

std::span<BodyExample const> body_examples() {
  return examples;
}

json::object openapi() {
  json::object paths;
  for (auto const& read : reads()) {
    if (read.traits.is_built) put(paths, read.method, read.path, described(read));
  }
  for (auto const& change : changes()) {
    auto const* opcode = opcodes::find(change.op_id);
    if (opcode) put(paths, change.method, change.path, described(change, *opcode));
  }
  put(paths, "GET", "/2/jobs/{job}/wait", wait_for_a_job());
  put(paths, "GET", "/2/openapi.json", describe());
  put(paths, "GET", "/metrics", tell_metrics());
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", "Remote API of Flotte"},
                                {"version", "2"},
                                {"description",
                                 "Ganeti's RAPI, version 2. What changes something is answered "
                                 "with the number of a job; /2/jobs/{job}/wait tells of it."}}},
          {"servers", json::array{json::object{{"url", "/"}}}},
          {"components", components()},
          {"paths", std::move(paths)}};
}

}  // namespace flotte::rapi
