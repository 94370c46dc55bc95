#include "units/instance_startup.h"

#include <gmock/gmock.h>

#include "model/params.h"
#include "units/noting_job.h"

namespace flotte::units {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// web1 with a disk, which has been started six times.
class StartingAnInstance : public ::testing::Test {
 protected:
  StartingAnInstance() {
    cluster_.put(model::Group{.uuid = GroupId("g"), .name = "default"});
    cluster_.put(model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g")});
    instance_ = {.uuid = InstanceId("i"), .name = "web1", .primary_node = NodeId("n")};
    instance_.hypervisor = model::HypervisorKind::Fake;
    instance_.disks = {{.uuid = DiskId("d"), .dev_type = model::DiskTemplate::File}};
    instance_.epoch = 6;
    cluster_.put(instance_);
    op_.instance_name = "web1";
    facts_.node = rpc::NodeFacts{.memory_free = {4096}};
  }

  InstanceStartup::Plan plan() const {
    return InstanceStartup::plan(op_, cluster_, facts_).value();
  }
  std::string error() const {
    auto const made = InstanceStartup::plan(op_, cluster_, facts_);
    return made ? "" : made.error().message;
  }
  static std::vector<std::string> done(InstanceStartup::Plan const& plan,
                                       std::string const& failing = "") {
    NotingJob job(failing);
    EXPECT_EQ(InstanceStartup::apply(plan, job).has_value(), failing.empty());
    return job.done;
  }

  model::Cluster cluster_;
  model::Instance instance_;
  opcodes::InstanceStartup op_;
  InstanceStartup::Facts facts_;
};

TEST_F(StartingAnInstance, each_start_has_an_epoch_of_its_own) {
  EXPECT_EQ(plan().spec.epoch, 7);
}

TEST_F(StartingAnInstance, the_wish_comes_before_the_deed_and_stays_when_that_fails) {
  EXPECT_THAT(done(plan()), ElementsAre("Recording that it should run", "Activating disk 0 of web1",
                                        "Starting web1"));
  EXPECT_THAT(done(plan(), "Activating disk 0 of web1"),
              ElementsAre("Recording that it should run"));
}

TEST_F(StartingAnInstance, of_one_that_runs_or_is_out_of_reach_the_wish_alone_is_recorded) {
  facts_.running = rpc::RunningInstance{.name = "web1"};
  EXPECT_THAT(done(plan()), ElementsAre("Recording that it should run"));
  facts_ = {};
  EXPECT_EQ(error(), "Primary node n1 is offline");
  op_.ignore_offline_nodes = true;
  EXPECT_THAT(done(plan()), ElementsAre("Recording that it should run"));
}

TEST_F(StartingAnInstance, the_watcher_starts_nothing_that_is_no_longer_wished) {
  op_.only_if_wished = true;
  EXPECT_THAT(done(plan()), IsEmpty());
  instance_.admin_state = model::AdminState::Up;
  cluster_.put(instance_);
  EXPECT_FALSE(plan().is_unwished);
  instance_.admin_state = model::AdminState::Offline;
  cluster_.put(instance_);
  op_.only_if_wished = false;
  EXPECT_NE(error(), "");
}

}  // namespace
}  // namespace flotte::units
