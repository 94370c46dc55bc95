#include "units/backup_export.h"

#include <gmock/gmock.h>

namespace flotte::units {
namespace {

using ::testing::HasSubstr;

// web1 on n1, with a volume.
class Export : public ::testing::Test {
 protected:
  Export() {
    model::Settings settings;
    settings.master_node = NodeId("node-1");
    cluster_.put(settings);
    cluster_.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
    cluster_.put(model::Node{.uuid = NodeId("node-2"), .name = "n2"});
    instance_.uuid = InstanceId("i");
    instance_.name = "web1.example.com";
    instance_.primary_node = NodeId("node-1");
    instance_.hypervisor = model::HypervisorKind::Fake;
    instance_.os = "noop";
    instance_.epoch = 4;
    instance_.disk_template = model::DiskTemplate::Plain;
    model::Disk disk{.uuid = DiskId("d"), .size = {1000}};
    disk.dev_type = model::DiskTemplate::Plain;
    disk.logical_id = {"vms", "web1"};
    instance_.disks = {disk};
    op_.instance_name = "web1";
    op_.target_node = "n1";
    facts_.node.volume_groups = {{"vms", {10000}, {5000}}};
  }
  void runs() {
    instance_.admin_state = model::AdminState::Up;
    instance_.disks_active = true;
    facts_.running.emplace();
  }
  void has_files() {
    instance_.disk_template = instance_.disks[0].dev_type = model::DiskTemplate::File;
  }
  Result<BackupExport::Plan> plan() {
    cluster_.put(instance_);
    return BackupExport::plan(op_, cluster_, facts_);
  }
  std::string error() {
    auto const made = plan();
    return made ? "" : made.error().message;
  }

  model::Cluster cluster_;
  model::Instance instance_;
  opcodes::BackupExport op_;
  BackupExport::Facts facts_;
};

TEST_F(Export, one_that_is_down_is_copied_as_it_is) {
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->activates);
  EXPECT_FALSE(made->leaves_active);
  EXPECT_FALSE(made->stops || made->restarts || made->was_wished);
  EXPECT_TRUE(made->snapshots.empty());
  EXPECT_THAT(made->config, HasSubstr("disk0_dump = d\n"));
}

TEST_F(Export, disks_that_are_active_stay_so) {
  instance_.disks_active = true;
  EXPECT_TRUE(plan().value().leaves_active);
}

TEST_F(Export, one_that_runs_is_stopped_for_its_snapshots_alone) {
  runs();
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->stops && made->restarts && made->was_wished);
  EXPECT_FALSE(made->activates);
  EXPECT_EQ(made->snapshots, std::vector({MiB{1016}}));
  EXPECT_TRUE(made->warnings.empty());
}

TEST_F(Export, a_snapshot_may_be_smaller_than_its_disk) {
  runs();
  facts_.node.volume_groups[0].free = {200};
  EXPECT_EQ(plan().value().warnings.size(), 1U);
  facts_.node.volume_groups[0].free = {100};
  EXPECT_THAT(error(), HasSubstr("Not enough room on node n1 vg vms"));
}

TEST_F(Export, of_files_there_is_no_snapshot) {
  runs();
  has_files();
  EXPECT_THAT(error(), HasSubstr("--long-sleep"));
  op_.long_sleep = true;
  EXPECT_TRUE(plan().value().snapshots.empty());
  op_.long_sleep = false;
  op_.shutdown = false;
  EXPECT_THAT(error(), HasSubstr("live export"));
}

// It should have run, and does again where it isn't removed in the end.
TEST_F(Export, one_that_goes_is_stopped_for_good) {
  runs();
  op_.remove_instance = true;
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->stops && made->removes && made->was_wished);
  EXPECT_FALSE(made->restarts);
  op_.shutdown = false;
  EXPECT_THAT(error(), HasSubstr("Can not remove instance without shutting it down"));
}

// Somebody started it behind our back, and it stays as it was wished.
TEST_F(Export, one_that_should_be_down_is_not_started) {
  runs();
  instance_.admin_state = model::AdminState::Down;
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(made->stops);
  EXPECT_FALSE(made->restarts || made->was_wished);
}

TEST_F(Export, what_would_not_start_again_is_not_stopped) {
  runs();
  facts_.unknown = "nobody knows";
  EXPECT_THAT(error(), HasSubstr("nobody knows"));
}

TEST_F(Export, who_has_no_disks_has_nothing_to_export) {
  instance_.disks.clear();
  EXPECT_THAT(error(), HasSubstr("nothing to export"));
}

}  // namespace
}  // namespace flotte::units
