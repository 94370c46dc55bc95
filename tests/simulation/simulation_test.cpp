// The simulation itself: the same seed is the same run, and what the invariants watch can break.
#include <gtest/gtest.h>

#include <algorithm>

#include "seeded_faults.h"
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

// Nothing is slow, or in the way of others, because there are many.
TEST(Simulation, thousands_of_machines_are_as_well_kept_as_a_few) {
  Options const options{.seed = 5, .hours = 0.05, .idle_machines = 5000, .pace = 2};
  World world(options);
  auto const script = make_script(options);
  world.run([&](World& it) { it.play(script); });
  EXPECT_FALSE(world.broken()) << world.broken()->invariant << ": " << world.broken()->what;
  EXPECT_GT(world.jobs_submitted(), 10U);
  EXPECT_GE(world.invariants().cluster().instances().size(), 4900U);
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

// Each is canceled while a worker takes it. What was told to be canceled stays so.
std::optional<Broken> cancel_what_is_being_taken(std::uint64_t seed) {
  World world({.seed = seed, .machines = 0, .has_faults = false});
  world.run([](World& it) {
    std::vector<JobId> canceled;
    for (int i = 0; i < 40; ++i) {
      it.ask_leader([&](controller::Core& core) {
        auto const job =
            core.queue()
                .submit({json::array{json::object{{"OP_ID", "OP_TEST_DELAY"}, {"duration", 0.01}}}})
                .front();
        ASSERT_TRUE(job);
        if (core.queue().cancel(*job).text == fmt::format("Job {} canceled", number(*job))) {
          canceled.push_back(*job);
        }
      });
    }
    EXPECT_FALSE(canceled.empty());
    for (auto const job : canceled) {
      if (it.wait_for(job, std::chrono::minutes(1)) == jobs::Status::Canceled) continue;
      it.invariants().fail("what was canceled does not run", fmt::format("job {}", number(job)));
    }
  });
  return world.broken();
}

TEST(Simulation, a_job_that_is_canceled_while_a_worker_takes_it_does_not_run) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    auto const broken = cancel_what_is_being_taken(seed);
    EXPECT_FALSE(broken) << broken->invariant << ": " << broken->what;
  }
  seeded_fault = SeededFault::JobTakenUnmarked;
  std::optional<Broken> found;
  for (std::uint64_t seed = 1; !found && seed <= 5; ++seed)
    found = cancel_what_is_being_taken(seed);
  seeded_fault = SeededFault::None;
  EXPECT_TRUE(found);
}

TEST(Simulation, a_cluster_is_not_destroyed_under_a_job_that_makes_an_instance) {
  World world({.seed = 1, .machines = 0, .has_faults = false});
  std::optional<jobs::Status> ended;
  world.run([&](World& it) {
    auto const job =
        it.submit(json::array{json::object{{"OP_ID", "OP_INSTANCE_CREATE"},
                                           {"instance_name", "vm-0"},
                                           {"mode", "create"},
                                           {"disk_template", "plain"},
                                           {"disks", json::array{json::object{{"size", 1024}}}},
                                           {"nics", json::array{}},
                                           {"ignore_ipolicy", true},
                                           {"os_type", "noop"},
                                           {"pnode", "node1"}}});
    ASSERT_TRUE(job);
    it.ask_leader([](controller::Core& core) {
      auto const destroyed = core.destroy();
      ASSERT_FALSE(destroyed);
      EXPECT_EQ(destroyed.error().message, "There are still 1 instance(s) in this cluster");
    });
    ended = it.wait_for(*job, std::chrono::minutes(10));
  });
  EXPECT_FALSE(world.broken()) << world.broken()->what;
  EXPECT_EQ(ended, jobs::Status::Success);
}

// The last one first: the watcher goes through them by name.
std::vector<std::string> guests_backwards(World& world, NodeId const& node) {
  std::vector<std::string> names;
  world.nodes().fake().change(node, [&](rpc::FakeNodeState& state) {
    for (auto const& [name, guest] : state.guests) names.push_back(name);
  });
  std::ranges::reverse(names);
  return names;
}

// Thirty guests die. While the watcher goes through them, those that it comes to last are shut
// down: what it saw is no longer wished when its jobs have their locks.
std::optional<Broken> shut_down_under_the_watcher(std::uint64_t seed) {
  World world({.seed = seed, .machines = 60, .has_faults = false});
  world.run([](World& it) {
    NodeId const node("node-1");
    auto const names = guests_backwards(it, node);
    for (auto const& name : names) it.nodes().kill_guest(node, name);
    while (it.store().content("/watcher/tries/").empty()) it.sleep(std::chrono::milliseconds(1));
    for (auto const& name : names) {
      it.submit(json::array{json::object{{"OP_ID", "OP_INSTANCE_SHUTDOWN"},
                                         {"instance_name", json::string(name)},
                                         {"timeout", 0}}});
    }
  });
  return world.broken();
}

// Thirty guests switch themselves off, and are started again while the watcher takes note of it.
// How many of them are down in the end.
std::size_t started_under_the_watcher(std::uint64_t seed) {
  std::size_t down = 0;
  World world({.seed = seed, .machines = 60, .has_faults = false});
  world.run([&](World& it) {
    NodeId const node("node-1");
    auto const names = guests_backwards(it, node);
    for (auto const& name : names) it.nodes().guest_powers_off(node, name);
    auto const before = it.store().content("/jobs/").size();
    while (it.store().content("/jobs/").size() == before) it.sleep(std::chrono::milliseconds(1));
    std::vector<JobId> jobs;
    for (auto const& name : names) {
      auto const job = it.submit(json::array{
          json::object{{"OP_ID", "OP_INSTANCE_STARTUP"}, {"instance_name", json::string(name)}}});
      ASSERT_TRUE(job);
      jobs.push_back(*job);
    }
    for (auto const job : jobs) {
      EXPECT_EQ(it.wait_for(job, std::chrono::minutes(10)), jobs::Status::Success);
    }
    it.sleep(std::chrono::minutes(2));
    it.nodes().fake().change(node, [&](rpc::FakeNodeState& state) {
      down = static_cast<std::size_t>(std::ranges::count_if(names, [&](std::string const& name) {
        return !state.guests.contains(name) ||
               state.guests.at(name).state == rpc::RunState::UserDown;
      }));
    });
  });
  EXPECT_FALSE(world.broken()) << world.broken()->what;
  return down;
}

TEST(Simulation, the_watcher_starts_nothing_that_was_shut_down_meanwhile) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    auto const broken = shut_down_under_the_watcher(seed);
    EXPECT_FALSE(broken) << broken->invariant << ": " << broken->what;
  }
  seeded_fault = SeededFault::WishNotLookedAtAgain;
  auto const found = shut_down_under_the_watcher(1);
  seeded_fault = SeededFault::None;
  ASSERT_TRUE(found);
  EXPECT_EQ(found->invariant, "what should be down is down");
}

TEST(Simulation, the_watcher_stops_nothing_that_was_started_meanwhile) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) EXPECT_EQ(started_under_the_watcher(seed), 0U);
  seeded_fault = SeededFault::WishNotLookedAtAgain;
  auto const down = started_under_the_watcher(1);
  seeded_fault = SeededFault::None;
  EXPECT_GT(down, 0U);
}

// Who changes the settings may be moving it: between its drop and the commit the old one would come
// back, and nobody would ever drop it again.
TEST(Simulation, the_watcher_leaves_the_address_alone_while_it_is_moved) {
  World world({.seed = 1, .machines = 0, .has_faults = false});
  world.run([](World& it) {
    NodeId const node("node-1");
    auto const addresses = [&] { return it.nodes().fake().state(node).addresses; };
    while (addresses().empty()) it.sleep(std::chrono::seconds(1));
    it.nodes().fake().change(node, [](rpc::FakeNodeState& state) {
      state.hooks["cluster-rename-pre.d/10-slow"] = {.takes_s = 200};
    });
    auto const job =
        it.submit(json::array{json::object{{"OP_ID", "OP_CLUSTER_RENAME"}, {"name", "sim-1"}}});
    ASSERT_TRUE(job);
    it.sleep(std::chrono::seconds(10));
    it.nodes().fake().change(node, [](rpc::FakeNodeState& state) { state.addresses.clear(); });
    it.sleep(std::chrono::seconds(150));
    EXPECT_TRUE(addresses().empty());
    EXPECT_EQ(it.wait_for(*job, std::chrono::minutes(10)), jobs::Status::Success);
    EXPECT_EQ(addresses(), std::set<std::string>{"192.0.2.252"});
  });
  EXPECT_FALSE(world.broken()) << world.broken()->what;
}

}  // namespace
}  // namespace flotte::simulation
