// What hooks are told, against what Ganeti 3.0 tells them.
#include "units/hooks.h"

#include <gmock/gmock.h>

#include "model/params.h"
#include "units/cluster_set_params.h"
#include "units/cluster_verify_group.h"
#include "units/instance_create.h"
#include "units/instance_grow_disk.h"
#include "units/instance_reboot.h"
#include "units/instance_recreate_disks.h"
#include "units/instance_remove.h"
#include "units/instance_rename.h"
#include "units/instance_set_params.h"
#include "units/instance_shutdown.h"
#include "units/instance_startup.h"

namespace flotte::units {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Pair;

model::Instance an_instance() {
  model::Instance instance;
  instance.uuid = InstanceId("instance-1");
  instance.name = "web1.example";
  instance.primary_node = NodeId("node-2");
  instance.os = "debootstrap+default";
  instance.hypervisor = model::HypervisorKind::Fake;
  instance.beparams = {{"maxmem", 512}, {"minmem", 256}, {"vcpus", 2}};
  instance.admin_state = model::AdminState::Up;
  instance.disk_template = model::DiskTemplate::Plain;
  instance.tags = {"blue", "prod"};
  instance.nics = {{.uuid = NicId("nic-0"), .mac = "aa:00:00:00:00:01", .nicparams = {}},
                   {.uuid = NicId("nic-1"),
                    .name = "lan",
                    .mac = "aa:00:00:00:00:02",
                    .ip = "192.0.2.9",
                    .nicparams = {{"mode", "routed"}, {"link", "100"}}}};
  instance.disks = {{.uuid = DiskId("disk-0"),
                     .dev_type = model::DiskTemplate::Plain,
                     .logical_id = {"xenvg", "x.disk0"},
                     .size = {1024},
                     .name = "root"}};
  return instance;
}

model::Cluster a_cluster() {
  model::Settings settings;
  settings.cluster_name = "cluster.example";
  settings.master_node = NodeId("node-1");
  settings.enabled_hypervisors = {model::HypervisorKind::Fake, model::HypervisorKind::Kvm};
  settings.nicparams = {{"mode", "bridged"}, {"link", "br0"}};
  settings.volume_group_name = "xenvg";
  settings.tags = {"lab"};
  model::Cluster cluster;
  cluster.put(settings);
  cluster.put(model::Group{.uuid = GroupId("group-1"), .name = "default"});
  for (auto const* number : {"1", "2"}) {
    cluster.put(model::Node{.uuid = NodeId(fmt::format("node-{}", number)),
                            .name = fmt::format("n{}.example", number),
                            .group = GroupId("group-1"),
                            .tags = {fmt::format("rack{}", number)}});
  }
  cluster.put(an_instance());
  return cluster;
}

std::string lines(std::map<std::string, std::string> const& environment) {
  std::string text;
  for (auto const& [name, value] : environment) text += fmt::format("{}={}\n", name, value);
  return text;
}

// Ganeti tells of new disks no UUID, and not where they lie; Flotte knows both.
TEST(Hooks, the_whole_environment_before_a_creation) {
  InstanceCreate::Plan plan;
  plan.instance = an_instance();
  opcodes::InstanceCreate op;
  op.instance_name = "web1";
  op.mode = "create";
  op.os_type = "debootstrap+default";
  auto const cluster = a_cluster();
  auto const hooks = *InstanceCreate::hooks(op, cluster, plan);
  auto const run = jobs::before_operation({InstanceCreate::Op::op_id, cluster, hooks});
  EXPECT_EQ(run.directory, "instance-add-pre.d");
  EXPECT_EQ(run.instance, "web1.example");
  EXPECT_THAT(run.later, ElementsAre("instance-add-post.d", "config-update-post.d"));
  EXPECT_THAT(hooks.pre_nodes, ElementsAre(NodeId("node-1"), NodeId("node-2")));
  EXPECT_EQ(hooks.pre_nodes, hooks.post_nodes);
  EXPECT_EQ(lines(run.environment),
            R"(GANETI_ADD_MODE=create
GANETI_CLUSTER=cluster.example
GANETI_HOOKS_PATH=instance-add
GANETI_HOOKS_PHASE=pre
GANETI_HOOKS_VERSION=2
GANETI_INSTANCE_BE_always_failover=False
GANETI_INSTANCE_BE_auto_balance=True
GANETI_INSTANCE_BE_maxmem=512
GANETI_INSTANCE_BE_minmem=256
GANETI_INSTANCE_BE_spindle_use=1
GANETI_INSTANCE_BE_vcpus=2
GANETI_INSTANCE_DISK0_DEV_TYPE=plain
GANETI_INSTANCE_DISK0_ID=x.disk0
GANETI_INSTANCE_DISK0_MODE=rw
GANETI_INSTANCE_DISK0_NAME=root
GANETI_INSTANCE_DISK0_SIZE=1024
GANETI_INSTANCE_DISK0_UUID=disk-0
GANETI_INSTANCE_DISK0_VG=xenvg
GANETI_INSTANCE_DISK_COUNT=1
GANETI_INSTANCE_DISK_TEMPLATE=plain
GANETI_INSTANCE_HV_migration_mode=live
GANETI_INSTANCE_HYPERVISOR=fake
GANETI_INSTANCE_MAXMEM=512
GANETI_INSTANCE_MEMORY=512
GANETI_INSTANCE_MINMEM=256
GANETI_INSTANCE_NAME=web1.example
GANETI_INSTANCE_NIC0_BRIDGE=br0
GANETI_INSTANCE_NIC0_IP=
GANETI_INSTANCE_NIC0_LINK=br0
GANETI_INSTANCE_NIC0_MAC=aa:00:00:00:00:01
GANETI_INSTANCE_NIC0_MODE=bridged
GANETI_INSTANCE_NIC0_UUID=nic-0
GANETI_INSTANCE_NIC0_VLAN=
GANETI_INSTANCE_NIC1_IP=192.0.2.9
GANETI_INSTANCE_NIC1_LINK=100
GANETI_INSTANCE_NIC1_MAC=aa:00:00:00:00:02
GANETI_INSTANCE_NIC1_MODE=routed
GANETI_INSTANCE_NIC1_NAME=lan
GANETI_INSTANCE_NIC1_UUID=nic-1
GANETI_INSTANCE_NIC1_VLAN=
GANETI_INSTANCE_NIC_COUNT=2
GANETI_INSTANCE_OS_TYPE=debootstrap+default
GANETI_INSTANCE_PRIMARY=n2.example
GANETI_INSTANCE_SECONDARIES=
GANETI_INSTANCE_STATUS=True
GANETI_INSTANCE_TAGS=blue prod
GANETI_INSTANCE_VCPUS=2
GANETI_MASTER=n1.example
GANETI_OBJECT_TYPE=INSTANCE
GANETI_OP_CODE=OP_INSTANCE_CREATE
GANETI_OP_TARGET=web1.example
)");
}

TEST(Hooks, all_parameters_of_a_hypervisor_are_told_as_python_says_them) {
  auto instance = an_instance();
  instance.hypervisor = model::HypervisorKind::Kvm;
  instance.hvparams = {{"acpi", false}, {"kernel_args", "ro quiet"}};
  auto const told = instance_hooks("instance-start", a_cluster(), instance).variables;
  for (auto const& param : model::hypervisor_params(model::HypervisorKind::Kvm)) {
    EXPECT_TRUE(told.contains(fmt::format("INSTANCE_HV_{}", param.name))) << param.name;
  }
  EXPECT_EQ(told.at("INSTANCE_HV_acpi"), "False");
  EXPECT_EQ(told.at("INSTANCE_HV_serial_speed"), "38400");
  EXPECT_EQ(told.at("INSTANCE_HV_kernel_args"), "ro quiet");
  EXPECT_EQ(told.at("INSTANCE_STATUS"), "up");
}

TEST(Hooks, python_says_values_like_this) {
  EXPECT_EQ(model::python_text(nullptr), "None");
  EXPECT_EQ(model::python_text(true), "True");
  EXPECT_EQ(model::python_text(1.0), "1.0");
  EXPECT_EQ(model::python_text(0.25), "0.25");
  EXPECT_EQ(model::python_text(7), "7");
  EXPECT_EQ(model::python_text("a b"), "a b");
}

template <class U>
jobs::HookVariables told(typename U::Op const& op, typename U::Plan const& plan) {
  return U::hooks(op, a_cluster(), plan)->variables;
}

TEST(Hooks, are_told_how_an_instance_is_started_stopped_and_rebooted) {
  InstanceId const id("instance-1");
  EXPECT_THAT(told<InstanceStartup>({.force = true}, {.instance = id}),
              IsSupersetOf({Pair("FORCE", "True"), Pair("INSTANCE_STATUS", "up")}));
  EXPECT_THAT(told<InstanceShutdown>({.timeout = 7}, {.instance = id}),
              Contains(Pair("TIMEOUT", "7")));
  EXPECT_THAT(
      told<InstanceReboot>({.shutdown_timeout = 9, .reboot_type = "hard"}, {.instance = id}),
      IsSupersetOf({Pair("REBOOT_TYPE", "hard"), Pair("SHUTDOWN_TIMEOUT", "9"),
                    Pair("IGNORE_SECONDARIES", "False")}));
  EXPECT_THAT(
      told<InstanceGrowDisk>({.disk = 1, .amount = 512, .absolute = true}, {.instance = id}),
      IsSupersetOf({Pair("DISK", "1"), Pair("AMOUNT", "512"), Pair("ABSOLUTE", "True")}));
}

TEST(Hooks, before_a_removal_only_the_master_is_asked) {
  InstanceRemove::Plan const plan{.instance = InstanceId("instance-1")};
  auto cluster = a_cluster();
  auto const before = InstanceRemove::hooks({.shutdown_timeout = 5}, cluster, plan);
  ASSERT_TRUE(before);
  EXPECT_THAT(before->pre_nodes, ElementsAre(NodeId("node-1")));
  EXPECT_THAT(before->post_nodes, ElementsAre(NodeId("node-1"), NodeId("node-2")));
  EXPECT_EQ(before->variables.at("SHUTDOWN_TIMEOUT"), "5");
  cluster.remove(plan.instance);
  EXPECT_EQ(InstanceRemove::hooks({}, cluster, plan).error().code, ErrorCode::UnknownEntity);
}

TEST(Hooks, of_a_change_are_told_of_it_before_it_is_made) {
  InstanceSetParams::Plan plan{.instance = InstanceId("instance-1")};
  plan.beparams = {{"maxmem", 1024}};
  plan.devices.emplace();
  plan.devices->after.nics.resize(1);
  plan.devices->after.nics[0].nic.mac = "aa:00:00:00:00:07";
  auto const changed = told<InstanceSetParams>({.runtime_mem = 300}, plan);
  EXPECT_THAT(changed,
              IsSupersetOf({Pair("INSTANCE_MAXMEM", "1024"), Pair("INSTANCE_MINMEM", "256"),
                            Pair("INSTANCE_BE_maxmem", "512"), Pair("INSTANCE_NIC_COUNT", "1"),
                            Pair("INSTANCE_NIC0_MAC", "aa:00:00:00:00:07"),
                            Pair("RUNTIME_MEMORY", "300")}));
  EXPECT_FALSE(changed.contains("NEW_DISK_TEMPLATE"));
  EXPECT_THAT(told<InstanceSetParams>({.disk_template = model::DiskTemplate::File}, plan),
              Contains(Pair("NEW_DISK_TEMPLATE", "file")));
}

TEST(Hooks, of_a_new_name_are_told_both_and_afterwards_the_instance_is_found) {
  InstanceRename::Plan plan{.instance = InstanceId("instance-1")};
  plan.after.name = "www.example";
  EXPECT_THAT(
      told<InstanceRename>({}, plan),
      IsSupersetOf({Pair("INSTANCE_NAME", "web1.example"), Pair("OP_TARGET", "web1.example"),
                    Pair("INSTANCE_NEW_NAME", "www.example")}));
  auto cluster = a_cluster();
  auto renamed = an_instance();
  renamed.name = "www.example";
  cluster.put(renamed);
  EXPECT_THAT(InstanceRename::hooks({}, cluster, plan)->variables,
              Contains(Pair("INSTANCE_NAME", "www.example")));
}

TEST(Hooks, of_disks_made_anew_are_asked_where_they_are) {
  auto const hooks =
      *InstanceRecreateDisks::hooks({}, a_cluster(), {.instance = InstanceId("instance-1")});
  EXPECT_EQ(hooks.directory, "instance-recreate-disks");
  EXPECT_THAT(hooks.pre_nodes, ElementsAre(NodeId("node-1"), NodeId("node-2")));
}

TEST(Hooks, of_the_cluster) {
  auto const cluster = a_cluster();
  auto const modify = *ClusterSetParams::hooks({}, cluster, {});
  EXPECT_EQ(modify.object_type, "CLUSTER");
  EXPECT_THAT(modify.variables,
              ElementsAre(Pair("NEW_VG_NAME", "None"), Pair("OP_TARGET", "cluster.example")));
  auto const verify = *ClusterVerifyGroup::hooks({.group_name = "default"}, cluster, {});
  EXPECT_TRUE(verify.pre_nodes.empty());
  EXPECT_THAT(verify.post_nodes, ElementsAre(NodeId("node-1"), NodeId("node-2")));
  EXPECT_THAT(verify.variables,
              ElementsAre(Pair("CLUSTER_TAGS", "lab"), Pair("NODE_TAGS_n1.example", "rack1"),
                          Pair("NODE_TAGS_n2.example", "rack2")));
}

}  // namespace
}  // namespace flotte::units
