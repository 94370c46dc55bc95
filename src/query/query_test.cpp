#include "query/query.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "model/address_pool.h"
#include "model/params.h"

namespace flotte::query {
namespace {

using model::AdminState;
using rpc::RunState;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Query : public ::testing::Test {
 protected:
  Query() {
    model::Settings settings;
    settings.cluster_name = "c.example";
    settings.enabled_hypervisors = {model::HypervisorKind::Kvm};
    settings.ipolicy = model::default_ipolicy();
    cluster_.put(settings);
    cluster_.put(model::Group{.uuid = GroupId("g"), .name = "default"});
    cluster_.put(model::Node{.uuid = NodeId("n1"), .name = "node1.example", .group = GroupId("g")});
    add("web1.example", AdminState::Up, {"prod"});
    add("web10.example", AdminState::Down, {});
    add("web2.example", AdminState::Up, {"test"});
  }

  void add(std::string const& name, AdminState state, std::vector<std::string> tags) {
    model::Instance instance;
    instance.uuid = InstanceId("uuid-of-" + name);
    instance.name = name;
    instance.primary_node = NodeId("n1");
    instance.os = "noop";
    instance.admin_state = state;
    instance.tags = std::move(tags);
    cluster_.put(std::move(instance));
  }

  void runs(std::string const& name, RunState state = RunState::Running) {
    auto& running = live_.running[NodeId("n1")];
    if (!running) running.emplace();
    running->insert({name, {.name = name, .state = state, .memory = {512}}});
  }

  // The cells, or the error.
  std::string answer(json::object body) {
    body.emplace("what", "instance");
    auto const request = parse_request(body);
    if (!request) return request.error().message;
    auto const answer = run(*request, cluster_, live_, {});
    return answer ? json::serialize(answer->at("data")) : answer.error().message;
  }
  std::string names_that_pass(std::string const& filter) {
    return answer({{"fields", json::array{"name"}}, {"qfilter", json::parse(filter)}});
  }

  model::Cluster cluster_;
  Live live_;
};

TEST_F(Query, rows_are_in_natural_order) {
  EXPECT_EQ(answer({{"fields", json::array{"name"}}}),
            R"([[[0,"web1.example"]],[[0,"web2.example"]],[[0,"web10.example"]]])");
}

TEST_F(Query, names_are_expanded_and_unknown_ones_named) {
  EXPECT_EQ(answer({{"fields", json::array{"name"}}, {"names", json::array{"web2"}}}),
            R"([[[0,"web2.example"]]])");
  EXPECT_EQ(answer({{"fields", json::array{"name"}}, {"names", json::array{"nosuch"}}}),
            "Instance name nosuch not found");
}

TEST_F(Query, an_unknown_field_is_a_column_of_its_own_kind) {
  EXPECT_EQ(answer({{"fields", json::array{"nosuch"}}, {"names", json::array{"web1"}}}),
            "[[[1,null]]]");
}

TEST_F(Query, the_status_is_the_truth) {
  runs("web1.example");
  runs("web10.example");
  auto const fields = json::array{"status", "oper_state"};
  EXPECT_EQ(answer({{"fields", fields}}),
            R"([[[0,"running"],[0,true]],[[0,"ERROR_down"],[0,false]],[[0,"ERROR_up"],[0,true]]])");
}

TEST_F(Query, a_node_that_did_not_answer_makes_no_state_up) {
  live_.running[NodeId("n1")] = std::nullopt;
  EXPECT_EQ(answer({{"fields", json::array{"status", "oper_ram"}}, {"names", json::array{"web1"}}}),
            R"([[[0,"ERROR_nodedown"],[2,null]]])");
}

TEST_F(Query, why_a_live_cell_is_empty_is_told) {
  json::object const body{{"what", "node"}, {"fields", json::array{"mfree", "bootid"}}};
  EXPECT_EQ(answer(body), "[[[2,null],[2,null]]]");
  live_.facts[NodeId("n1")] = rpc::NodeFacts{.memory_free = {64}, .boot_id = "b"};
  EXPECT_EQ(answer(body), R"([[[0,64],[0,"b"]]])");
  cluster_.put(model::Node{
      .uuid = NodeId("n1"), .name = "node1.example", .group = GroupId("g"), .offline = true});
  EXPECT_EQ(answer(body), "[[[4,null],[4,null]]]");
}

TEST_F(Query, filters) {
  EXPECT_EQ(names_that_pass(R"(["==","name","web1.example"])"), R"([[[0,"web1.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["=[]","tags","test"])"), R"([[[0,"web2.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["=~","name","^web1"])"),
            R"([[[0,"web1.example"]],[[0,"web10.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["=~","name","(?i)^WEB2"])"), R"([[[0,"web2.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["&",["?","admin_up"],["!",["=[]","tags","prod"]]])"),
            R"([[[0,"web2.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["|",["<","be/maxmem",1],["!=","name","web1.example"]])"),
            R"([[[0,"web2.example"]],[[0,"web10.example"]]])");
}

TEST_F(Query, of_what_is_not_known_nothing_is_true) {
  live_.running[NodeId("n1")] = std::nullopt;
  EXPECT_EQ(names_that_pass(R"(["?","oper_state"])"), "[]");
  EXPECT_EQ(names_that_pass(R"(["!",["?","oper_state"]])"), "[]");
  EXPECT_EQ(names_that_pass(R"(["!",["&",["==","name","web1"],["<","oper_ram",5]]])"),
            R"([[[0,"web2.example"]],[[0,"web10.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["|",["?","oper_state"],["==","name","web1"]])"),
            R"([[[0,"web1.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["&",["?","oper_state"],["==","name","web1"]])"), "[]");
  EXPECT_EQ(names_that_pass(R"(["!",["|",["?","oper_state"],["==","name","web1"]]])"), "[]");
}

TEST_F(Query, parameters_of_other_hypervisors_are_known_and_empty) {
  EXPECT_EQ(
      answer({{"fields", json::array{"hv/cpu_weight", "hv/pae"}}, {"names", json::array{"web1"}}}),
      "[[[3,null],[3,null]]]");
}

TEST_F(Query, a_short_name_stands_for_a_host) {
  EXPECT_EQ(names_that_pass(R"(["==","name","web1"])"), R"([[[0,"web1.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["!=","name","web1"])"),
            R"([[[0,"web2.example"]],[[0,"web10.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["&",["==","pnode","node1"],["==","name","web2"]])"),
            R"([[[0,"web2.example"]]])");
  EXPECT_EQ(names_that_pass(R"(["==","name","web"])"), "[]");
  EXPECT_EQ(names_that_pass(R"(["==","os","noo"])"), "[]");
}

TEST_F(Query, what_is_not_true_or_false_is_compared) {
  EXPECT_EQ(names_that_pass(R"(["?","name"])"),
            "Unexpected value '\"web1.example\"' in boolean context; compare the field, as in name "
            "== \"web1.example\"");
  EXPECT_EQ(names_that_pass(R"(["==","name",5])"),
            "Invalid types in comparison, trying to compare \"web1.example\" with 'NumericValue "
            "5'; texts stand between quotation marks");
  EXPECT_EQ(names_that_pass(R"([">","be/vcpus","x"])"),
            "Invalid types in comparison, trying to compare 1 with 'QuotedString \"x\"'; numbers "
            "stand without quotation marks");
}

TEST_F(Query, wrong_filters_are_refused) {
  EXPECT_THAT(names_that_pass(R"(["==","nosuch",1])"),
              HasSubstr("Can't find field named 'nosuch'"));
  EXPECT_THAT(names_that_pass(R"(["frob","name",1])"), HasSubstr("unknown operator 'frob'"));
  EXPECT_THAT(names_that_pass(R"(["=~","name","("])"), HasSubstr("Invalid filter"));
  EXPECT_THAT(names_that_pass(R"(["=="])"), HasSubstr("Invalid filter"));
  EXPECT_THAT(names_that_pass(R"([[],[]])"), HasSubstr("Invalid filter"));
  std::string deep = R"(["?","name"])";
  for (int i = 0; i < 100; ++i) deep = R"(["!",)" + deep + "]";
  json::parse_options options;
  options.max_depth = 200;
  EXPECT_THAT(
      answer({{"fields", json::array{"name"}}, {"qfilter", json::parse(deep, {}, options)}}),
      HasSubstr("nested too deeply"));
}

TEST_F(Query, a_query_over_the_configuration_asks_no_node) {
  auto const needs = [](json::object body) {
    body.emplace("what", "instance");
    return needs_of(parse_request(body).value()).value();
  };
  EXPECT_FALSE(needs({{"fields", json::array{"name", "be/maxmem"}}}).running);
  EXPECT_TRUE(needs({{"fields", json::array{"status"}}}).running);
  EXPECT_TRUE(
      needs({{"fields", json::array{"name"}}, {"qfilter", json::array{"==", "status", "running"}}})
          .running);
}

model::Network lan() {
  model::Network network{.uuid = NetworkId("lan-uuid"),
                         .name = "lan",
                         .network = "192.0.2.0/28",
                         .gateway = "192.0.2.1",
                         .tags = {"east", "west"}};
  EXPECT_TRUE(model::reserve_ends(network));
  return network;
}

model::Nic nic_in(std::string const& network, std::string const& ip) {
  model::Nic nic;
  nic.network = NetworkId(network);
  if (!ip.empty()) nic.ip = ip;
  return nic;
}

class Networks : public Query {
 protected:
  Networks() {
    cluster_.put(lan());
    cluster_.put(
        model::Network{.uuid = NetworkId("dmz-uuid"), .name = "dmz", .network = "198.51.100.0/30"});
  }

  std::string cells_of(std::string const& network, json::array fields) {
    return answer({{"what", "network"},
                   {"fields", std::move(fields)},
                   {"names", json::array{json::value(network)}}});
  }
  void give(std::string const& instance, std::vector<model::Nic> nics) {
    auto changed = **cluster_.instance(instance);
    changed.nics = std::move(nics);
    cluster_.put(std::move(changed));
  }
};

TEST_F(Networks, are_found_by_name_and_uuid) {
  EXPECT_EQ(answer({{"what", "network"}, {"fields", json::array{"name"}}}),
            R"([[[0,"dmz"]],[[0,"lan"]]])");
  EXPECT_EQ(cells_of("lan-uuid", {"name", "network"}), R"([[[0,"lan"],[0,"192.0.2.0/28"]]])");
  EXPECT_EQ(cells_of("nosuch", {"name"}), "Network name nosuch not found");
}

TEST_F(Networks, what_one_has_not_is_unavailable) {
  auto const fields = json::array{"gateway", "network6", "gateway6", "mac_prefix"};
  EXPECT_EQ(cells_of("dmz", fields), "[[[3,null],[3,null],[3,null],[3,null]]]");
  EXPECT_EQ(cells_of("lan", fields), R"([[[0,"192.0.2.1"],[3,null],[3,null],[3,null]]])");
}

TEST_F(Networks, addresses_are_kept_or_had_or_free) {
  give("web1", {nic_in("lan-uuid", "192.0.2.4"), nic_in("lan-uuid", "")});
  EXPECT_EQ(cells_of("lan", {"free_count", "reserved_count", "map", "external_reservations"}),
            R"([[[0,12],[0,4],[0,"XX..X..........X"],[0,"192.0.2.0, 192.0.2.1, 192.0.2.15"]]])");
  EXPECT_EQ(cells_of("dmz", {"free_count", "reserved_count", "map", "external_reservations"}),
            R"([[[0,4],[0,0],[0,"...."],[0,""]]])");
}

TEST_F(Networks, whose_addresses_make_no_pool_has_no_cells_of_one) {
  cluster_.put(
      model::Network{.uuid = NetworkId("wide-uuid"), .name = "wide", .network = "10.0.0.0/8"});
  EXPECT_EQ(cells_of("wide", {"free_count", "reserved_count", "map", "external_reservations"}),
            "[[[3,null],[3,null],[3,null],[3,null]]]");
}

TEST_F(Networks, instances_are_named_once_each_as_people_count) {
  give("web10", {nic_in("lan-uuid", "192.0.2.5")});
  give("web2", {nic_in("lan-uuid", "192.0.2.6"), nic_in("lan-uuid", "192.0.2.7"),
                nic_in("dmz-uuid", "198.51.100.1")});
  EXPECT_EQ(answer({{"what", "network"}, {"fields", json::array{"inst_cnt", "inst_list"}}}),
            R"([[[0,1],[0,["web2.example"]]],[[0,2],[0,["web2.example","web10.example"]]]])");
}

TEST_F(Networks, groups_are_told_with_how_they_are_connected) {
  auto const connected = [](std::string const& uuid, std::string const& name) {
    return model::Group{.uuid = GroupId(uuid),
                        .name = name,
                        .networks = {{NetworkId("dmz-uuid"), "routed", "42", ""},
                                     {NetworkId("lan-uuid"), "bridged", "br-" + uuid, ".7"}}};
  };
  cluster_.put(connected("g", "default"));
  cluster_.put(connected("a", "rack1"));
  EXPECT_EQ(cells_of("lan", {"group_cnt", "group_list"}),
            R"([[[0,2],[0,[["default","bridged","br-g",".7"],["rack1","bridged","br-a",".7"]]]]])");
}

TEST_F(Networks, are_filtered_by_tags) {
  EXPECT_EQ(answer({{"what", "network"},
                    {"fields", json::array{"name", "tags"}},
                    {"qfilter", json::array{"=[]", "tags", "west"}}}),
            R"([[[0,"lan"],[0,["east","west"]]]])");
}

class Exports : public Query {
 protected:
  Exports() {
    add_node("n2", "node2.example", true);
    add_node("n10", "node10.example", false);
    live_.exports[NodeId("n1")] = {"web1.example", "old.example"};
  }

  void add_node(std::string const& id, std::string const& name, bool is_offline) {
    cluster_.put(model::Node{
        .uuid = NodeId(id), .name = name, .group = GroupId("g"), .offline = is_offline});
  }
  std::string listed(json::object body = {}) {
    body.emplace("what", "export");
    body.emplace("fields", json::array{"node", "export"});
    return answer(std::move(body));
  }
};

TEST_F(Exports, a_row_each_and_one_of_a_node_that_can_not_tell) {
  EXPECT_EQ(listed(), R"([[[0,"node1.example"],[0,"web1.example"]],)"
                      R"([[0,"node1.example"],[0,"old.example"]],)"
                      R"([[0,"node2.example"],[4,null]],[[0,"node10.example"],[2,null]]])");
}

TEST_F(Exports, a_node_without_one_has_no_row) {
  live_.exports[NodeId("n10")].emplace();
  EXPECT_EQ(listed({{"names", json::array{"node10", "node2"}}}),
            R"([[[0,"node2.example"],[4,null]]])");
}

TEST_F(Exports, are_those_of_the_nodes_that_are_named) {
  EXPECT_EQ(listed({{"names", json::array{"node1"}}, {"fields", json::array{"export"}}}),
            R"([[[0,"web1.example"]],[[0,"old.example"]]])");
  EXPECT_EQ(
      listed({{"names", json::array{"node1", "node1.example"}}, {"fields", json::array{"export"}}}),
      R"([[[0,"web1.example"]],[[0,"old.example"]]])");
  EXPECT_EQ(listed({{"names", json::array{"web1"}}}), "Node name web1 not found");
}

TEST_F(Exports, are_filtered_and_a_short_name_stands_for_a_node) {
  EXPECT_EQ(
      listed({{"qfilter", json::array{"=", "node", "node1"}}}),
      R"([[[0,"node1.example"],[0,"web1.example"]],[[0,"node1.example"],[0,"old.example"]]])");
  EXPECT_EQ(listed({{"qfilter", json::array{"=~", "export", "^old"}}}),
            R"([[[0,"node1.example"],[0,"old.example"]]])");
}

TEST_F(Exports, nodes_are_asked_whichever_field_is_wanted) {
  auto const asks = [](json::object body) {
    return needs_of(parse_request(body).value()).value().exports;
  };
  EXPECT_TRUE(asks({{"what", "export"}, {"fields", json::array{"node"}}}));
  EXPECT_TRUE(asks({{"what", "export"}, {"fields", json::array{"export"}}}));
  EXPECT_FALSE(asks({{"what", "node"}, {"fields", json::array{"mfree"}}}));
}

std::vector<std::string> listed_fields(std::string const& what) {
  std::vector<std::string> names;
  auto const answer = fields_of(what, {}).value();
  for (auto const& field : answer.at("fields").as_array()) {
    names.emplace_back(field.at("name").as_string());
  }
  return names;
}

TEST(Fields, of_exports) {
  auto const fields = fields_of("export", {}).value();
  EXPECT_EQ(json::serialize(fields.at("fields")),
            R"([{"name":"export","title":"Export","kind":"text","doc":"Export name"},)"
            R"({"name":"node","title":"Node","kind":"text","doc":"Node name"}])");
}

TEST(Fields, all_that_there_are_can_be_asked_for_twice) {
  json::array fields;
  for (auto i = 0; i < 2; ++i) {
    for (auto const& name : listed_fields("instance")) fields.push_back(json::value(name));
  }
  auto const request = parse_request({{"what", "instance"}, {"fields", fields}});
  EXPECT_TRUE(request) << request.error().message;
}

TEST(Fields, what_ganeti_does_not_have_is_shown_to_who_names_it) {
  for (auto const& [what, own] :
       {std::pair{"instance", "oper_vnc"}, std::pair{"job", "journal"},
        std::pair{"job", "set_aside"}, std::pair{"job", "submitted_by"}}) {
    EXPECT_THAT(listed_fields(what), Not(Contains(own)));
    EXPECT_NE(fields_of(what, {own}).value().at("fields").at(0).at("kind"), "unknown") << own;
  }
}

TEST_F(Query, every_field_has_a_cell_for_every_row) {
  runs("web1.example");
  cluster_.put(lan());
  for (auto const& [what, table] :
       {std::pair{"instance", &instance_fields()}, std::pair{"node", &node_fields()},
        std::pair{"group", &group_fields()}, std::pair{"network", &network_fields()},
        std::pair{"export", &export_fields()}}) {
    json::array all;
    for (auto const& field : *table) {
      EXPECT_FALSE(field.title.empty() || field.doc.empty()) << field.name;
      all.push_back(json::value(field.name));
    }
    auto const request = parse_request({{"what", what}, {"fields", all}});
    ASSERT_TRUE(request);
    EXPECT_TRUE(run(*request, cluster_, live_, {})) << what;
  }
}

}  // namespace
}  // namespace flotte::query
