#include "rapi/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "opcodes/opcode.h"
#include "rapi/changes.h"
#include "rapi/reads.h"

namespace flotte::rapi {
namespace {

json::object operation_of(json::object const& described, std::string_view method,
                          std::string_view path) {
  auto const* item = described.at("paths").as_object().if_contains(path);
  auto const* operation = item ? item->as_object().if_contains(method) : nullptr;
  return operation ? operation->as_object() : json::object();
}

TEST(OpenApi, tells_of_each_route_that_is_built_and_of_no_other) {
  auto const described = openapi();
  std::set<std::string> ids;
  std::size_t count = 0;
  for (auto const& [path, item] : described.at("paths").as_object()) {
    for (auto const& [method, operation] : item.as_object()) {
      ++count;
      EXPECT_TRUE(ids.insert(std::string(operation.at("operationId").as_string())).second)
          << operation.at("operationId");
    }
  }
  std::size_t built = 3;  // wait, this description, metrics
  for (auto const& read : reads()) built += read.traits.is_built ? 1 : 0;
  for (auto const& change : changes()) built += opcodes::find(change.op_id) ? 1 : 0;
  EXPECT_EQ(count, built);
  EXPECT_TRUE(operation_of(described, "put", "/2/instances/{name}/migrate").empty());
}

TEST(OpenApi, a_body_has_the_members_of_the_opcode_under_its_own_names) {
  auto const described = openapi();
  auto const make = operation_of(described, "post", "/2/instances");
  auto const& schema =
      make.at("requestBody").at("content").at("application/json").at("schema").as_object();
  auto const& properties = schema.at("properties").as_object();
  EXPECT_TRUE(properties.contains("name") && properties.contains("os"));
  EXPECT_FALSE(properties.contains("instance_name") || properties.contains("os_type"));
  EXPECT_EQ(properties.at("disks").at("type"), "array");
  auto const startup = operation_of(described, "put", "/2/instances/{name}/startup");
  EXPECT_FALSE(startup.contains("requestBody"));
  EXPECT_EQ(startup.at("x-opcode"), "OP_INSTANCE_STARTUP");
  EXPECT_EQ(startup.at("parameters").at(0).at("name"), "name");
  EXPECT_EQ(startup.at("parameters").at(0).at("required"), true);
  EXPECT_EQ(startup.at("security").as_array().size(), 1U) << "not for everybody";
  EXPECT_EQ(operation_of(described, "get", "/2/nodes").at("security").as_array().size(), 2U);
}

TEST(OpenApi, each_body_has_an_example_that_is_taken) {
  std::set<std::pair<std::string_view, std::string_view>> with_example;
  for (auto const& [method, path, body] : body_examples()) {
    EXPECT_TRUE(with_example.insert({method, path}).second) << method << " " << path;
  }
  for (auto const& change : changes()) {
    if (!opcodes::find(change.op_id)) continue;
    auto const is_named = with_example.erase({change.method, change.path}) > 0;
    auto const has_body = change.making.body == Body::Parameters && change.method != "GET";
    auto const is_switch = change.op_id == "OP_CLUSTER_REDIST_CONF" ||
                           change.path.ends_with("/tags") || change.path.ends_with("/role") ||
                           change.op_id == "OP_GROUP_REMOVE";
    if (is_switch) continue;
    EXPECT_EQ(is_named, has_body) << change.method << " " << change.path;
  }
  EXPECT_TRUE(with_example.empty()) << with_example.begin()->second;
  for (auto const& [method, path, body] : body_examples()) {
    auto const row = std::ranges::find_if(changes(), [&](Change const& change) {
      return change.method == method && change.path == path;
    });
    RemoteCall const call{{"web1", "0"}, {}, schema::parse(body).value()};
    auto const made = row->opcodes(call);
    EXPECT_TRUE(made) << method << " " << path << ": " << made.error().message;
  }
}

}  // namespace
}  // namespace flotte::rapi
