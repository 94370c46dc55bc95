// Every opcode is run once to count the places where a process can die, then once for each of them:
// the controller, the node daemon or both die there, are started again, and the invariants must
// hold. Opcodes that change disks or guests also die a second time while they recover.
//
// The places need no list: the seams know them. With FLOTTE_EVERY_MOMENT=1 all pairs are tried,
// otherwise a stride of them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/log.h"
#include "generators.h"
#include "world.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t argument_seeds = 40;
constexpr std::size_t pairs_in_a_stride = 150;
constexpr Victim victims[] = {Victim::Controller, Victim::Daemon, Victim::Both};

struct Outcome {
  std::optional<jobs::Status> status;
  std::size_t hooks_before = 0;  // of the job, that ran
  std::size_t hooks_after = 0;
  std::vector<std::string> points;  // until the job had ended
  std::uint64_t points_in_all = 0;
  std::optional<Broken> broken;
};

// "OP_INSTANCE_CREATE", or one way of it: "OP_INSTANCE_CREATE/adopt".
Generator const& generator_of(std::string const& what) {
  return generators().find(what.substr(0, what.find('/')))->second;
}

// Empty: whatever the generator draws.
std::string way_of(std::string const& what) {
  auto const slash = what.find('/');
  return slash == std::string::npos ? "" : what.substr(slash + 1);
}

Generator::Make const& arguments_of(std::string const& what) {
  auto const way = way_of(what);
  return way.empty() ? generator_of(what).make : generator_of(what).ways.at(way);
}

void count_hooks(World& world, JobId job, Outcome& outcome) {
  for (auto const& [id, node] : world.invariants().cluster().nodes()) {
    for (auto const& one : world.nodes().fake().state(id).hook_runs) {
      if (one.job != number(job)) continue;
      auto const& phase = one.environment.at("GANETI_HOOKS_PHASE");
      ++(phase == "pre" ? outcome.hooks_before : outcome.hooks_after);
    }
  }
}

// Those that ran when nobody died run also when somebody does, perhaps more than once.
void expect_hooks(Outcome const& undisturbed, Outcome const& outcome) {
  if (outcome.status != jobs::Status::Success) return;
  EXPECT_GE(outcome.hooks_before, undisturbed.hooks_before);
  EXPECT_GE(outcome.hooks_after, undisturbed.hooks_after);
}

void prepare(World& world, std::string const& what, Random& random) {
  auto const& before = generator_of(what).before;
  auto const known = before.find(way_of(what));
  if (known == before.end()) return;
  auto const op = known->second(world.invariants().cluster(), random);
  auto const job = op ? world.submit(json::array{*op}) : std::nullopt;
  if (job) world.wait_for(*job, 1h);
}

// The same world each time: some machines that run and some that don't, with disks and without.
Outcome run(std::string const& what, std::uint64_t argument_seed,
            std::vector<CrashAt> const& crashes) {
  World world({.seed = 1, .machines = 4, .has_faults = false});
  Outcome outcome;
  world.run([&](World& it) {
    SeededRandom random(argument_seed);
    prepare(it, what, random);
    auto const op = arguments_of(what)(it.invariants().cluster(), random);
    if (!op) return;
    if (generator_of(what).needs_lost_disk) it.lose_disks(*op);
    it.crash_at(crashes);
    auto const job = it.submit(json::array{*op});
    if (job) outcome.status = it.wait_for(*job, 1h);
    if (job) count_hooks(it, *job, outcome);
    outcome.points = it.points();
  });
  outcome.points_in_all = world.points_seen();
  outcome.broken = world.broken();
  return outcome;
}

// What the watcher and others log belongs to no test.
class Silence : public testing::Environment {
  void SetUp() override { log::open("/dev/null", log::Level::Error); }
};
auto* const silence = testing::AddGlobalTestEnvironment(new Silence);

class CrashPoints : public testing::TestWithParam<std::string> {
 protected:
  // Arguments with which the opcode succeeds, and has the most to do.
  void choose_arguments() {
    for (std::uint64_t seed = 1; seed <= argument_seeds; ++seed) {
      auto outcome = run(GetParam(), seed, {});
      if (outcome.status != jobs::Status::Success ||
          outcome.points.size() <= undisturbed_.points.size()) {
        continue;
      }
      seed_ = seed;
      undisturbed_ = std::move(outcome);
    }
  }

  std::uint64_t seed_ = 0;
  Outcome undisturbed_;
};

TEST(Generators, every_opcode_has_one) {
  for (auto const& opcode : opcodes::all()) {
    EXPECT_TRUE(generators().contains(opcode.op_id))
        << opcode.op_id << " has no generator of its arguments in tests/simulation/generators.cpp";
  }
}

TEST_P(CrashPoints, hold_the_invariants) {
  choose_arguments();
  ASSERT_GT(seed_, 0u) << "no arguments of the generator let it succeed";
  ASSERT_FALSE(undisturbed_.broken) << undisturbed_.broken->what;
  auto const changes_nodes = generator_of(GetParam()).changes_nodes;
  auto const tries_all = std::getenv("FLOTTE_EVERY_MOMENT") != nullptr;

  std::size_t singles = 0;
  std::vector<std::vector<CrashAt>> pairs;
  for (std::uint64_t point = 0; point < undisturbed_.points.size(); ++point) {
    for (auto const victim : victims) {
      auto const outcome = run(GetParam(), seed_, {{point, victim}});
      ++singles;
      ASSERT_FALSE(outcome.broken)
          << "point " << point << " (" << undisturbed_.points[point] << "), victim "
          << static_cast<int>(victim) << ", arguments " << seed_ << ": "
          << outcome.broken->invariant << ": " << outcome.broken->what;
      expect_hooks(undisturbed_, outcome);
      if (!changes_nodes || victim == Victim::Both) continue;
      for (auto second = point + 1; second < outcome.points_in_all; ++second) {
        pairs.push_back({{point, victim}, {second, Victim::Controller}});
        pairs.push_back({{point, victim}, {second, Victim::Daemon}});
      }
    }
  }
  auto const stride = tries_all ? 1 : std::max<std::size_t>(1, pairs.size() / pairs_in_a_stride);
  std::size_t tried = 0;
  for (std::size_t i = 0; i < pairs.size(); i += stride) {
    auto const outcome = run(GetParam(), seed_, pairs[i]);
    ++tried;
    ASSERT_FALSE(outcome.broken) << "points " << pairs[i][0].point << " and " << pairs[i][1].point
                                 << ", arguments " << seed_ << ": " << outcome.broken->invariant
                                 << ": " << outcome.broken->what;
    expect_hooks(undisturbed_, outcome);
  }
  fmt::print("{:<30} {:>3} points, all by {} deaths; {:>5} pairs, {} tried\n", GetParam(),
             undisturbed_.points.size(), singles, pairs.size(), tried);
}

std::vector<std::string> all_opcodes() {
  std::vector<std::string> names;
  for (auto const& opcode : opcodes::all()) {
    names.emplace_back(opcode.op_id);
    auto const known = generators().find(opcode.op_id);
    if (known == generators().end()) continue;
    for (auto const& [way, make] : known->second.ways) {
      names.push_back(fmt::format("{}/{}", opcode.op_id, way));
    }
  }
  return names;
}

std::string test_name(std::string what) {
  std::ranges::replace(what, '/', '_');
  return what;
}

INSTANTIATE_TEST_SUITE_P(Opcodes, CrashPoints, testing::ValuesIn(all_opcodes()),
                         [](auto const& one) { return test_name(one.param); });

}  // namespace
}  // namespace flotte::simulation
