#include "units/instance_remove.h"

#include <gmock/gmock.h>

#include "units/noting_job.h"

namespace flotte::units {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

class RemovingAnInstance : public ::testing::Test {
 protected:
  RemovingAnInstance() {
    plan_.instance = InstanceId("i");
    plan_.name = plan_.spec.name = "web1";
    plan_.node = NodeId("n");
    plan_.spec.disks = {{.index = 0}, {.index = 1}};
  }

  std::vector<std::string> done(std::string const& failing = "") {
    NotingJob job(failing);
    is_done_ = InstanceRemove::apply(plan_, job).has_value();
    return job.done;
  }

  InstanceRemove::Plan plan_;
  bool is_done_ = false;
};

TEST_F(RemovingAnInstance, what_can_not_be_brought_back_comes_after_the_point_of_no_return) {
  EXPECT_THAT(done(), ElementsAre("Recording that it should be down", "Stopping web1",
                                  "Deactivating disk 0 of web1", "Deactivating disk 1 of web1",
                                  "keep", "Removing disk 0 of web1", "Removing disk 1 of web1",
                                  "Removing it from the configuration"));
}

TEST_F(RemovingAnInstance, a_part_that_stays_behind_holds_it_up_unless_told_otherwise) {
  auto const all_but_one = done("Removing disk 0 of web1");
  EXPECT_FALSE(is_done_);
  EXPECT_EQ(all_but_one.back(), "keep");
  plan_.ignore_failures = true;
  EXPECT_THAT(done("Removing disk 0 of web1"), Contains("Removing it from the configuration"));
  EXPECT_TRUE(is_done_);
  EXPECT_THAT(done("Stopping web1"), Contains("Removing disk 1 of web1"));
}

TEST_F(RemovingAnInstance, of_a_node_that_is_away_nothing_is_asked) {
  plan_.is_node_offline = true;
  EXPECT_THAT(done(), ElementsAre("Recording that it should be down", "keep",
                                  "Removing it from the configuration"));
}

}  // namespace
}  // namespace flotte::units
