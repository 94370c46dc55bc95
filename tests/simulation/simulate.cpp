// simulate: runs seeds of the simulated cluster, and makes a failing one small. See
// docs/reliability.md.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <random>
#include <sstream>

#include "base/log.h"
#include "seeded_faults.h"
#include "world.h"

namespace flotte::simulation {
namespace {

struct Wish {
  Options options;
  std::uint64_t seeds = 1;
  double seconds = 0;  // of the machine's time; 0: as many seeds as wished
  bool shrinks = true;
  bool proves = false;
  std::string replays;  // a file of runs, each as its options
};

// One fault of the test build, the world that shows it, and what it is.
struct Proof {
  SeededFault fault;
  std::string_view says;
  Options options;
};

std::vector<Proof> proofs() {
  Options const one{.hours = 0.3};
  Options const deadly{.hours = 0.03,
                       .pace = 10,
                       .kills = 20,
                       .opcodes = {"OP_INSTANCE_CREATE", "OP_INSTANCE_REMOVE"}};
  Options const two{.hours = 0.3, .nodes = 2, .controllers = 2, .pace = 4};
  Options const crowded{.hours = 0.3, .machines = 4};
  return {{SeededFault::UndoNotJournaled, "an undo that is not journaled", deadly},
          {SeededFault::EpochNotChecked, "a leader epoch that is not checked", two},
          {SeededFault::LockReleasedEarly, "a lock that is released early", crowded},
          {SeededFault::CommitNotCompared, "a commit that is not compared", one},
          {SeededFault::ReplyTakenForFailure, "a lost answer that is taken for a failure", one},
          {SeededFault::WishAfterDeed, "a wish that is recorded after the deed", one}};
}

struct Outcome {
  std::optional<Broken> broken;
  std::vector<std::string> trace;
  std::uint64_t events = 0;
  std::uint64_t jobs = 0;
  std::uint64_t checks = 0;
  std::uint64_t fingerprint = 0;
  double simulated_s = 0;
};

Outcome play(Options const& options) {
  World world(options);
  auto const script = make_script(options);
  world.run([&](World& it) { it.play(script); });
  return {world.broken(),
          world.trace(),
          world.scheduler().switches(),
          world.jobs_submitted(),
          world.invariants().checks(),
          world.fingerprint(),
          std::chrono::duration<double>(world.scheduler().now().time_since_epoch()).count() - 3600};
}

// Leaves out ever smaller parts of the script as long as the same invariant breaks.
std::vector<Entry> shrink(Options options, std::string const& invariant) {
  options.is_traced = false;
  auto script = make_script(options);
  auto const fails = [&](std::vector<Entry> const& part) {
    options.only.clear();
    for (auto const& entry : part) options.only.insert(entry.index);
    auto const outcome = play(options);
    return outcome.broken && outcome.broken->invariant == invariant;
  };
  for (std::size_t size = script.size() / 2; size > 0;) {
    bool has_shrunk = false;
    for (std::size_t begin = 0; begin < script.size();) {
      auto part = script;
      auto const end = std::min(begin + size, part.size());
      part.erase(part.begin() + static_cast<std::ptrdiff_t>(begin),
                 part.begin() + static_cast<std::ptrdiff_t>(end));
      if (!part.empty() && fails(part)) {
        script = std::move(part);
        has_shrunk = true;
      } else {
        begin = end;
      }
    }
    if (!has_shrunk || size > script.size()) size = std::min(size / 2, script.size() / 2);
  }
  return script;
}

// Each fault must be found by the first seeds, which take less than a minute of a usual processor,
// and nothing without one. Simulated threads run one at a time, so that is a minute of a machine
// that has nothing else to do; a seed is the same run on any, and under a sanitizer.
int prove() {
  constexpr std::uint64_t seeds_max = 24;
  int missed = 0;
  for (auto const& proof : proofs()) {
    auto const begin = std::clock();
    auto const elapsed = [&] { return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC; };
    std::optional<Broken> broken;
    auto options = proof.options;
    seeded_fault = proof.fault;
    for (options.seed = 1; !broken && options.seed <= seeds_max; ++options.seed) {
      broken = play(options).broken;
    }
    --options.seed;
    seeded_fault = SeededFault::None;
    CHECK(!play(options).broken);  // it was the fault
    if (!broken) ++missed;
    fmt::print("{:<42} {} in {:4.1f} s{}\n", proof.says, broken ? "found" : "MISSED", elapsed(),
               broken
                   ? fmt::format(", seed {}: {}: {}", options.seed, broken->invariant, broken->what)
                   : "");
    std::fflush(stdout);
  }
  return missed == 0 ? 0 : 1;
}

void usage() {
  fmt::print(
      "usage: simulate [--seed N] [--hours H] [--nodes N] [--controllers N] [--machines N] [--pace "
      "N]\n"
      "                [--kills N] [--opcode OP_ID]... [--seeds N | --seconds S] [--trace]\n"
      "                [--no-faults] [--no-shrink]\n"
      "                [--only ENTRY,ENTRY,...]\n"
      "       simulate --prove\n"
      "       simulate --replay FILE\n");
}

Wish read(int argc, char** argv) {
  Wish wish;
  wish.options.seed = std::random_device()();
  for (int i = 1; i < argc; ++i) {
    std::string_view const flag = argv[i];
    auto const value = [&] {
      if (i + 1 >= argc) {
        fmt::print(stderr, "simulate: {} needs a value\n", flag);
        std::exit(2);
      }
      return std::string(argv[++i]);
    };
    if (flag == "--seed")
      wish.options.seed = std::stoull(value());
    else if (flag == "--hours")
      wish.options.hours = std::stod(value());
    else if (flag == "--nodes")
      wish.options.nodes = std::stoll(value());
    else if (flag == "--controllers")
      wish.options.controllers = std::stoll(value());
    else if (flag == "--machines")
      wish.options.machines = std::stoll(value());
    else if (flag == "--seeds")
      wish.seeds = std::stoull(value());
    else if (flag == "--seconds")
      wish.seconds = std::stod(value());
    else if (flag == "--trace")
      wish.options.is_traced = true;
    else if (flag == "--pace")
      wish.options.pace = std::max<std::uint64_t>(1, std::stoull(value()));
    else if (flag == "--opcode")
      wish.options.opcodes.insert(value());
    else if (flag == "--kills")
      wish.options.kills = std::max<std::uint64_t>(1, std::stoull(value()));
    else if (flag == "--replay")
      wish.replays = value();
    else if (flag == "--prove")
      wish.proves = true;
    else if (flag == "--no-faults")
      wish.options.has_faults = false;
    else if (flag == "--no-shrink")
      wish.shrinks = false;
    else if (flag == "--only") {
      auto const list = value();
      for (std::size_t at = 0; at < list.size();) {
        std::size_t used = 0;
        wish.options.only.insert(std::stoull(list.substr(at), &used));
        at += used + 1;
      }
    } else {
      usage();
      std::exit(flag == "--help" ? 0 : 2);
    }
  }
  return wish;
}

int run(Wish wish) {
  auto const begin = std::chrono::steady_clock::now();
  auto const elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  double simulated_s = 0;
  std::uint64_t events = 0;
  std::uint64_t jobs = 0;
  std::uint64_t runs = 0;
  for (; wish.seconds > 0 ? elapsed() < wish.seconds : runs < wish.seeds; ++runs) {
    auto options = wish.options;
    options.seed += runs;
    auto const outcome = play(options);
    simulated_s += outcome.simulated_s;
    events += outcome.events;
    jobs += outcome.jobs;
    for (auto const& line : outcome.trace) fmt::print("{}\n", line);
    if (!outcome.broken) {
      if (wish.options.is_traced) fmt::print("fingerprint {:016x}\n", outcome.fingerprint);
      continue;
    }
    fmt::print("seed {}: BROKEN: {}: {}\n", options.seed, outcome.broken->invariant,
               outcome.broken->what);
    if (wish.shrinks && options.only.empty()) {
      auto const script = shrink(options, outcome.broken->invariant);
      std::string opcodes;
      for (auto const& one : options.opcodes) opcodes += " --opcode " + one;
      std::string only;
      for (auto const& entry : script) {
        only += fmt::format("{}{}", only.empty() ? "" : ",", entry.index);
        fmt::print("  {:10.3f} s  {}\n", std::chrono::duration<double>(entry.at).count(),
                   to_string(entry.what));
      }
      fmt::print(
          "  ./simulate --seed {} --hours {} --nodes {} --controllers {} --machines {} --pace {} "
          "--kills {}{}{} "
          "--trace "
          "--only {}\n",
          options.seed, options.hours, options.nodes, options.controllers, options.machines,
          options.pace, options.kills, options.has_faults ? "" : " --no-faults", opcodes, only);
    }
    return 1;
  }
  fmt::print(
      "{} runs from seed {}: {:.1f} simulated hours, {} jobs, {} switches in {:.1f} s: {:.0f} "
      "times real time; nothing broke\n",
      runs, wish.options.seed, simulated_s / 3600, jobs, events, elapsed(),
      simulated_s / elapsed());
  return 0;
}

}  // namespace
}  // namespace flotte::simulation

namespace flotte::simulation {
namespace {

// The seeds of past failures, a run a line.
int replay(std::string const& path) {
  std::ifstream file(path);
  if (!file) {
    fmt::print(stderr, "simulate: can't read {}\n", path);
    return 2;
  }
  int failed = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::istringstream words(line);
    std::vector<std::string> arguments{"simulate", "--no-shrink"};
    for (std::string word; words >> word;) arguments.push_back(word);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    failed += run(read(static_cast<int>(argv.size()), argv.data()));
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace flotte::simulation

int main(int argc, char** argv) {
  flotte::log::open("/dev/null", flotte::log::Level::Error);
  auto const wish = flotte::simulation::read(argc, argv);
  if (!wish.replays.empty()) return flotte::simulation::replay(wish.replays);
  return wish.proves ? flotte::simulation::prove() : flotte::simulation::run(wish);
}
