#include "units/instance_rename.h"

#include <gtest/gtest.h>

#include "units/instance_names.h"

namespace flotte::units {
namespace {

// web1 on n1, with a file and a volume.
class Rename : public ::testing::Test {
 protected:
  Rename() {
    model::Settings settings;
    settings.master_node = NodeId("node-1");
    cluster_.put(settings);
    cluster_.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
    instance_.uuid = InstanceId("i");
    instance_.name = "web1.example.com";
    instance_.primary_node = NodeId("node-1");
    instance_.os = "noop";
    instance_.epoch = 4;
    instance_.disk_template = model::DiskTemplate::File;
    add_disk(model::DiskTemplate::File, {"loop", "/srv/files/web1.example.com/a.file.disk0"});
    add_disk(model::DiskTemplate::Plain, {"vms", "web1.example.com"});
    put();
    cluster_.put(model::Instance{.uuid = InstanceId("j"), .name = "db1.example.com"});
    op_.instance_name = "web1";
    op_.new_name = "www.example.com";
    facts_.disks.devices = {rpc::DevicePath{}, rpc::DevicePath{}};
  }

  void add_disk(model::DiskTemplate kind, std::vector<std::string> logical_id) {
    model::Disk disk;
    disk.dev_type = kind;
    disk.logical_id = std::move(logical_id);
    instance_.disks.push_back(disk);
  }
  void put() { cluster_.put(instance_); }
  Result<InstanceRename::Plan> plan() const { return InstanceRename::plan(op_, cluster_, facts_); }
  std::string error() const {
    auto const made = plan();
    return made ? "" : made.error().message;
  }

  model::Cluster cluster_;
  model::Instance instance_;
  opcodes::InstanceRename op_;
  InstanceRename::Facts facts_;
};

TEST_F(Rename, files_move_with_the_name_and_volumes_stay) {
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->before.name, "web1.example.com");
  EXPECT_EQ(made->after.name, "www.example.com");
  EXPECT_EQ(made->after.epoch, 4);
  EXPECT_EQ(made->after.disks[0].disk.logical_id[1], "/srv/files/www.example.com/a.file.disk0");
  EXPECT_EQ(made->after.disks[1].disk.logical_id, instance_.disks[1].logical_id);
  EXPECT_TRUE(made->runs_script);
}

TEST_F(Rename, a_file_elsewhere_stays_where_it_is) {
  instance_.disks[0].logical_id[1] = "/srv/files/shared/a.file.disk0";
  put();
  EXPECT_EQ(plan()->after.disks[0].disk.logical_id[1], "/srv/files/shared/a.file.disk0");
}

TEST_F(Rename, only_one_that_is_stopped) {
  instance_.admin_state = model::AdminState::Up;
  put();
  EXPECT_EQ(error(),
            "Instance 'web1.example.com' is marked to be up, cannot rename; stop it first with "
            "'gnt-instance shutdown web1.example.com'");
  instance_.admin_state = model::AdminState::Down;
  put();
  facts_.running = rpc::RunningInstance{.name = "web1.example.com"};
  EXPECT_EQ(error(),
            "Instance web1.example.com is running, cannot rename; stop it first with "
            "'gnt-instance shutdown web1.example.com'");
  facts_.running->state = rpc::RunState::UserDown;
  EXPECT_TRUE(plan()->was_switched_off);
  instance_.admin_state = model::AdminState::Offline;
  put();
  EXPECT_EQ(error(), "");
}

TEST_F(Rename, a_name_must_be_free_and_fit) {
  op_.new_name = "db1.example.com";
  EXPECT_EQ(error(), "Instance 'db1.example.com' is already in the cluster");
  // A short name is another one.
  op_.new_name = "db1";
  EXPECT_EQ(error(), "");
  op_.new_name = "../db1";
  EXPECT_EQ(error(),
            "Invalid hostname '../db1'; it may have letters, digits, '-', '_' and '.', at most 240 "
            "of them, and begins with none of '-' and '.'");
}

TEST_F(Rename, a_name_that_is_looked_up_becomes_what_it_is_in_full) {
  op_.new_name = "www";
  facts_.resolved = rpc::ResolvedName{.name = "www.example.com", .ip = "192.0.2.7"};
  EXPECT_EQ(plan()->after.name, "www.example.com");
  facts_.resolved->answers = true;
  EXPECT_EQ(error(), "IP 192.0.2.7 of instance www.example.com already in use");
  facts_.resolved->name = "other.example.com";
  EXPECT_EQ(error(),
            "Resolved hostname 'other.example.com' does not look the same as given hostname 'www'");
  facts_.resolved = rpc::ResolvedName{.name = "db1.example.com"};
  op_.new_name = "db1";
  EXPECT_EQ(error(), "Instance 'db1.example.com' is already in the cluster");
}

TEST_F(Rename, a_missing_disk_is_named) {
  facts_.disks.devices[1].reset();
  EXPECT_EQ(error(),
            "Disk 1 of web1.example.com is missing; make it anew first with 'gnt-instance "
            "recreate-disks --disk=1 web1.example.com'");
}

TEST_F(Rename, one_without_an_os_runs_no_script) {
  instance_.os.clear();
  put();
  EXPECT_FALSE(plan()->runs_script);
}

TEST_F(Rename, locks_both_names) {
  auto const locks = InstanceRename::locks(op_, cluster_);
  ASSERT_TRUE(locks);
  EXPECT_EQ(jobs::lock_name(locks->front()), "instance/web1.example.com");
  EXPECT_EQ(jobs::lock_name(locks->back()), "instance/www.example.com");
}

TEST(InstanceNames, an_address_is_not_checked_without_a_name) {
  auto const checks = name_checks(false, true, "IP address check requires a name check");
  ASSERT_FALSE(checks);
  EXPECT_EQ(checks.error().message,
            "IP address check requires a name check; give --name-check, too");
  EXPECT_EQ(*name_checks(true, true, ""), NameChecks::NameAndAddress);
}

}  // namespace
}  // namespace flotte::units
