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

TEST_F(Placement, what_is_wrong_everywhere_is_told_once) {
  auto const wrong = [&](std::string const& name, ErrorCode code, std::string why) {
    auto one = candidate(name, 1);
    one.hindrance = Error{code, std::move(why)};
    return one;
  };
  auto const a = wrong("a", ErrorCode::WrongInput, "no such OS");
  auto const same = choose(cluster_, {a, wrong("b", ErrorCode::WrongInput, "no such OS")});
  EXPECT_EQ(same.error().message, "no such OS");
  EXPECT_EQ(same.error().code, ErrorCode::WrongInput);
  auto const other = choose(cluster_, {a, wrong("b", ErrorCode::WrongState, "too small")});
  EXPECT_EQ(other.error().message, "No node can take it: a: no such OS; b: too small");
  EXPECT_EQ(other.error().code, ErrorCode::InsufficientResources);
}

TEST_F(Placement, a_node_that_could_not_be_asked_is_waited_for) {
  auto away = candidate("b", 0);
  away.hindrance = Error{ErrorCode::EnvironmentError, "away", ErrorClass::Unreachable};
  EXPECT_EQ(chosen({candidate("a", 1), away}), "a");
  auto const none = choose(cluster_, {hindered(candidate("a", 1), "no space"), away});
  EXPECT_EQ(none.error().error_class, ErrorClass::Unreachable);
  EXPECT_EQ(none.error().message, "No node can take it: a: no space; b: away");
}

}  // namespace
}  // namespace flotte::placement
