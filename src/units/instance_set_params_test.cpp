#include "units/instance_set_params.h"

#include <gtest/gtest.h>

#include "model/params.h"

namespace flotte::units {
namespace {

std::string error_of(model::AdminState state, bool offline) {
  model::Cluster cluster;
  cluster.put(model::Instance{.uuid = InstanceId("i"), .name = "web1", .admin_state = state});
  opcodes::InstanceSetParams op;
  op.instance_name = "web1";
  op.ignore_ipolicy = true;
  op.offline = offline;
  auto const plan = InstanceSetParams::plan(op, cluster, {});
  return plan ? "" : plan.error().message;
}

TEST(InstanceSetParams, only_what_should_not_run_changes_to_offline_or_online) {
  using enum model::AdminState;
  EXPECT_EQ(error_of(Down, true), "");
  EXPECT_EQ(error_of(Offline, false), "");
  EXPECT_EQ(error_of(Up, true), "Instance 'web1' is marked to be up, can't change to offline");
  // It would go on running, unwished.
  EXPECT_EQ(error_of(Up, false), "Instance 'web1' is marked to be up, can't change to online");
}

// web1 on n1, with two disks in a volume group and a NIC.
class Devices : public ::testing::Test {
 protected:
  using Op = opcodes::InstanceSetParams;
  using Plan = InstanceSetParams::Plan;

  Devices() {
    model::Settings settings;
    settings.volume_group_name = "vms";
    settings.ipolicy = model::default_ipolicy();
    cluster_.put(settings);
    cluster_.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
    model::Instance instance{.uuid = InstanceId("i"), .name = "web1"};
    instance.primary_node = NodeId("node-1");
    instance.disk_template = model::DiskTemplate::Plain;
    instance.osparams_private = {{"password", "secret"}};
    for (auto const* name : {"root", "data"}) {
      model::Disk disk;
      disk.uuid = DiskId(name);
      disk.dev_type = model::DiskTemplate::Plain;
      disk.size = {1024};
      disk.logical_id = {"vms", name};
      instance.disks.push_back(disk);
    }
    model::Nic nic;
    nic.uuid = NicId("lan");
    nic.mac = "aa:00:00:00:00:01";
    instance.nics.push_back(nic);
    cluster_.put(instance);
    op_.instance_name = "web1";
    facts_.seed = 7;
    facts_.node = {.memory_free = {512}, .volume_groups = {{"vms", {102400}, {20480}}}};
  }

  void it_runs(std::int64_t memory = 1024) {
    facts_.running = rpc::RunningInstance{.name = "web1", .memory = {memory}};
  }
  static json::array change(std::string_view action, std::int64_t index, json::object params = {}) {
    return {json::array{json::string(action), index, std::move(params)}};
  }
  Result<Plan> plan() const { return InstanceSetParams::plan(op_, cluster_, facts_); }
  std::string error() const {
    auto const made = plan();
    return made ? "" : made.error().message;
  }

  model::Cluster cluster_;
  Op op_;
  InstanceSetParams::Facts facts_;
};

TEST_F(Devices, one_that_stands_still_is_only_recorded) {
  op_.disks = change("add", 0, {{"size", 2048}});
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE(made->devices->plugs);
  EXPECT_EQ(made->devices->before.disks.size(), 2U);
  EXPECT_EQ(made->devices->after.disks.size(), 3U);
  ASSERT_EQ(made->devices->created.size(), 1U);
  EXPECT_EQ(made->devices->created[0].index, 0);
  EXPECT_EQ(made->devices->created[0].disk.uuid, made->devices->after.disks[0].disk.uuid);
}

TEST_F(Devices, a_running_one_is_changed_too_unless_that_is_unwished) {
  it_runs();
  op_.nics = change("add", -1, {{"link", "br0"}});
  EXPECT_TRUE(plan()->devices->plugs);
  EXPECT_FALSE(plan()->devices->may_not_plug);
  op_.hotplug_if_possible = true;
  EXPECT_TRUE(plan()->devices->may_not_plug);
  op_.hotplug = false;
  EXPECT_FALSE(plan()->devices->plugs);
  // The guest would go on writing to it.
  op_.disks = change("remove", 1);
  EXPECT_EQ(error(),
            "Instance 'web1' is running and uses the disk; leave out --no-hotplug, or stop it "
            "first");
  op_.hotplug = true;
  EXPECT_EQ(plan()->devices->removed.at(0).disk.uuid.text(), "data");
}

TEST_F(Devices, plans_are_pure_survive_the_journal_and_hold_no_secret) {
  it_runs();
  op_.disks = change("add", -1, {{"size", 2048}});
  op_.nics = change("add", -1, {{"link", "br0"}});
  op_.runtime_mem = 1024;
  op_.force = true;
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  auto const encoded = schema::encode(*made);
  EXPECT_EQ(encoded, schema::encode(*plan()));
  auto const again = schema::decode<Plan>(json::value(encoded));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(schema::encode(*again), encoded);
  EXPECT_TRUE(again->devices->after.osparams.empty());
}

TEST_F(Devices, a_volume_group_must_have_room) {
  op_.disks = change("add", -1, {{"size", 20481}});
  EXPECT_EQ(error(),
            "Not enough disk space on target node n1 vg vms: required 20481 MiB, available 20480 "
            "MiB");
  op_.disks = change("add", -1, {{"size", 1024}, {"vg", "nosuch"}});
  EXPECT_EQ(error(), "Volume group 'nosuch' not found on node n1");
}

TEST_F(Devices, the_policy_holds) {
  op_.disks = change("add", -1, {{"size", 1}});
  EXPECT_NE(error().find("violates policy: disk-size/2 value 1 is not in range [1024, 1048576]"),
            std::string::npos)
      << error();
  op_.ignore_ipolicy = true;
  EXPECT_EQ(error(), "");
}

TEST_F(Devices, memory_of_what_runs) {
  op_.runtime_mem = 1024;
  EXPECT_EQ(error(), "Instance web1 is not running");
  it_runs(512);
  op_.beparams = {{"minmem", 512}, {"maxmem", 2048}};
  EXPECT_EQ(error(), "");
  EXPECT_EQ(plan()->memory->before, MiB{512});
  EXPECT_EQ(plan()->memory->after, MiB{1024});
  op_.runtime_mem = 1025;
  EXPECT_EQ(error(),
            "Not enough memory on node n1 for ballooning memory for instance web1: needed 513 MiB, "
            "available 512 MiB");
  op_.runtime_mem = 256;
  EXPECT_EQ(error(),
            "Instance web1 must have memory between 512 and 2048 MB of memory unless --force is "
            "given");
  op_.force = true;
  EXPECT_EQ(error(), "");
  op_.runtime_mem = 0;
  EXPECT_NE(error(), "");
}

TEST_F(Devices, another_template_is_not_built_yet) {
  op_.disk_template = model::DiskTemplate::Drbd;
  EXPECT_EQ(error(), "Changing the disk template (-t) is not built yet");
}

TEST_F(Devices, locks_its_node_only_for_devices_and_memory) {
  EXPECT_EQ(InstanceSetParams::locks(op_, cluster_)->size(), 1U);
  op_.runtime_mem = 1024;
  EXPECT_EQ(InstanceSetParams::locks(op_, cluster_)->size(), 3U);
}

}  // namespace
}  // namespace flotte::units
