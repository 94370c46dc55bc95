// simulate: runs seeds of the simulated cluster, and makes a failing one small. See
// docs/reliability.md.
#include <chrono>
#include <cstdio>
#include <random>

#include "base/log.h"
#include "world.h"

namespace flotte::simulation {
namespace {

struct Wish {
  Options options;
  std::uint64_t seeds = 1;
  double seconds = 0;  // of the machine's time; 0: as many seeds as wished
  bool shrinks = true;
  bool is_help = false;
};

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

void usage() {
  fmt::print(
      "usage: simulate [--seed N] [--hours H] [--nodes N] [--controllers N] [--machines N]\n"
      "                [--seeds N | --seconds S] [--trace] [--no-faults] [--no-shrink]\n"
      "                [--only ENTRY,ENTRY,...]\n");
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
      std::string only;
      for (auto const& entry : script) {
        only += fmt::format("{}{}", only.empty() ? "" : ",", entry.index);
        fmt::print("  {:10.3f} s  {}\n", std::chrono::duration<double>(entry.at).count(),
                   to_string(entry.what));
      }
      fmt::print(
          "  ./simulate --seed {} --hours {} --nodes {} --controllers {} --machines {}{} --trace "
          "--only {}\n",
          options.seed, options.hours, options.nodes, options.controllers, options.machines,
          options.has_faults ? "" : " --no-faults", only);
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

int main(int argc, char** argv) {
  flotte::log::open("/dev/null", flotte::log::Level::Error);
  return flotte::simulation::run(flotte::simulation::read(argc, argv));
}
