#include "units/instance_grow_disk.h"

#include <gtest/gtest.h>

#include "model/params.h"
#include "units/noting_job.h"

namespace flotte::units {
namespace {

// web1 with a volume of 1 GiB, in a group with 512 MiB left.
class GrowingADisk : public ::testing::Test {
 protected:
  GrowingADisk() {
    model::Settings settings;
    settings.ipolicy = model::default_ipolicy();
    cluster_.put(settings);
    cluster_.put(model::Group{.uuid = GroupId("g"), .name = "default"});
    cluster_.put(model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g")});
    model::Instance instance{.uuid = InstanceId("i"), .name = "web1", .primary_node = NodeId("n")};
    instance.disk_template = model::DiskTemplate::Plain;
    instance.disks = {
        {.dev_type = model::DiskTemplate::Plain, .logical_id = {"vms", "root"}, .size = {1024}}};
    cluster_.put(std::move(instance));
    op_.instance_name = "web1";
    op_.ignore_ipolicy = true;
    facts_.node = rpc::NodeFacts{.volume_groups = {{"other", {1024}, {0}}, {"vms", {4096}, {512}}}};
  }

  Result<InstanceGrowDisk::Plan> plan(std::int64_t amount, bool absolute = false) {
    op_.amount = amount;
    op_.absolute = absolute;
    return InstanceGrowDisk::plan(op_, cluster_, facts_);
  }
  std::string error(std::int64_t amount, bool absolute = false) {
    auto const made = plan(amount, absolute);
    return made ? "" : made.error().message;
  }

  model::Cluster cluster_;
  opcodes::InstanceGrowDisk op_;
  InstanceGrowDisk::Facts facts_;
};

TEST_F(GrowingADisk, may_take_all_that_is_left_and_no_more) {
  ASSERT_EQ(error(512), "");
  EXPECT_EQ(plan(512)->size, MiB{1536});
  EXPECT_EQ(plan(1536, true)->amount, MiB{512});
  EXPECT_EQ(error(516),
            "Not enough disk space in volume group vms: required 516 MiB, available 512 MiB");
  EXPECT_NE(error(1540, true), "");
}

TEST_F(GrowingADisk, never_shrinks_it) {
  EXPECT_EQ(error(1024, true), "");
  EXPECT_EQ(error(1020, true), "Requested size (1020M) is smaller than current disk size (1.0G)");
  EXPECT_NE(error(-4), "");
  op_.disk = 1;
  EXPECT_EQ(error(4), "Invalid disk index: 1 (instace has disks 0 to 0");
  op_.disk = -1;
  EXPECT_NE(error(4), "");
}

// What was given back can't be taken again: where it is wiped first, it can be undone until then.
TEST_F(GrowingADisk, has_its_point_of_no_return_before_it_or_after_the_wiping) {
  NotingJob grows;
  ASSERT_TRUE(InstanceGrowDisk::apply(*plan(512), grows));
  EXPECT_EQ(grows.done, (std::vector<std::string>{"keep", "Growing disk 0", "Recording its size"}));
  auto wiped = *plan(512);
  wiped.wipes = true;
  NotingJob wipes;
  ASSERT_TRUE(InstanceGrowDisk::apply(wiped, wipes));
  EXPECT_EQ(wipes.done, (std::vector<std::string>{"Growing disk 0", "Wiping disk 0", "keep",
                                                  "Recording its size"}));
}

}  // namespace
}  // namespace flotte::units
