// Networks: their units, and NICs in them.
#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "model/address_pool.h"
#include "model/params.h"
#include "units/device_changes.h"
#include "units/instance_create.h"
#include "units/instance_steps.h"
#include "units/network_add.h"
#include "units/network_connect.h"
#include "units/network_disconnect.h"
#include "units/network_remove.h"
#include "units/network_rename.h"
#include "units/network_set_params.h"

namespace flotte::units {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

NetworkId const lan("lan-uuid");

// A node in a group that is connected to a network, of which web1 has the first address.
model::Cluster a_cluster() {
  model::Settings settings;
  settings.cluster_name = "cluster.example";
  settings.enabled_hypervisors = {model::HypervisorKind::Fake};
  settings.enabled_disk_templates = {model::DiskTemplate::Diskless};
  settings.ipolicy = model::default_ipolicy();
  settings.master_ip = "192.0.2.6";
  model::Cluster cluster;
  cluster.put(settings);
  model::Network network{.uuid = lan, .name = "lan", .network = "192.0.2.0/29"};
  network.mac_prefix = "aa:bb:cc";
  network.tags = {"office"};
  EXPECT_TRUE(model::reserve_ends(network));
  cluster.put(network);
  model::Group group{.uuid = GroupId("g-1"), .name = "default"};
  group.networks = {{.network = lan, .mode = "bridged", .link = "br7", .vlan = ".5"}};
  cluster.put(group);
  cluster.put(model::Group{.uuid = GroupId("g-2"), .name = "rack2"});
  model::Node node{.uuid = NodeId("n-1"), .name = "n1.example", .group = GroupId("g-1")};
  node.primary_ip = node.secondary_ip = "192.0.2.5";
  cluster.put(node);
  model::Instance instance{.uuid = InstanceId("i-1"), .name = "web1.example"};
  instance.primary_node = NodeId("n-1");
  model::Nic nic{.uuid = NicId("nic-1"), .mac = "aa:bb:cc:00:00:01"};
  nic.ip = "192.0.2.1";
  nic.network = lan;
  nic.nicparams = {{"mode", "bridged"}, {"link", "br7"}, {"vlan", ".5"}};
  instance.nics = {nic};
  cluster.put(instance);
  return cluster;
}

template <class Unit>
std::string error_of(typename Unit::Op const& op, model::Cluster const& cluster = a_cluster()) {
  auto const plan = Unit::plan(op, cluster, {});
  return plan ? "" : plan.error().message;
}

TEST(NetworkAdd, keeps_its_ends_and_the_addresses_of_the_cluster) {
  opcodes::NetworkAdd op{.network_name = "new", .network = "192.0.2.0/29", .gateway = "192.0.2.1"};
  op.add_reserved_ips = {"192.0.2.3"};
  op.mac_prefix = "AA:BB:DD";
  op.tags = {"x", "a", "x"};
  auto const plan = NetworkAdd::plan(op, a_cluster(), {.uuid = NetworkId("u"), .now = 7});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->network.ext_reservations, "11010111");
  EXPECT_EQ(plan->network.mac_prefix, "aa:bb:dd");
  EXPECT_THAT(plan->network.tags, ElementsAre("a", "x"));
  EXPECT_THAT(plan->told, ElementsAre("Reserved IP address of node 'n1.example' (192.0.2.5)",
                                      "Reserved cluster master IP address (192.0.2.6)"));
  EXPECT_THAT(plan->warnings, IsEmpty());
  op.conflicts_check = false;
  EXPECT_EQ(NetworkAdd::plan(op, a_cluster(), {})->network.ext_reservations, "11010001");
  op.conflicts_check = true;
  op.gateway = "192.0.2.5";
  EXPECT_THAT(
      NetworkAdd::plan(op, a_cluster(), {})->warnings,
      ElementsAre("Cannot reserve IP address '192.0.2.5' of node 'n1.example': IP 192.0.2.5 "
                  "is already externally reserved"));
}

TEST(NetworkAdd, what_is_wrong_is_named) {
  auto const error = [](auto const& change) {
    opcodes::NetworkAdd op{.network_name = "new", .network = "192.0.2.0/29"};
    change(op);
    return error_of<NetworkAdd>(op);
  };
  EXPECT_EQ(error([](auto& op) { op.network_name = "lan"; }),
            "Desired network name 'lan' already exists as a network (UUID: lan-uuid)");
  EXPECT_THAT(error([](auto& op) { op.network_name = "a b"; }), StartsWith("Invalid network name"));
  EXPECT_THAT(error([](auto& op) { op.network_name = "-x"; }), StartsWith("Invalid network name"));
  EXPECT_THAT(error([](auto& op) { op.network = "x"; }), StartsWith("Invalid network 'x'"));
  EXPECT_EQ(error([](auto& op) { op.network = "192.0.2.0/31"; }),
            "Cannot create IP address pool for network 'new': A network with only 2 host(s) is too "
            "small, please specify at least a /30 network");
  EXPECT_EQ(error([](auto& op) { op.gateway = "192.0.2.9"; }),
            "Cannot create IP address pool for network 'new': 192.0.2.0/29 does not contain "
            "192.0.2.9");
  EXPECT_EQ(error([](auto& op) { op.gateway = "x"; }), "Invalid IPv4 address 'x'");
  EXPECT_EQ(error([](auto& op) { op.add_reserved_ips = {"x"}; }), "Invalid IPv4 address 'x'");
  EXPECT_EQ(error([](auto& op) { op.add_reserved_ips = {"192.0.2.0"}; }),
            "Cannot reserve IP address '192.0.2.0': IP 192.0.2.0 is already externally reserved");
  EXPECT_THAT(error([](auto& op) { op.network6 = "192.0.2.0/24"; }), HasSubstr("2001:db8::/64"));
  EXPECT_EQ(error([](auto& op) { op.gateway6 = "x"; }), "Invalid IPv6 address 'x'");
  EXPECT_THAT(error([](auto& op) { op.mac_prefix = "aa:00"; }), HasSubstr("three octets"));
  EXPECT_THAT(error([](auto& op) { op.mac_prefix = "01:00:5e"; }), HasSubstr("multicast"));
  EXPECT_THAT(error([](auto& op) { op.network_name = "none"; }), HasSubstr("no NIC could name it"));
  EXPECT_THAT(error([](auto& op) { op.tags = {"a b"}; }), HasSubstr("invalid characters"));
}

TEST(NetworkSetParams, the_gateway_moves_its_reservation_along) {
  auto const changed = [](auto const& change) {
    opcodes::NetworkSetParams op{.network_name = "lan"};
    change(op);
    return NetworkSetParams::plan(op, a_cluster(), {});
  };
  auto plan = changed([](auto& op) { op.gateway = "192.0.2.2"; });
  EXPECT_EQ(plan->network.ext_reservations, "10100001");
  auto cluster = a_cluster();
  cluster.put(plan->network);
  plan = NetworkSetParams::plan({.network_name = "lan", .gateway = "none"}, cluster, {});
  EXPECT_EQ(plan->network.ext_reservations, "10000001");
  EXPECT_FALSE(plan->network.gateway);
  plan = NetworkSetParams::plan({.network_name = "lan", .gateway = "192.0.2.2"}, cluster, {});
  EXPECT_THAT(plan->warnings, ElementsAre("Gateway is already 192.0.2.2"));
  EXPECT_EQ(changed([](auto& op) { op.gateway = "192.0.2.1"; }).error().message,
            "Gateway IP address '192.0.2.1' is already reserved");
  EXPECT_EQ(changed([](auto& op) {
              op.gateway = "192.0.2.2";
              op.add_reserved_ips = {"192.0.2.3"};
            })
                .error()
                .message,
            "Cannot modify gateway and reserved ips at once");
}

TEST(NetworkSetParams, what_can_not_be_reserved_or_released_is_warned_of) {
  opcodes::NetworkSetParams op{.network_name = "lan"};
  op.add_reserved_ips = {"192.0.2.3", "192.0.2.0", "203.0.113.1"};
  op.remove_reserved_ips = {"192.0.2.7", "192.0.2.4"};
  op.mac_prefix = "none";
  op.network6 = "2001:db8::/64";
  auto const plan = NetworkSetParams::plan(op, a_cluster(), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->network.ext_reservations, "10010001");
  EXPECT_FALSE(plan->network.mac_prefix);
  EXPECT_THAT(
      plan->warnings,
      ElementsAre(
          "Cannot reserve IP address 192.0.2.0: IP 192.0.2.0 is already externally reserved",
          "Cannot reserve IP address 203.0.113.1: 192.0.2.0/29 does not contain 203.0.113.1",
          "Cannot unreserve 192.0.2.7: no host can have it",
          "Cannot release IP address 192.0.2.4: IP 192.0.2.4 is not externally reserved"));
  EXPECT_EQ(error_of<NetworkSetParams>({.network_name = "nosuch"}), "Network 'nosuch' not found");
}

TEST(NetworkRename, the_new_name_is_nobody_s) {
  auto cluster = a_cluster();
  cluster.put(model::Network{.uuid = NetworkId("w"), .name = "wan", .network = "198.51.100.0/24"});
  EXPECT_EQ(error_of<NetworkRename>({.network_name = "lan", .new_name = "wan"}, cluster),
            "Desired new name 'wan' clashes with existing network (UUID: w)");
  EXPECT_EQ(NetworkRename::plan({.network_name = "lan", .new_name = "new"}, cluster, {})->network,
            lan);
}

TEST(NetworkRemove, one_that_is_connected_stays) {
  EXPECT_EQ(error_of<NetworkRemove>({.network_name = "lan"}),
            "Network still connected; network 'lan' is connected to the following node groups: "
            "default");
}

TEST(NetworkConnect, addresses_in_use_without_it_are_named) {
  opcodes::NetworkConnect op{.group_name = "rack2",
                             .network_name = "lan",
                             .network_mode = "openvswitch",
                             .network_link = "sw0",
                             .network_vlan = "7"};
  auto const plan = NetworkConnect::plan(op, a_cluster(), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->connection.vlan, ".7");
  op.group_name = "default";
  EXPECT_EQ(NetworkConnect::plan(op, a_cluster(), {})->warning,
            "Network 'lan' is already mapped to group 'default'");
  auto cluster = a_cluster();
  model::Network other{.uuid = NetworkId("w"), .name = "wan", .network = "192.0.2.0/24"};
  cluster.put(other);
  op.network_name = "wan";
  EXPECT_EQ(error_of<NetworkConnect>(op, cluster),
            "Conflicting IP addresses found;  remove/modify the corresponding network interfaces; "
            "IP addresses from network 'wan', which is about to connect to node group 'default', "
            "are in use: web1.example: nic0/192.0.2.1");
  op.conflicts_check = false;
  EXPECT_EQ(error_of<NetworkConnect>(op, cluster), "");
  op.network_mode = "routed";
  EXPECT_THAT(error_of<NetworkConnect>(op, cluster), StartsWith("A routed NIC has no VLAN"));
  op.network_mode = "openvswitch";
  op.network_link = "";
  EXPECT_EQ(error_of<NetworkConnect>(op, cluster), "Missing openvswitch NIC link");
  op.network_mode = "pony";
  EXPECT_THAT(error_of<NetworkConnect>(op, cluster), StartsWith("Invalid NIC mode 'pony'"));
}

TEST(NetworkDisconnect, one_that_nics_are_in_stays) {
  EXPECT_EQ(error_of<NetworkDisconnect>({.group_name = "default", .network_name = "lan"}),
            "Conflicting IP addresses found;  remove/modify the corresponding network interfaces; "
            "IP addresses from network 'lan', which is about to disconnect from node group "
            "'default', are in use: web1.example: nic0/192.0.2.1");
  auto const plan =
      NetworkDisconnect::plan({.group_name = "rack2", .network_name = "lan"}, a_cluster(), {});
  EXPECT_EQ(plan->warning, "Network 'lan' is not mapped to group 'rack2'");
}

// --- NICs

class NicsInNetworks : public ::testing::Test {
 protected:
  NicsInNetworks() {
    op_.instance_name = "web2.example";
    op_.mode = "create";
    op_.disk_template = model::DiskTemplate::Diskless;
    op_.no_install = true;
    op_.start = false;
    facts_.nodes["n-1"] = {.memory_total = {4096}, .memory_free = {2048}};
    facts_.seed = 7;
    facts_.drawn[lan] = {"192.0.2.2", "192.0.2.3"};
  }
  Result<InstanceCreate::Plan> created(std::vector<json::object> nics) {
    op_.nics = std::move(nics);
    return InstanceCreate::plan(op_, cluster_, facts_);
  }
  std::string refused(std::vector<json::object> nics) {
    auto const plan = created(std::move(nics));
    return plan ? "" : plan.error().message;
  }
  std::string modified(std::string_view action, json::object params, bool checks = true) {
    auto instance = **cluster_.instance("web1.example");
    SeededRandom random(1);
    DeviceMaker maker(cluster_, random, {.drawn = facts_.drawn, .checks_conflicts = checks});
    auto const changes =
        change_devices(maker, cluster_, instance, {},
                       json::array{json::array{json::string(action), action == "add" ? -1 : 0,
                                               std::move(params)}});
    after_ = instance;
    notes_ = changes ? changes->notes : std::vector<std::string>();
    return changes ? json::serialize(changes->told) : changes.error().message;
  }

  model::Cluster cluster_ = a_cluster();
  opcodes::InstanceCreate op_;
  InstanceCreate::Facts facts_;
  model::Instance after_;
  std::vector<std::string> notes_;
};

TEST_F(NicsInNetworks, have_what_the_connection_says_and_addresses_of_their_own) {
  auto const plan = created({{{"network", "lan"}, {"ip", "pool"}},
                             {{"network", "lan"}, {"ip", "pool"}},
                             {{"network", "lan-uuid"}}});
  ASSERT_TRUE(plan) << plan.error().message;
  auto const& nics = plan->instance.nics;
  EXPECT_EQ(nics[0].ip, "192.0.2.2");
  EXPECT_EQ(nics[1].ip, "192.0.2.3");
  EXPECT_EQ(nics[2].ip, std::nullopt);
  for (auto const& nic : nics) {
    EXPECT_EQ(nic.network, lan);
    EXPECT_THAT(nic.mac, StartsWith("aa:bb:cc:"));
    EXPECT_EQ(nic.nicparams, (json::object{{"mode", "bridged"}, {"link", "br7"}, {"vlan", ".5"}}));
  }
  EXPECT_THAT(plan->notes, ElementsAre("NIC/0 inherits netparams ['bridged', 'br7', '.5']",
                                       "Chose IP 192.0.2.2 from network lan",
                                       "NIC/1 inherits netparams ['bridged', 'br7', '.5']",
                                       "Chose IP 192.0.2.3 from network lan",
                                       "NIC/2 inherits netparams ['bridged', 'br7', '.5']"));
  EXPECT_EQ(plan->spec.nics[0].network.at("NETWORK_SUBNET"), "192.0.2.0/29");
  EXPECT_THAT(InstanceCreate::claims(*plan), ::testing::Contains("ip/lan-uuid/192.0.2.2"));
}

TEST_F(NicsInNetworks, wish_for_as_many_addresses_as_they_are_and_for_none_that_is_named) {
  using Counts = std::map<NetworkId, std::size_t>;
  std::vector<json::object> nics{{{"network", "lan"}, {"ip", "pool"}},
                                 {{"network", "lan-uuid"}, {"ip", "POOL"}},
                                 {{"network", "lan"}},
                                 {{"network", "lan"}, {"ip", "192.0.2.2"}},
                                 {{"network", "nosuch"}, {"ip", "pool"}},
                                 {{"ip", "pool"}}};
  EXPECT_EQ(pool_wishes(nics, cluster_).counts, (Counts{{lan, 2}}));
  EXPECT_THAT(pool_wishes(nics, cluster_).named, ElementsAre("192.0.2.2"));
  nics.assign(1000, {{"network", "lan"}, {"ip", "pool"}});
  EXPECT_EQ(pool_wishes(nics, cluster_).counts, (Counts{{lan, nics_max}}));
  auto instance = **cluster_.instance("web1.example");
  instance.nics.push_back(instance.nics[0]);
  auto const counts = [&](json::object params) {
    json::array all;
    all.push_back(json::array{"modify", 0, std::move(params)});
    return pool_wishes(all, cluster_, instance).counts;
  };
  EXPECT_EQ(counts({{"ip", "pool"}}), (Counts{{lan, 1}}));
  EXPECT_EQ(counts({{"ip", "pool"}, {"network", "none"}}), Counts());
  EXPECT_EQ(counts({{"name", "x"}}), Counts());
}

TEST_F(NicsInNetworks, have_the_connection_of_now_where_the_network_is_named_again) {
  auto group = *cluster_.find(GroupId("g-1"));
  group.networks[0].link = "br8";
  cluster_.put(group);
  modified("modify", {{"name", "eth0"}});
  EXPECT_EQ(model::text_of(after_.nics[0].nicparams, "link"), "br7");
  modified("modify", {{"network", "lan"}});
  EXPECT_EQ(model::text_of(after_.nics[0].nicparams, "link"), "br8");
  EXPECT_EQ(after_.nics[0].ip, "192.0.2.1");
}

TEST_F(NicsInNetworks, what_is_wrong_is_named) {
  EXPECT_EQ(refused({{{"network", "nosuch"}}}), "Network 'nosuch' not found");
  EXPECT_THAT(refused({{{"network", "lan"}, {"link", "br0"}}}),
              StartsWith("If network is given, no mode or link is allowed to be passed"));
  EXPECT_EQ(refused({{{"ip", "pool"}}}), "if ip=pool, parameter network must be passed too");
  EXPECT_EQ(refused({{{"network", "lan"}, {"ip", "192.0.2.1"}}}),
            "IP address 192.0.2.1 already in use or does not belong to network lan");
  EXPECT_EQ(refused({{{"network", "lan"}, {"ip", "203.0.113.1"}}}),
            "IP address 203.0.113.1 already in use or does not belong to network lan");
  EXPECT_THAT(refused({{{"network", "lan"}, {"ip", "192.0.2.7"}}}),
              HasSubstr("it is externally reserved, --no-conflicts-check takes it"));
  EXPECT_EQ(refused({{{"link", "br0"}, {"ip", "192.0.2.4"}}}),
            "The requested IP address (192.0.2.4) belongs to network lan, but the target NIC does "
            "not.");
  op_.conflicts_check = false;
  EXPECT_EQ(refused({{{"network", "lan"}, {"ip", "192.0.2.7"}}}), "");
  EXPECT_EQ(refused({{{"link", "br0"}, {"ip", "192.0.2.4"}}}), "");
}

TEST_F(NicsInNetworks, a_full_pool_and_a_network_that_is_not_connected_are_told) {
  std::vector<json::object> const all(3, {{"network", "lan"}, {"ip", "pool"}});
  EXPECT_EQ(refused(all),
            "Unable to get a free IP for NIC 2 from the address pool; 192.0.2.0/29 is full");
  auto node = **cluster_.node("n1.example");
  node.group = GroupId("g-2");
  cluster_.put(node);
  EXPECT_THAT(refused({{{"network", "lan"}}}),
              HasSubstr("No netparams found for network lan. Probably not connected to node's "
                        "n1.example nodegroup; 'gnt-network connect lan rack2' connects it"));
}

TEST_F(NicsInNetworks, come_and_go_as_ganeti_tells_it) {
  EXPECT_THAT(modified("modify", {{"network", "none"}, {"ip", "none"}}),
              HasSubstr(R"(],["nic.ip/0","None"],["nic.network/0","None"],["nic.mode/0")"));
  EXPECT_EQ(after_.nics[0].network, std::nullopt);
  EXPECT_THAT(after_.nics[0].mac, StartsWith("aa:00:00:"));
  EXPECT_THAT(modified("modify", {{"ip", "pool"}}), HasSubstr(R"(["nic.ip/0","192.0.2.2"])"));
  EXPECT_THAT(notes_, ElementsAre("Chose IP 192.0.2.2 from network lan"));
  EXPECT_THAT(modified("modify", {{"ip", "192.0.2.3"}}), HasSubstr(R"(["nic.ip/0","192.0.2.3"])"));
  EXPECT_THAT(notes_, ElementsAre("Reserving IP 192.0.2.3 in network lan"));
  EXPECT_THAT(modified("modify", {{"name", "eth0"}}), HasSubstr("eth0"));
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_THAT(modified("add", {{"network", "lan"}, {"ip", "pool"}}), HasSubstr("network=lan"));
  EXPECT_EQ(after_.nics[1].ip, "192.0.2.2");
}

TEST_F(NicsInNetworks, what_can_not_be_changed_is_named) {
  EXPECT_THAT(modified("modify", {{"link", "br0"}}),
              StartsWith("Not allowed to change link or mode of a NIC that is connected to a "
                         "network"));
  EXPECT_THAT(modified("modify", {{"ip", "192.0.2.3"}, {"link", "br0"}}),
              StartsWith("Not allowed to change link or mode"));
  EXPECT_THAT(modified("add", {{"network", "lan"}, {"ip", "2001:db8::1"}}),
              HasSubstr("of a network there are IPv4 addresses only"));
  EXPECT_THAT(modified("add", {{"network", "lan"}, {"mode", "routed"}}),
              StartsWith("If network is given mode or link should not"));
  EXPECT_EQ(modified("add", {{"network", "lan"}, {"ip", "192.0.2.1"}}),
            "IP 192.0.2.1 not available in network lan");
  EXPECT_THAT(modified("add", {{"network", "lan"}, {"ip", "192.0.2.7"}}),
              HasSubstr("externally reserved"));
  EXPECT_THAT(modified("add", {{"network", "lan"}, {"ip", "192.0.2.7"}}, false), HasSubstr("add:"));
}

TEST_F(NicsInNetworks, scripts_and_hooks_are_told) {
  auto const& instance = **cluster_.instance("web1.example");
  auto const spec = instance_spec(cluster_, instance);
  EXPECT_EQ(
      json::serialize(spec.nics[0].network),
      R"({"NETWORK_MAC_PREFIX":"aa:bb:cc","NETWORK_NAME":"lan","NETWORK_SUBNET":"192.0.2.0/29",)"
      R"("NETWORK_TAGS":"office","NETWORK_UUID":"lan-uuid"})");
}

}  // namespace
}  // namespace flotte::units
