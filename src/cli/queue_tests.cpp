#include "cli/queue_tests.h"

#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/print.h"

namespace flotte::cli {
namespace {

constexpr std::int64_t priority_low = 10;
constexpr std::int64_t priority_high = -10;
constexpr std::int64_t priority_lowest = 19;
constexpr std::int64_t priority_highest = -20;

void say(char const* text) {
  std::printf("%s\n", text);
  std::fflush(stdout);
}

tl::unexpected<CommandError> failed(std::string const& what) {
  return stop("Failure: command execution error:\n" + what);
}

Outcome<json::object> delay(Call& call, double seconds) {
  auto op = OK(opcode(call, "OP_TEST_DELAY"));
  op["duration"] = seconds;
  return op;
}

// Whether the queue takes what it must not.
Outcome<bool> is_taken(Call& call, json::array const& jobs) {
  auto const ids = call.session.submit(jobs);
  if (ids) return true;
  if (call.arguments.has("debug")) {
    std::printf("Ignoring error for 'wrong priority' test: %s\n", ids.error().text.c_str());
  }
  return false;
}

// A job with an opcode that nobody may ask for, between others that are fine.
Outcome<void> refuses_priority(Call& call, int before, int after, std::int64_t priority) {
  json::array ops;
  for (int i = 0; i < before; ++i) ops.push_back(OK(delay(call, 0)));
  auto wrong = OK(delay(call, 0));
  wrong["priority"] = priority;
  ops.push_back(std::move(wrong));
  for (int i = 0; i < after; ++i) ops.push_back(OK(delay(call, 0)));
  if (OK(is_taken(call, json::array{ops}))) {
    return failed(
        fmt::format("Submitting opcode with priority {} did not fail when it should", priority));
  }
  json::array const fine{OK(delay(call, 0))};
  if (OK(is_taken(call, json::array{fine, ops}))) {
    return failed("Submitting manyjobs with an incorrect one did not fail when it should.");
  }
  return {};
}

Outcome<void> test_submission(Call& call) {
  say("Testing job submission");
  auto refuses = [&](int before, int after, std::int64_t priority) {
    return refuses_priority(call, before, after, priority).map([] { return 0; });
  };
  for (auto const priority : {priority_lowest, priority_highest}) OK(refuses(0, 0, priority));
  for (std::int64_t const priority :
       {priority_lowest, priority_low, std::int64_t{0}, priority_high, priority_highest}) {
    for (int const offset : {-1, +1}) {
      for (auto const& [before, after] :
           {std::pair{0, 0}, std::pair{3, 0}, std::pair{0, 3}, std::pair{4, 2}}) {
        OK(refuses(before, after, priority + offset));
      }
    }
  }
  say("Job submission tests were successful");
  return {};
}

Outcome<json::array> details(Call& call, std::vector<std::int64_t> const& ids,
                             std::vector<std::string> const& fields) {
  json::array names;
  for (auto const id : ids) names.push_back(text_value(std::to_string(id)));
  json::array wanted;
  for (auto const& field : fields) wanted.push_back(text_value(field));
  auto const answer =
      OK(call.session.post("query", {{"what", "job"}, {"fields", wanted}, {"names", names}}));
  json::array rows;
  for (auto const& row : answer.at("data").as_array()) {
    json::array values;
    for (auto const& cell : row.as_array()) values.push_back(cell.at(1));
    rows.push_back(std::move(values));
  }
  if (rows.size() != ids.size()) return failed("Not every job was found");
  return rows;
}

// [1795880000, 123456]; whole seconds first.
bool is_before(json::value const& one, json::value const& other) {
  auto const of = [](json::value const& stamp) {
    return std::pair(stamp.at(0).to_number<std::int64_t>(), stamp.at(1).to_number<std::int64_t>());
  };
  return of(one) <= of(other);
}

Outcome<void> test_dependencies(Call& call) {
  say("Testing job dependencies");
  auto alone = OK(delay(call, 0));
  alone["depends"] = json::array{json::array{-1, nullptr}};
  if (OK(is_taken(call, json::array{json::array{alone}}))) {
    return failed("Submitting plain opcode with relative job ID did not fail as expected");
  }
  // Each by the job that it waits for, counted from itself; 0: none.
  std::vector<std::pair<int, json::array>> const waits{
      {0, {}}, {-1, {}}, {-2, {"success"}}, {0, {}}, {-2, {"success"}}};
  json::array jobs;
  for (auto const& [on, statuses] : waits) {
    auto op = OK(delay(call, 1));
    if (on != 0) op["depends"] = json::array{json::array{on, statuses}};
    jobs.push_back(json::array{std::move(op)});
  }
  auto const ids = OK(call.session.submit(jobs));
  for (auto const id : ids) {
    std::printf("Waiting for job %lld ...\n", static_cast<long long>(id));
    std::fflush(stdout);
    OK(call.session.follow(id));
  }
  auto const rows = OK(details(call, ids, {"ops", "opexec"}));
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (waits[i].first == 0) continue;
    auto const earlier = i - static_cast<std::size_t>(-waits[i].first);
    auto const& on = rows[i].at(0).at(0).at("depends").at(0).at(0);
    if (on.to_number<std::int64_t>() != ids[earlier]) {
      return failed(fmt::format("Job {}'s opcode doesn't depend on correct job ID ({})", i,
                                json::serialize(on)));
    }
    if (!is_before(rows[earlier].at(1).at(0), rows[i].at(1).at(0))) {
      return failed("Jobs did not run in correct order: " + json::serialize(rows));
    }
  }
  say("Job dependency tests were successful");
  return {};
}

json::array const messages{"Hello World", "A", "", "B", "Foo|bar|baz"};
constexpr std::string_view message_prefix = "TESTMSG=";

Outcome<json::object> talk(Call& call, bool fails) {
  auto op = OK(opcode(call, "OP_TEST_JQUEUE"));
  op["log_messages"] = messages;
  op["fail"] = fails;
  return op;
}

// One job, by what its opcodes become: the log must hold what each said, in that order.
Outcome<void> test_run(Call& call, char const* title, std::vector<std::string> const& expected) {
  say(title);
  json::array ops;
  std::size_t speakers = 0;
  auto succeeds = true;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    auto const is_first_failure = succeeds && expected[i] == "error";
    ops.push_back(OK(talk(call, is_first_failure)));
    if (succeeds) ++speakers;
    succeeds = succeeds && !is_first_failure;
  }
  auto const id = OK(call.session.submit(json::array{std::move(ops)})).at(0);
  auto const results = call.session.follow(id);
  if (results && !succeeds) return failed("Job didn't fail when it should");
  if (!results && succeeds) return tl::unexpected(results.error());
  if (!results) {
    std::printf("Ignoring error for 'job fail' test: %s\n", results.error().text.c_str());
  }
  auto const rows = OK(details(call, {id}, {"status", "opstatus", "oplog"}));
  json::array said;
  for (auto const& log : rows[0].at(2).as_array()) {
    for (auto const& entry : log.as_array()) {
      auto const text = python_text(entry.as_array().back());
      if (text.starts_with(message_prefix)) {
        said.push_back(text_value(std::string_view(text).substr(message_prefix.size())));
      }
    }
  }
  json::array wanted;
  for (std::size_t i = 0; i < speakers; ++i) {
    wanted.insert(wanted.end(), messages.begin(), messages.end());
  }
  if (said != wanted) {
    return failed(fmt::format("Received test messages don't match input (input {}, received {})",
                              json::serialize(wanted), json::serialize(said)));
  }
  auto const* status = succeeds ? "success" : "error";
  if (rows[0].at(0) != status) {
    return failed(fmt::format("Final job status is {}, not {} as expected",
                              python_text(rows[0].at(0)), status));
  }
  json::array statuses;
  for (auto const& one : expected) statuses.push_back(text_value(one));
  if (rows[0].at(1) != statuses) {
    return failed(fmt::format("Opcode status is {}, expected {}", json::serialize(rows[0].at(1)),
                              json::serialize(statuses)));
  }
  return {};
}

}  // namespace

Outcome<int> test_job_queue(Call& call) {
  auto const none = [] { return 0; };
  OK(test_submission(call).map(none));
  OK(test_dependencies(call).map(none));
  OK(test_run(call, "Testing job success", {"success"}).map(none));
  OK(test_run(call, "Testing multiple successful opcodes", {"success", "success"}).map(none));
  OK(test_run(call, "Testing job failure", {"error"}).map(none));
  OK(test_run(call, "Testing partial job failure", {"success", "success", "error", "error"})
         .map(none));
  say("Job queue test successful");
  return 0;
}

}  // namespace flotte::cli
