#include "placement/placement.h"

#include <gtest/gtest.h>

namespace flotte::placement {
namespace {

class Placement : public ::testing::Test {
 protected:
  Candidate candidate(std::string const& name, std::int64_t memory,
                      std::string const& policy = "preferred") {
    auto const group = GroupId("group of " + name);
    cluster_.put(model::Group{.uuid = group, .name = group.text(), .alloc_policy = policy});
    cluster_.put(model::Node{.uuid = NodeId(name), .name = name, .group = group});
    return {.node = cluster_.node(NodeId(name)).value(), .memory_free = {memory}};
  }
  static Candidate hindered(Candidate one, std::string why) {
    one.hindrance = Error{ErrorCode::WrongState, std::move(why)};
    return one;
  }
  std::string chosen(std::vector<Candidate> candidates) {
    auto const node = choose(cluster_, std::move(candidates));
    return node ? (*node)->name : node.error().message;
  }
  model::Cluster cluster_;
};

TEST_F(Placement, the_most_memory_then_the_first_name) {
  EXPECT_EQ(chosen({candidate("a", 100), candidate("b", 300), candidate("c", 200)}), "b");
  EXPECT_EQ(chosen({candidate("b", 100), candidate("a", 100)}), "a");
}

TEST_F(Placement, preferred_groups_before_a_last_resort) {
  EXPECT_EQ(chosen({candidate("a", 100), candidate("b", 300, "last_resort")}), "a");
  EXPECT_EQ(chosen({candidate("b", 300, "last_resort")}), "b");
}

TEST_F(Placement, one_that_can_not_have_it_stands_behind_all_that_can) {
  EXPECT_EQ(chosen({hindered(candidate("a", 900), "no space"), candidate("b", 1, "last_resort")}),
            "b");
}

TEST_F(Placement, never_an_unallocable_one) {
  auto const none = chosen({candidate("a", 100, "unallocable")});
  EXPECT_TRUE(none.starts_with("No node can take instances: ")) << none;
  EXPECT_EQ(chosen({}), none);
}

TEST_F(Placement, says_what_speaks_against_each) {
  auto const only = hindered(candidate("a", 100), "no space");
  EXPECT_EQ(chosen({only}), "no space");
  EXPECT_EQ(chosen({only, hindered(candidate("b", 200), "no memory")}),
            "No node can take it: b: no memory; a: no space");
}

}  // namespace
}  // namespace flotte::placement
