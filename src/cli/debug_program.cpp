// gnt-debug: for trying and measuring.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "cli/command.h"
#include "cli/queue_tests.h"
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

// A file's opcodes, so many times as is asked for.
Outcome<json::array> opcodes_in(Call& call, std::string const& path, std::int64_t repeat) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return stop(fmt::format("Can't read {}", path));
  auto const ops = GIVEN(schema::parse(text.str()));
  if (!ops.is_array()) return stop(fmt::format("{} must hold a list of opcodes", path));
  auto const common = OK(opcode(call, ""));
  json::array out;
  for (; repeat > 0; --repeat) {
    for (auto const& op : ops.get_array()) {
      out.push_back(op);
      if (!out.back().is_object()) continue;
      for (auto const* key : {"dry_run", "priority"}) {
        if (common.contains(key)) out.back().get_object()[key] = common.at(key);
      }
    }
  }
  return out;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Each file holds one job: a list of opcodes; with --each every opcode is a job of its own.
Outcome<int> debug_submit_job(Call& call) {
  auto const& arguments = call.arguments;
  auto const op_repeat = GIVEN(parse_count(arguments.value_or("op-repeat", "1"), "--op-repeat"));
  auto const job_repeat = GIVEN(parse_count(arguments.value_or("job-repeat", "1"), "--job-repeat"));
  auto const is_timed = arguments.has("timing-stats");
  auto const say = [&](char const* text) {
    if (is_timed) std::printf("%s\n", text);
    std::fflush(stdout);
  };
  say("Loading...");
  json::array jobs;
  std::vector<std::string> names;
  std::size_t op_count = 0;
  std::size_t job_count = 0;
  for (std::int64_t round = 0; round < job_repeat; ++round) {
    for (auto const& path : arguments.positional()) {
      auto ops = OK(opcodes_in(call, path, op_repeat));
      op_count += ops.size();
      ++job_count;
      if (arguments.has("each")) {
        for (auto const& op : ops) jobs.push_back(json::array{op});
      } else {
        jobs.push_back(std::move(ops));
      }
      names.resize(jobs.size(), fmt::format("file {}/{}", path, round));
    }
  }
  say("Submitting...");
  auto const began = std::chrono::steady_clock::now();
  auto const ids = OK(call.session.submit(jobs));
  auto const submitted_s = seconds_since(began);
  say("Executing...");
  if (arguments.has("verbose")) {
    std::printf("Submitted jobs %s\n", fmt::format("{}", fmt::join(ids, ", ")).c_str());
  }
  int exit_code = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto const id = ids[i];
    std::printf("Waiting for job %lld for %s ...\n", static_cast<long long>(id), names[i].c_str());
    std::fflush(stdout);
    auto const result = call.session.follow(id);
    if (!result) {
      std::fprintf(stderr, "Job %lld: %s\n", static_cast<long long>(id),
                   result.error().text.c_str());
      exit_code = exit_failure;
    }
  }
  if (is_timed) {
    auto const total_s = seconds_since(began);
    std::printf("C:op     %4zu\nC:job    %4zu\nT:submit %4.4f\nT:exec   %4.4f\nT:total  %4.4f\n",
                op_count, job_count, submitted_s, total_s - submitted_s, total_s);
  }
  return exit_code;
}

Outcome<int> debug_test_os_params(Call& call) {
  auto op = OK(opcode(call, "OP_TEST_OS_PARAMS"));
  if (auto const text = call.arguments.value("os-parameters-secret")) {
    op["osparams_secret"] =
        GIVEN(parse_pairs(*text, call.arguments.spelled("os-parameters-secret")));
  }
  OK(submit_or_run(call, std::move(op)));
  return 0;
}

// What Ganeti's daemon for the configuration is asked; here the controller does its work.
Outcome<int> debug_wconfd(Call& call) {
  auto const& given = call.arguments.positional();
  auto const& command = given[0];
  if (command == "echo") {
    if (given.size() != 2) return stop("Command 'echo' takes only precisely argument.");
    OK(call.session.get("cluster"));
    std::printf("Answer: %s\n", given[1].c_str());
    return 0;
  }
  for (auto const* name : {"cleanuplocks", "flushconfig", "listalllocks", "listalllocksowners"}) {
    if (command == name && given.size() != 1) {
      return stop(fmt::format("Command '{}' takes no arguments.",
                              command == "listalllocksowners" ? "listalllocks" : command));
    }
  }
  if (command == "cleanuplocks" || command == "flushconfig") {
    OK(call.session.get("cluster"));
    // Locks are let go of with their job, and what is committed is on the disk.
    std::printf("%s\n",
                command == "flushconfig" ? "Configuration flushed." : "Stale locks cleaned up.");
    return 0;
  }
  if (command == "listlocks" || command == "listalllocks" || command == "listalllocksowners") {
    return stop(
        fmt::format("There is no WConfD here that could be asked for '{}': 'gnt-debug locks' "
                    "lists all locks with who holds them and who waits",
                    command));
  }
  return stop(fmt::format("Command '{}' not supported", command));
}

Outcome<int> debug_metad(Call& call) {
  auto const& given = call.arguments.positional();
  if (given[0] != "echo") return stop(fmt::format("Command '{}' not supported", given[0]));
  if (given.size() != 2) return stop("Command 'echo' takes only precisely argument.");
  return stop("There is no metadata daemon to answer: instances are told nothing over the network");
}

Outcome<int> refuse_allocator(Call&) {
  return stop("Allocators are not built yet: there is one node, and 'gnt-instance add' takes it");
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
        "Executes a TestAllocator OpCode", nullptr, true, refuse_allocator},
       {"locks", "[--interval N]", 0, 0,
        with({integer({0, "interval", true, "Show it again after so many seconds"})},
             {without(list_options(), {"units", "filter"})}),
        "Show a list of locks in the master daemon", debug_locks},
       {"metad", "<cmd> <args...>", 1, many, {}, "Directly talk to Metad", debug_metad},
       {"submit-job", "<op-list-file>...", 1, many,
        with({{0, "each", false, "Each opcode is a job of its own"},
              integer({0, "op-repeat", true, "How often the opcodes stand in a job"}),
              integer({0, "job-repeat", true, "How many such jobs"}),
              {0, "timing-stats", false, "Say how long it took"},
              {'v', "verbose", false, "Say which job is waited for"}},
             {without(submit_options(), {"submit", "print-jobid"})}),
        "Submits jobs built from json files containing a list of serialized opcodes",
        debug_submit_job},
       {"test-jobqueue", "", 0, 0, priority_option(), "Test a few aspects of the job queue",
        test_job_queue},
       {"test-osparams", "[--os-parameters-secret <params>]", 0, 0,
        with({{0, "os-parameters-secret", true, "OS parameters"}},
             {without(submit_options(), {"dry-run", "priority"})}),
        "Test secret os parameter transmission", debug_test_os_params},
       {"wconfd", "<cmd> <args...>", 1, many, {}, "Directly talk to WConfD", debug_wconfd}},
      {{"allocator", "iallocator"}}};
}

}  // namespace flotte::cli
