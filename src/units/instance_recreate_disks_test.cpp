#include "units/instance_recreate_disks.h"

#include <gtest/gtest.h>

namespace flotte::units {
namespace {

// web1 on n1; both of its disks are gone.
class RecreateDisks : public ::testing::Test {
 protected:
  RecreateDisks() {
    cluster_.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
    cluster_.put(model::Node{.uuid = NodeId("node-2"), .name = "n2"});
    instance_.uuid = InstanceId("i");
    instance_.name = "web1";
    instance_.primary_node = NodeId("node-1");
    instance_.disk_template = model::DiskTemplate::Plain;
    for (auto const* name : {"root", "data"}) {
      model::Disk disk;
      disk.dev_type = model::DiskTemplate::Plain;
      disk.logical_id = {"vms", name};
      disk.size = {1024};
      instance_.disks.push_back(disk);
    }
    cluster_.put(instance_);
    op_.instance_name = "web1";
    facts_.there = {"", ""};
    facts_.node = rpc::NodeFacts{.volume_groups = {{"vms", {102400}, {20480}}}};
  }

  Result<InstanceRecreateDisks::Plan> plan() const {
    return InstanceRecreateDisks::plan(op_, cluster_, facts_);
  }
  std::string error() const {
    auto const made = plan();
    return made ? "" : made.error().message;
  }
  static json::array one(std::int64_t index, json::object params) {
    return {json::array{index, std::move(params)}};
  }

  model::Cluster cluster_;
  model::Instance instance_;
  opcodes::InstanceRecreateDisks op_;
  InstanceRecreateDisks::Facts facts_;
};

TEST_F(RecreateDisks, all_or_those_that_are_named) {
  EXPECT_EQ(plan()->disks.size(), 2U);
  EXPECT_FALSE(plan()->changes);
  op_.disks = {1};
  ASSERT_EQ(plan()->disks.size(), 1U);
  EXPECT_EQ(plan()->disks[0].disk.logical_id[1], "data");
  op_.disks = one(1, {{"size", 2048}, {"mode", "ro"}, {"spindles", 2}});
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->changes);
  EXPECT_EQ(made->disks[0].disk.size, MiB{2048});
  EXPECT_EQ(made->disks[0].disk.mode, model::DiskMode::ReadOnly);
  EXPECT_EQ(made->disks[0].disk.spindles, 2);
}

TEST_F(RecreateDisks, what_is_there_is_never_overwritten) {
  facts_.there = {"", "volume vms/data"};
  EXPECT_EQ(error(),
            "Disk 1 of web1 is not missing: there is the volume vms/data; only missing disks are "
            "made anew, name them with --disk=N");
  op_.disks = {0};
  EXPECT_EQ(error(), "");
}

TEST_F(RecreateDisks, only_of_one_that_is_stopped) {
  facts_.is_running = true;
  EXPECT_EQ(error(),
            "Instance web1 is running, cannot recreate disks; stop it first with 'gnt-instance "
            "shutdown web1'");
  facts_.is_running = false;
  instance_.admin_state = model::AdminState::Up;
  cluster_.put(instance_);
  EXPECT_EQ(error(),
            "Instance 'web1' is marked to be up, cannot recreate disks; stop it first with "
            "'gnt-instance shutdown web1'");
}

TEST_F(RecreateDisks, a_mistake_is_named) {
  op_.disks = {2};
  EXPECT_EQ(error(), "Invalid disk index '2': web1 has disks 0 to 1");
  op_.disks = {-1};
  EXPECT_EQ(error(), "Invalid disk index '-1': web1 has disks 0 to 1");
  op_.disks = {1, 1};
  EXPECT_EQ(error(), "Some disks have been specified more than once: 1");
  op_.disks = {"pony"};
  EXPECT_EQ(error(), "A disk is an index or [index, {parameters}], not \"pony\"");
  op_.disks = one(0, {{"vg", "other"}});
  EXPECT_EQ(error(), "Parameters for disk 0 try to change unmodifyable parameter(s): vg");
  op_.disks = one(0, {{"size", -1}});
  EXPECT_EQ(error(), "Invalid size -1 for disk 0");
  op_.disks = one(0, {{"mode", "wo"}});
  EXPECT_EQ(error(), "Invalid disk access mode 'wo' of disk 0: rw or ro");
  op_.disks = one(0, {{"size", 40960}});
  EXPECT_EQ(error(),
            "Not enough disk space on target node n1 vg vms: required 40960 MiB, available 20480 "
            "MiB");
  instance_.disks.clear();
  cluster_.put(instance_);
  EXPECT_EQ(error(), "Instance 'web1' has no disks");
}

TEST_F(RecreateDisks, on_the_node_that_it_has) {
  op_.nodes = {"n1"};
  EXPECT_EQ(error(), "");
  op_.disks = {0};
  EXPECT_EQ(error(), "Can't recreate disks partially and change the nodes at the same time");
  op_.disks.clear();
  op_.nodes = {"n2"};
  EXPECT_EQ(error(),
            "Making the disks of web1 on another node (n2) is not built yet; leave out -n");
  op_.nodes = {"n1", "n2"};
  EXPECT_EQ(error(), "Instance web1 currently has 1 nodes, but 2 replacement nodes were specified");
  op_.nodes.clear();
  op_.iallocator = "hail";
  EXPECT_EQ(error(), "Letting an allocator choose a node is not built yet");
}

}  // namespace
}  // namespace flotte::units
