#include <gmock/gmock.h>

#include "model/params.h"
#include "units/cluster_verify_config.h"
#include "units/cluster_verify_group.h"

namespace flotte::units {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double day = 86400;
constexpr double noon = 1.8e9;

model::Cluster a_cluster() {
  model::Cluster cluster;
  model::Settings settings;
  settings.cluster_name = "c1";
  settings.master_node = NodeId("n");
  settings.enabled_hypervisors = {model::HypervisorKind::Fake};
  settings.enabled_disk_templates = {model::DiskTemplate::Plain, model::DiskTemplate::Diskless};
  settings.volume_group_name = "xenvg";
  settings.ipolicy = model::default_ipolicy();
  cluster.put(std::move(settings));
  cluster.put(model::Group{.uuid = GroupId("g"), .name = "default"});
  cluster.put(model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g")});
  return cluster;
}

model::Instance an_instance(std::string const& name) {
  return {.uuid = InstanceId("uuid-of-" + name),
          .name = name,
          .primary_node = NodeId("n"),
          .hypervisor = model::HypervisorKind::Fake,
          .beparams = {{"minmem", 128}, {"maxmem", 128}, {"vcpus", 1}},
          .nics = {{.mac = "aa:00:00:" + name}}};
}

std::vector<std::string> config_findings(model::Cluster const& cluster,
                                         ClusterVerifyConfig::Facts const& facts = {}) {
  opcodes::ClusterVerifyConfig op;
  op.error_codes = true;
  auto const plan = ClusterVerifyConfig::plan(op, cluster, facts);
  if (!plan) return {plan.error().message};
  auto lines = plan->lines;
  std::erase_if(lines, [](std::string const& line) { return line.starts_with("* "); });
  EXPECT_EQ(plan->is_good, std::ranges::none_of(lines, [](std::string const& line) {
              return line.starts_with("  - ERROR");
            }));
  return lines;
}

ClusterVerifyGroup::Facts group_facts(model::Cluster const& cluster) {
  ClusterVerifyGroup::Facts facts;
  facts.now = noon;
  ClusterVerifyGroup::Facts::NodeState state;
  state.node = *cluster.node("n1");
  state.facts.wall_time = noon;
  state.facts.volume_groups = {{"xenvg", {30000}, {30000}}};
  state.is_lvm_asked = true;
  facts.nodes.push_back(std::move(state));
  return facts;
}

std::vector<std::string> group_findings(model::Cluster const& cluster,
                                        ClusterVerifyGroup::Facts const& facts) {
  opcodes::ClusterVerifyGroup op;
  op.group_name = "default";
  op.error_codes = true;
  auto const plan = ClusterVerifyGroup::plan(op, cluster, facts);
  if (!plan) return {plan.error().message};
  auto lines = plan->lines;
  std::erase_if(lines, [](std::string const& line) {
    return line.starts_with("* ") || line.find("NOTICE") != std::string::npos;
  });
  return lines;
}

TEST(ClusterVerify, finds_nothing_where_nothing_is_wrong) {
  auto const cluster = a_cluster();
  EXPECT_THAT(config_findings(cluster), Each(""));
  EXPECT_THAT(group_findings(cluster, group_facts(cluster)), Each(""));
}

TEST(ClusterVerify, what_two_instances_must_not_share) {
  auto cluster = a_cluster();
  for (auto const* name : {"web1", "web2"}) {
    auto instance = an_instance(name);
    instance.nics = {{.mac = "aa:00:00:11:22:33"}};
    instance.network_port = 11005;
    instance.disk_template = model::DiskTemplate::Plain;
    instance.disks = {{.logical_id = {"xenvg", "d"}, .size = {1024}}};
    cluster.put(std::move(instance));
  }
  EXPECT_THAT(
      config_findings(cluster),
      ::testing::ElementsAre(
          "  - ERROR:ECLUSTERCFG:cluster:None:instance 'web2' NIC 0 mac 'aa:00:00:11:22:33' "
          "duplicate of instance 'web1'",
          "  - ERROR:ECLUSTERCFG:cluster:None:tcp/udp port 11005 has duplicates: instance web1, "
          "instance web2",
          "  - ERROR:ECLUSTERCFG:cluster:None:disk/0 of instance 'web1' and disk/0 of instance "
          "'web2' have the same logical id xenvg/d"));
}

TEST(ClusterVerify, a_clock_that_is_ahead_or_behind) {
  auto const cluster = a_cluster();
  auto facts = group_facts(cluster);
  for (double const difference : {-151.0, 151.0}) {
    facts.nodes[0].facts.wall_time = noon + difference;
    EXPECT_THAT(group_findings(cluster, facts),
                Contains("  - ERROR:ENODETIME:node:n1:Node time diverges by at least 151.0s from "
                         "master node time"));
  }
  for (double const difference : {-150.0, 150.0}) {
    facts.nodes[0].facts.wall_time = noon + difference;
    EXPECT_THAT(group_findings(cluster, facts), Each(""));
  }
}

TEST(ClusterVerify, certificates_by_the_days_they_have_left) {
  auto const told = [](double from, double until) {
    ClusterVerifyConfig::Facts facts;
    facts.now = noon;
    facts.certificates = {{"/rapi.pem", "", noon + from * day, noon + until * day}};
    auto const lines = config_findings(a_cluster(), facts);
    return lines.empty() ? std::string() : lines[0];
  };
  EXPECT_EQ(told(-10, 100), "");
  EXPECT_EQ(told(-10, 20),
            "  - WARNING:ECLUSTERCERT:cluster:None:While verifying /rapi.pem: Certificate expires "
            "in about 20 days");
  EXPECT_THAT(told(-10, 3), AllOf(HasSubstr("ERROR:ECLUSTERCERT"), HasSubstr("about 3 days")));
  EXPECT_EQ(told(-10, -1),
            "  - ERROR:ECLUSTERCERT:cluster:None:While verifying /rapi.pem: Certificate is expired "
            "(valid from 2027-01-05 08:00:00 to 2027-01-14 08:00:00)");
  EXPECT_THAT(told(1, 100), HasSubstr("Certificate not yet valid"));
}

TEST(ClusterVerify, a_clock_that_is_far_off) {
  auto const cluster = a_cluster();
  auto facts = group_facts(cluster);
  facts.nodes[0].facts.wall_time = noon + 151.5;
  EXPECT_THAT(group_findings(cluster, facts),
              Contains("  - ERROR:ENODETIME:node:n1:Node time diverges by at least 151.5s from "
                       "master node time"));
}

TEST(ClusterVerify, volume_groups) {
  auto const cluster = a_cluster();
  auto facts = group_facts(cluster);
  facts.nodes[0].facts.volume_groups[0].size = {12288};
  EXPECT_THAT(group_findings(cluster, facts),
              Contains("  - WARNING:ENODELVM:node:n1:volume group 'xenvg' too small (20480 MiB "
                       "required, 12288 MiB found)"));
  facts.nodes[0].facts.volume_groups.clear();
  EXPECT_THAT(group_findings(cluster, facts),
              Contains("  - ERROR:ENODELVM:node:n1:volume group 'xenvg' missing"));
  facts.nodes[0].volumes = fail(ErrorCode::EnvironmentError, "lvs said no");
  EXPECT_THAT(group_findings(cluster, facts),
              Contains("  - ERROR:ENODELVM:node:n1:LVM problem on node: lvs said no"));
}

TEST(ClusterVerify, volumes_that_are_missing_orphaned_reserved_or_of_wrong_size) {
  auto cluster = a_cluster();
  auto instance = an_instance("web1");
  instance.disk_template = model::DiskTemplate::Plain;
  instance.disks_active = true;
  instance.disks = {{.logical_id = {"xenvg", "here"}, .size = {1024}},
                    {.logical_id = {"xenvg", "gone"}, .size = {1024}},
                    {.logical_id = {"xenvg", "small"}, .size = {2048}},
                    {.logical_id = {"xenvg", "rounded"}, .size = {1025}},
                    {.logical_id = {"xenvg", "pool"}, .size = {1025}}};
  cluster.put(std::move(instance));
  auto settings = cluster.settings();
  settings.reserved_lvs = {"xenvg/root", "xenvg/home-.*"};
  cluster.put(settings);
  auto facts = group_facts(cluster);
  facts.nodes[0].volumes = rpc::VolumeList{
      {{"/dev/sda", "xenvg", "here", {1024}},
       {"/dev/sda", "xenvg", "small", {1024}},
       {"/dev/sda", "xenvg", "rounded", {1028}},
       {.vg = "xenvg", .name = "pool", .size = {1032}, .fault = "is a thin pool: …"},
       {.vg = "xenvg", .name = "pool_tdata", .size = {1004}, .is_hidden = true},
       {"/dev/sda", "xenvg", "root", {1024}},
       {"/dev/sda", "xenvg", "home-a", {1024}},
       {"/dev/sda", "other", "lost", {1024}},
       {"/dev/sda", "xenvg", "lost", {1024}}}};
  facts.nodes[0].facts.volume_groups[0].extent = {4};
  EXPECT_THAT(
      group_findings(cluster, facts),
      ::testing::ElementsAre(
          "  - ERROR:EINSTANCEMISSINGDISK:instance:web1:volume xenvg/gone missing on node n1",
          "  - ERROR:EINSTANCEFAULTYDISK:instance:web1:couldn't retrieve status for disk/1 on n1: "
          "Can't find device xenvg/gone",
          "  - ERROR:EINSTANCEFAULTYDISK:instance:web1:disk/2 on n1 has mismatched size: recorded "
          "2048, actual 1024; 'gnt-cluster repair-disk-sizes web1' records the actual one",
          "  - ERROR:EINSTANCEFAULTYDISK:instance:web1:disk/4 on n1: volume xenvg/pool is a thin "
          "pool: …",
          "  - WARNING:EINSTANCEFAULTYDISK:instance:web1:disk/4 on n1 has mismatched size: "
          "recorded "
          "1025, actual 1032; 'gnt-cluster repair-disk-sizes web1' records the actual one",
          "  - WARNING:ENODEORPHANLV:node:n1:volume xenvg/lost is unknown"));
}

TEST(ClusterVerify, disks_that_are_not_wiped) {
  auto cluster = a_cluster();
  auto settings = cluster.settings();
  settings.enabled_disk_templates.push_back(model::DiskTemplate::File);
  settings.ipolicy["disk-templates"] = json::array{"plain", "file", "diskless"};
  cluster.put(settings);
  auto instance = an_instance("web1");
  instance.disk_template = model::DiskTemplate::Plain;
  instance.disks = {{.logical_id = {"xenvg", "new"}, .size = {1024}},
                    {.logical_id = {"xenvg", "grown"}, .size = {1024}}};
  cluster.put(instance);
  auto files = an_instance("web2");
  files.disk_template = model::DiskTemplate::File;
  files.disks = {
      {.dev_type = model::DiskTemplate::File, .logical_id = {"loop", "/f"}, .size = {1024}}};
  cluster.put(files);
  auto facts = group_facts(cluster);
  facts.nodes[0].volumes =
      rpc::VolumeList{{{.vg = "xenvg", .name = "new", .size = {1024}, .unwiped = MiB{0}},
                       {.vg = "xenvg", .name = "grown", .size = {1024}, .unwiped = MiB{1024}}}};
  facts.nodes[0].disks["web2"].found = {rpc::DevicePath{.size = {1024}, .unwiped = MiB{1024}}};
  EXPECT_THAT(
      group_findings(cluster, facts),
      ::testing::ElementsAre(
          "  - ERROR:EINSTANCEFAULTYDISK:instance:web1:disk/0 on n1 was never wiped, and nobody "
          "gets it; remove it and make it anew",
          "  - WARNING:EINSTANCEFAULTYDISK:instance:web1:disk/1 on n1 has grown from 1024 MiB on "
          "and was not wiped there; that is given back when it is activated next",
          "  - WARNING:EINSTANCEFAULTYDISK:instance:web2:disk/0 on n1 has grown from 1024 MiB on "
          "and was not wiped there; that is given back when it is activated next"));
}

TEST(ClusterVerify, an_instance_on_a_node_that_is_offline) {
  auto cluster = a_cluster();
  auto instance = an_instance("web1");
  instance.admin_state = model::AdminState::Up;
  cluster.put(std::move(instance));
  cluster.put(
      model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g"), .offline = true});
  EXPECT_THAT(group_findings(cluster, group_facts(cluster)),
              ::testing::ElementsAre("  - ERROR:EINSTANCEBADNODE:instance:web1:instance is marked "
                                     "as running and lives on offline node n1"));
}

}  // namespace
}  // namespace flotte::units
