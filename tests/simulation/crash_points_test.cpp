// Every opcode is run once to count the places where a process can die, then once for each of them:
// the controller, the node daemon or both die there and are started again. Then the invariants
// hold, and the job, the cluster and its nodes end as they do when nobody dies. Opcodes that change
// disks or guests also die a second time while they recover.
//
// The places need no list: the seams know them. With FLOTTE_EVERY_MOMENT=1 all pairs are tried,
// otherwise a stride of them.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <regex>

#include "opcode_runs.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t pairs_in_a_stride = 150;
constexpr Victim victims[] = {Victim::Controller, Victim::Daemon, Victim::Both};

struct Outcome {
  std::optional<jobs::Status> status;
  std::size_t hooks_before = 0;  // of the job, that ran
  std::size_t hooks_after = 0;
  std::vector<std::string> points;  // until the job had ended
  std::uint64_t points_in_all = 0;
  std::optional<Broken> broken;
  // What people find afterwards; empty: the controller died before the job was stored.
  std::vector<std::string> end;
};

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

// What is drawn is called by its place, and times are left out: two runs are to be compared.
class Portrait {
 public:
  void add(std::string_view what, json::value value) {
    drop_times(value);
    lines_.push_back(fmt::format("{} {}", what, json::serialize(value)));
  }

  std::vector<std::string> lines() const {
    static std::regex const drawn(
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{2}(:[0-9a-f]{2}){5}");
    std::map<std::string, std::size_t> places;
    std::vector<std::string> named;
    for (auto const& line : lines_) {
      auto rest = line;
      std::string text;
      for (std::smatch match; std::regex_search(rest, match, drawn);) {
        auto const place = places.emplace(match.str(), places.size()).first->second;
        text += fmt::format("{}#{}", match.prefix().str(), place);
        rest = match.suffix().str();
      }
      named.push_back(text + rest);
    }
    return named;
  }

 private:
  static void drop_times(json::value& value) {
    if (auto* object = value.if_object()) {
      object->erase("ctime");
      object->erase("mtime");
      for (auto& [key, member] : *object) drop_times(member);
    } else if (auto* array = value.if_array()) {
      for (auto& member : *array) drop_times(member);
    }
  }

  std::vector<std::string> lines_;
};

constexpr std::string_view result_line = "result";

void add_node(Portrait& portrait, rpc::FakeNodeState const& state) {
  for (auto const& [name, guest] : state.guests) {
    portrait.add("guest",
                 json::array{json::string(name), static_cast<int>(guest.state), guest.spec.epoch});
  }
  std::vector<std::string> disks;
  for (auto const& [key, disk] : state.disks) {
    disks.push_back(fmt::format("{} {} MiB, epoch {}{}", disk.instance, disk.size.value, disk.epoch,
                                disk.is_assembled ? ", in use" : ""));
  }
  std::ranges::sort(disks);
  for (auto const& disk : disks) portrait.add("disk", json::string(disk));
}

std::vector<std::string> end_of(World& world, JobId job) {
  Portrait portrait;
  auto const stored = world.store().content(fmt::format("/jobs/{:012}", number(job)));
  if (stored.empty()) return {};
  auto const ended = jobs::decode_job(*schema::parse(stored.front().value));
  for (auto const& op : ended->ops) {
    portrait.add("status", json::value(jobs::to_string(op.status)));
    portrait.add(result_line, op.result);
  }
  auto const& cluster = world.invariants().cluster();
  portrait.add("settings", schema::encode(cluster.settings()));
  for (auto const& instance : cluster.instances_by_name()) {
    portrait.add("instance", schema::encode(*instance));
  }
  for (auto const& node : cluster.nodes_by_name()) {
    portrait.add("node", schema::encode(*node));
    add_node(portrait, world.nodes().fake().state(node->uuid));
  }
  std::map<std::string, json::object> others;
  for (auto const& [id, group] : cluster.groups()) others[group->name] = schema::encode(*group);
  for (auto const& [id, disk] : cluster.detached_disks()) {
    others[fmt::format("{} {}", disk->owner, disk->disk.size.value)] = schema::encode(*disk);
  }
  for (auto const& [name, object] : others) portrait.add(name, object);
  return portrait.lines();
}

// The lines that are not the same; none: it ended as it should. `may_find_more`: its result tells
// of a daemon that was away.
std::string differences(Outcome const& undisturbed, Outcome const& outcome, bool may_find_more) {
  std::string text;
  if (outcome.end.empty()) return text;
  for (std::size_t i = 0; i < std::max(undisturbed.end.size(), outcome.end.size()); ++i) {
    auto const wished = i < undisturbed.end.size() ? undisturbed.end[i] : "";
    auto const is = i < outcome.end.size() ? outcome.end[i] : "";
    if (may_find_more && is.starts_with(result_line)) continue;
    if (wished != is) text += fmt::format("\nit should be {}\n       and is {}", wished, is);
  }
  return text;
}

// The same world each time: some machines that run and some that don't, with disks and without.
Outcome run(std::string const& what, std::uint64_t argument_seed,
            std::vector<CrashAt> const& crashes) {
  World world({.seed = 1, .machines = 4, .has_faults = false});
  Outcome outcome;
  JobId next{};
  world.run([&](World& it) {
    auto const op = arguments(it, what, argument_seed);
    if (!op) return;
    next = JobId{number(*it.invariants().acknowledged().rbegin()) + 1};
    it.crash_at(crashes);
    auto const job = it.submit(json::array{*op});
    if (job) outcome.status = it.wait_for(*job, 1h);
    if (job) count_hooks(it, *job, outcome);
    outcome.points = it.points();
  });
  outcome.points_in_all = world.points_seen();
  outcome.broken = world.broken();
  outcome.end = end_of(world, next);
  return outcome;
}

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

TEST_P(CrashPoints, change_nothing_of_how_it_ends) {
  choose_arguments();
  ASSERT_GT(seed_, 0u) << "no arguments of the generator let it succeed";
  ASSERT_FALSE(undisturbed_.broken) << undisturbed_.broken->what;
  auto const changes_nodes = generator_of(GetParam()).changes_nodes;
  auto const tells_of_nodes = generator_of(GetParam()).tells_of_nodes;
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
      auto const may_find_more = tells_of_nodes && victim != Victim::Controller;
      ASSERT_EQ(differences(undisturbed_, outcome, may_find_more), "")
          << "point " << point << " (" << undisturbed_.points[point] << "), victim "
          << static_cast<int>(victim) << ", arguments " << seed_;
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
    ASSERT_EQ(differences(undisturbed_, outcome, tells_of_nodes), "")
        << "points " << pairs[i][0].point << " and " << pairs[i][1].point << ", arguments "
        << seed_;
    expect_hooks(undisturbed_, outcome);
  }
  fmt::print("{:<30} {:>3} points, all by {} deaths; {:>5} pairs, {} tried\n", GetParam(),
             undisturbed_.points.size(), singles, pairs.size(), tried);
}

INSTANTIATE_TEST_SUITE_P(Opcodes, CrashPoints, testing::ValuesIn(opcodes_and_ways()),
                         [](auto const& one) { return test_name(one.param); });

}  // namespace
}  // namespace flotte::simulation
