// gnt-debug: for trying and measuring.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "cli/command.h"
#include "cli/values.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> debug_delay(Call& call) {
  auto op = OK(opcode(call, "OP_TEST_DELAY"));
  std::istringstream text(call.arguments.positional()[0]);
  double seconds = 0;
  if (!(text >> seconds) || !text.eof()) {
    return stop(Error{ErrorCode::WrongInput,
                      fmt::format("Invalid duration '{}'", call.arguments.positional()[0])});
  }
  op["duration"] = seconds;
  op["no_locks"] = call.arguments.has("no-locks") || !call.arguments.has("n");
  op["on_master"] = !call.arguments.has("no-master");
  json::array nodes;
  for (auto const& node : call.arguments.values("n")) nodes.push_back(text_value(node));
  op["on_nodes"] = std::move(nodes);
  if (auto const repeat = call.arguments.value("repeat"))
    op["repeat"] = GIVEN(parse_count(*repeat, "--repeat"));
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// Each file holds one job: a list of opcodes; with --each every opcode is a job of its own.
Outcome<int> debug_submit_job(Call& call) {
  json::array jobs;
  for (auto const& path : call.arguments.positional()) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return stop(fmt::format("Can't read {}", path));
    auto const ops = GIVEN(schema::parse(text.str()));
    if (!ops.is_array()) return stop(fmt::format("{} must hold a list of opcodes", path));
    if (call.arguments.has("each")) {
      for (auto const& op : ops.get_array()) jobs.push_back(json::array{op});
    } else {
      jobs.push_back(ops);
    }
  }
  auto const ids = OK(call.session.submit(jobs));
  int exit_code = 0;
  for (auto const id : ids) {
    auto const result = call.session.follow(id);
    if (!result) {
      std::fprintf(stderr, "Job %lld: %s\n", static_cast<long long>(id),
                   result.error().text.c_str());
      exit_code = exit_failure;
    }
  }
  return exit_code;
}

Outcome<int> debug_locks(Call& call) {
  auto const interval = whole_number(strip(call.arguments.value_or("interval", "0"))).value_or(0);
  for (;;) {
    auto const code = OK(list(call, "lock", "name,mode,owner,pending"));
    if (code != 0 || interval <= 0) return code;
    std::printf("\n");
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(interval));
  }
}

}  // namespace

Program debug_program() {
  return {
      "gnt-debug",
      {{"delay", "[<opts>...] <duration>", 1, 1,
        with({{'n', "n", true, "A node that waits too, locked"},
              {0, "no-master", false, "The controller does not wait"},
              {'l', "no-locks", false, "Take no lock"},
              integer({'r', "repeat", true, "Rounds"}),
              {'i', "interruptible", false, "Can be ended through a socket", false}},
             {submit_options()}),
        "Executes a TestDelay OpCode", debug_delay},
       {"iallocator", "{<opts>...} <instance-name>", 1, many,
        with(known_options({"dir=", "I/iallocator=", "m/mode=", "memory=", "disks=",
                            "t/disk-template=", "nics=", "o/os-type=", "p/vcpus=", "tags=",
                            "evac-mode=", "target-groups=", "spindle-use=", "count=", "dry-run"}),
             {priority_option()}),
        "Executes a TestAllocator OpCode"},
       {"locks", "[--interval N]", 0, 0,
        with({integer({0, "interval", true, "Show it again after so many seconds"})},
             {without(list_options(), {"units", "filter"})}),
        "Show a list of locks in the master daemon", debug_locks},
       {"metad", "<cmd> <args...>", 1, many, {}, "Directly talk to Metad"},
       {"submit-job", "<op-list-file>...", 1, many,
        with({{0, "each", false, "Each opcode is a job of its own"}},
             {not_built_options({"v/verbose", "op-repeat=", "job-repeat=", "timing-stats",
                                 "dry-run", "priority="})}),
        "Submits jobs built from json files containing a list of serialized opcodes",
        debug_submit_job},
       {"test-jobqueue", "", 0, 0, priority_option(), "Test a few aspects of the job queue"},
       {"test-osparams", "[--os-parameters-secret <params>]", 0, 0,
        known_options({"os-parameters-secret=", "submit", "print-jobid"}),
        "Test secret os parameter transmission"},
       {"wconfd", "<cmd> <args...>", 1, many, {}, "Directly talk to WConfD"}},
      {{"allocator", "iallocator"}}};
}

}  // namespace flotte::cli
