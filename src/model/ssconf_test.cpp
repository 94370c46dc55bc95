#include "model/ssconf.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string content(schema::json::object const& files, std::string_view key) {
  auto const* found = files.if_contains(key);
  return found ? std::string(std::string_view(found->as_string())) : "no such file";
}

Cluster a_cluster() {
  Cluster cluster;
  Settings settings;
  settings.cluster_name = "c1.example.com";
  settings.master_node = NodeId("n1");
  settings.tags = {"zone:b", "a"};
  settings.enabled_hypervisors = {HypervisorKind::Kvm, HypervisorKind::Fake};
  settings.hvparams = {{"kvm", {{"kernel_path", ""}, {"acpi", false}}}};
  cluster.put(std::move(settings));
  cluster.put(Group{.uuid = GroupId("g"), .name = "default"});
  cluster.put(Node{
      .uuid = NodeId("n1"), .name = "node10", .group = GroupId("g"), .primary_ip = "192.0.2.10"});
  Node second{.uuid = NodeId("n2"), .name = "node9", .group = GroupId("g")};
  second.primary_ip = "192.0.2.9";
  second.secondary_ip = "198.51.100.9";
  second.offline = true;
  second.master_candidate = false;
  second.vm_capable = false;
  second.ndparams = {{"ssh_port", 2222}};
  cluster.put(second);
  return cluster;
}

TEST(Ssconf, says_what_is_configured) {
  auto cluster = a_cluster();
  cluster.put(Instance{.uuid = InstanceId("i"), .name = "web10"});
  cluster.put(Instance{.uuid = InstanceId("j"), .name = "web2"});
  auto const files = ssconf(cluster);
  EXPECT_EQ(content(files, "cluster_name"), "c1.example.com\n");
  EXPECT_EQ(content(files, "cluster_tags"), "a\nzone:b\n");
  EXPECT_EQ(content(files, "instance_list"), "web2\nweb10\n");
  EXPECT_EQ(content(files, "master_node"), "node10\n");
  EXPECT_EQ(content(files, "node_list"), "node9\nnode10\n");
  EXPECT_EQ(content(files, "online_nodes"), "node10\n");
  EXPECT_EQ(content(files, "offline_nodes"), "node9\n");
  EXPECT_EQ(content(files, "master_candidates"), "node10\n");
  EXPECT_EQ(content(files, "master_candidates_ips"), "192.0.2.10\n");
  EXPECT_EQ(content(files, "node_primary_ips"), "node9 192.0.2.9\nnode10 192.0.2.10\n");
  EXPECT_EQ(content(files, "node_secondary_ips"), "node9 198.51.100.9\nnode10 192.0.2.10\n");
  EXPECT_EQ(content(files, "node_vm_capable"), "node9=False\nnode10=True\n");
  EXPECT_EQ(content(files, "ssh_ports"), "node9=2222\nnode10=22\n");
  EXPECT_EQ(content(files, "nodegroups"), "g default\n");
  EXPECT_EQ(content(files, "hypervisor_list"), "kvm\nfake\n");
  EXPECT_EQ(content(files, "master_netmask"), "32\n");
  EXPECT_EQ(content(files, "enabled_user_shutdown"), "False\n");
  EXPECT_NE(content(files, "hvparams_kvm").find("acpi=False\n"), std::string::npos);
  EXPECT_NE(content(files, "hvparams_kvm").find("kernel_path=\n"), std::string::npos);
}

TEST(Ssconf, networks_have_a_line_each) {
  auto cluster = a_cluster();
  for (auto const* name : {"net10", "net9"}) {
    cluster.put(Network{.uuid = NetworkId(fmt::format("{}-uuid", name)), .name = name});
  }
  EXPECT_EQ(content(ssconf(cluster), "networks"), "net9-uuid net9\nnet10-uuid net10\n");
}

TEST(Ssconf, what_is_empty_is_an_empty_file) {
  auto const files = ssconf(a_cluster());
  for (auto const* key : {"instance_list", "file_storage_dir", "uid_pool", "networks"}) {
    EXPECT_EQ(content(files, key), "") << key;
  }
}

}  // namespace
}  // namespace flotte::model
