// The simulation itself: the same seed is the same run, and what the invariants watch can break.
#include <gtest/gtest.h>

#include "world.h"

namespace flotte::simulation {
namespace {

std::uint64_t fingerprint(Options const& options) {
  World world(options);
  auto const script = make_script(options);
  world.run([&](World& it) { it.play(script); });
  EXPECT_FALSE(world.broken()) << world.broken()->what;
  EXPECT_GT(world.jobs_submitted(), 0U);
  return world.fingerprint();
}

TEST(Simulation, a_seed_is_a_run) {
  for (std::int64_t const controllers : {1, 2}) {
    Options const options{
        .seed = 7, .hours = 0.1, .nodes = controllers, .controllers = controllers};
    auto const first = fingerprint(options);
    EXPECT_EQ(fingerprint(options), first);
    auto other = options;
    other.seed = 8;
    EXPECT_NE(fingerprint(other), first);
  }
}

TEST(Simulation, what_is_left_out_does_not_change_the_rest) {
  Options options{.seed = 3, .hours = 0.1};
  auto const whole = make_script(options);
  ASSERT_GT(whole.size(), 4U);
  options.only = {1, 3};
  auto const part = make_script(options);
  ASSERT_EQ(part.size(), 2U);
  EXPECT_EQ(part[1].index, 3U);
  EXPECT_EQ(part[1].at, whole[3].at);
  EXPECT_EQ(part[1].seed, whole[3].seed);
}

// Two guests that write to one disk are seen at once.
TEST(Simulation, a_second_writer_is_named) {
  World world({.seed = 1, .machines = 1, .has_faults = false});
  world.run([](World& it) {
    NodeId const node("node-1");
    it.nodes().fake().change(node, [](rpc::FakeNodeState& state) {
      auto second = state.guests.at("vm-0");
      second.spec.name = "vm-0-again";
      state.guests.emplace("vm-0-again", second);
    });
    it.invariants().on_node_changed(node);
  });
  ASSERT_TRUE(world.broken());
  EXPECT_EQ(world.broken()->invariant, "one writer per disk");
}

// A deposed leader's late commit is refused, and the jobs go on under the other one.
TEST(Simulation, a_leader_that_hangs_for_longer_than_its_lease_is_deposed) {
  World world({.seed = 1, .nodes = 2, .controllers = 2, .machines = 2, .has_faults = false});
  std::optional<jobs::Status> ended;
  world.run([&](World& it) {
    auto const job = it.submit(json::array{
        json::object{{"OP_ID", "OP_TEST_DELAY"}, {"duration", 30.0}, {"on_master", true}}});
    ASSERT_TRUE(job);
    it.sleep(std::chrono::seconds(1));
    auto const first = it.epoch();
    it.hang_leader(std::chrono::seconds(60));
    ended = it.wait_for(*job, std::chrono::minutes(10));
    EXPECT_GT(it.epoch(), first);
    // The first one wakes up and finds that it leads no more.
    it.sleep(std::chrono::minutes(2));
  });
  EXPECT_FALSE(world.broken()) << world.broken()->what;
  EXPECT_EQ(ended, jobs::Status::Success);
}

}  // namespace
}  // namespace flotte::simulation
