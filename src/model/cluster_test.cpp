#include "model/cluster.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string found(std::string_view name) {
  Cluster cluster;
  cluster.put(Instance{.uuid = InstanceId("i"), .name = "web1.example.com"});
  cluster.put(Instance{.uuid = InstanceId("j"), .name = "web1.example.net"});
  cluster.put(Instance{.uuid = InstanceId("k"), .name = "db1.example.com"});
  auto const instance = cluster.instance(name);
  return instance ? (*instance)->name : instance.error().message;
}

TEST(Cluster, a_name_may_be_short_and_in_either_case) {
  EXPECT_EQ(found("db1"), "db1.example.com");
  EXPECT_EQ(found("DB1"), "db1.example.com");
  EXPECT_EQ(found("Web1.Example.NET"), "web1.example.net");
  EXPECT_EQ(found("k"), "db1.example.com");
}

TEST(Cluster, a_short_name_of_two_is_of_neither) {
  EXPECT_EQ(found("web1"),
            "Instance name 'web1' is ambiguous: web1.example.com and web1.example.net both match");
  EXPECT_EQ(found("web"), "Instance 'web' not known");
  EXPECT_EQ(found("db1.example"), "db1.example.com");
}

TEST(Cluster, a_full_name_is_not_ambiguous_though_others_continue_it) {
  Cluster cluster;
  cluster.put(Instance{.uuid = InstanceId("i"), .name = "web.one"});
  cluster.put(Instance{.uuid = InstanceId("j"), .name = "web.two"});
  cluster.put(Instance{.uuid = InstanceId("k"), .name = "web"});
  cluster.put(Node{.uuid = NodeId("m"), .name = "node.one"});
  cluster.put(Node{.uuid = NodeId("n"), .name = "node.two"});
  cluster.put(Node{.uuid = NodeId("o"), .name = "node"});
  EXPECT_EQ((*cluster.instance("web"))->uuid.text(), "k");
  EXPECT_EQ((*cluster.node("node"))->uuid.text(), "o");
}

Instance machine(std::string uuid, std::string mac, std::int64_t port) {
  Instance instance{.uuid = InstanceId(uuid), .name = uuid + ".example"};
  instance.nics.push_back({.uuid = NicId(uuid), .mac = std::move(mac)});
  instance.network_port = port;
  return instance;
}

TEST(Cluster, knows_who_has_what_only_one_may_have) {
  Cluster cluster;
  cluster.put(machine("i", "aa:00:00:00:00:0a", 11000));
  InstanceId const other("j");
  EXPECT_EQ(cluster.other_with_mac("AA:00:00:00:00:0A", other)->name, "i.example");
  EXPECT_EQ(cluster.other_with_mac("aa:00:00:00:00:0a", InstanceId("i")), nullptr);
  EXPECT_EQ(cluster.other_with_name("I.example", other)->name, "i.example");
  EXPECT_EQ(cluster.other_with_port(11000, other)->name, "i.example");

  auto changed = machine("i", "aa:00:00:00:00:0b", 11001);
  changed.name = "renamed";
  cluster.put(changed);
  EXPECT_EQ(cluster.other_with_mac("aa:00:00:00:00:0a", other), nullptr);
  EXPECT_EQ(cluster.other_with_name("i.example", other), nullptr);
  EXPECT_EQ(cluster.other_with_port(11000, other), nullptr);
  EXPECT_EQ(cluster.other_with_port(11001, other)->name, "renamed");
  EXPECT_FALSE(cluster.instance("i.example"));

  // Nothing but its port.
  changed.network_port = 11002;
  cluster.put(changed);
  EXPECT_EQ(cluster.other_with_port(11001, other), nullptr);
  EXPECT_EQ(cluster.other_with_port(11002, other)->name, "renamed");
  changed.network_port = std::nullopt;
  cluster.put(changed);
  EXPECT_EQ(cluster.other_with_port(11002, other), nullptr);
}

// A build before this one could leave two with one address.
TEST(Cluster, of_two_that_share_one_the_other_keeps_it) {
  Cluster cluster;
  cluster.put(machine("i", "aa:00:00:00:00:0a", 11000));
  cluster.put(machine("j", "aa:00:00:00:00:0a", 11000));
  EXPECT_EQ(cluster.other_with_mac("aa:00:00:00:00:0a", InstanceId("i"))->name, "j.example");
  cluster.remove(InstanceId("i"));
  EXPECT_EQ(cluster.other_with_mac("aa:00:00:00:00:0a", InstanceId("i"))->name, "j.example");
  EXPECT_EQ(cluster.other_with_port(11000, InstanceId("k"))->name, "j.example");
}

TEST(Cluster, the_lowest_port_that_nobody_has_is_free) {
  Cluster cluster;
  auto const free = [&](std::int64_t taken = 0) {
    return cluster.free_port(11000, 11009, [&](std::int64_t port) { return port == taken; });
  };
  EXPECT_EQ(free(), 11000);
  EXPECT_EQ(free(11000), 11001);
  cluster.put(machine("low", "", 5900));
  for (int i = 0; i < 10; ++i) cluster.put(machine(std::to_string(i), "", 11000 + i));
  EXPECT_EQ(free(), std::nullopt);
  cluster.remove(InstanceId("9"));
  EXPECT_EQ(free(), 11009);
  EXPECT_EQ(free(11009), std::nullopt);
  cluster.remove(InstanceId("4"));
  EXPECT_EQ(free(), 11004);
  EXPECT_EQ(free(11004), 11009);
}

}  // namespace
}  // namespace flotte::model
