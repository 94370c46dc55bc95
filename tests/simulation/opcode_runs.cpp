#include "opcode_runs.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "opcodes/opcode.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

// What the watcher and others log belongs to no test.
class Silence : public testing::Environment {
  void SetUp() override { log::open("/dev/null", log::Level::Error); }
};
auto* const silence = testing::AddGlobalTestEnvironment(new Silence);

// Empty: whatever the generator draws.
std::string way_of(std::string const& what) {
  auto const slash = what.find('/');
  return slash == std::string::npos ? "" : what.substr(slash + 1);
}

Generator::Make const& arguments_of(std::string const& what) {
  auto const way = way_of(what);
  return way.empty() ? generator_of(what).make : generator_of(what).ways.at(way);
}

void prepare(World& world, std::string const& what, Random& random) {
  auto const& before = generator_of(what).before;
  auto const known = before.find(way_of(what));
  if (known == before.end()) return;
  auto const op = known->second(world.invariants().cluster(), random);
  auto const job = op ? world.submit(json::array{*op}) : std::nullopt;
  if (job) world.wait_for(*job, 1h);
}

}  // namespace

std::vector<std::string> opcodes_and_ways() {
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

Generator const& generator_of(std::string const& what) {
  return generators().find(what.substr(0, what.find('/')))->second;
}

std::optional<json::object> arguments(World& world, std::string const& what, std::uint64_t seed) {
  SeededRandom random(seed);
  prepare(world, what, random);
  auto op = arguments_of(what)(world.invariants().cluster(), random);
  if (op && generator_of(what).needs_lost_disk) world.lose_disks(*op);
  return op;
}

}  // namespace flotte::simulation
