// gnt-job: the jobs of the queue.
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "cli/filter.h"
#include "cli/info.h"
#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> job_list_fields(Call& call) {
  return list_fields(call, "job");
}

bool is_job_id(std::string const& text) {
  return !text.empty() && text.size() <= 15 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

// `request` is what Ganeti's client would have asked for.
Outcome<std::int64_t> job_id(std::string const& text, std::string_view request) {
  if (is_job_id(text)) return whole_number(text).value_or(0);
  return stop(
      fmt::format("Unhandled protocol error while talking to the master daemon:\nInvalid parameter "
                  "passed to {} as job id: expected integer, got value {}",
                  request, text));
}

tl::unexpected<CommandError> no_job_id(std::string const& text) {
  return stop(
      Error{ErrorCode::WrongInput,
            fmt::format("Invalid job ID passed: invalid literal for int() with base 10: '{}'; "
                        "'gnt-job list' shows them",
                        text)});
}

Outcome<int> job_info(Call& call) {
  json::array wanted;
  for (auto const* field :
       {"id", "status", "ops", "opresult", "opstatus", "oplog", "opstart", "opexec", "opend",
        "received_ts", "start_ts", "end_ts", "journal", "set_aside", "submitted_by"}) {
    wanted.push_back(field);
  }
  json::array names;
  for (auto const& name : call.arguments.positional()) {
    if (!is_job_id(name)) {
      return no_job_id(name);
    }
    names.push_back(text_value(name));
  }
  auto const answer =
      OK(call.session.post("query", {{"what", "job"}, {"fields", wanted}, {"names", names}}));
  auto const rows = table_json(answer);
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(rows).c_str());
    return 0;
  }
  json::array all;
  for (auto const& row : rows.as_array()) {
    if (row.at("status").is_null()) {
      all.push_back(text_value(fmt::format("Job ID {} not found", python_text(row.at("id")))));
    } else {
      all.push_back(job_layout(row.as_object()));
    }
  }
  std::fputs(render_info(all).c_str(), stdout);
  return 0;
}

// To the end of a job; a failure is told, and is the exit code.
Outcome<int> follow_to_end(Call& call, FollowOptions options) {
  auto const& text = call.arguments.positional()[0];
  auto const id = OK(job_id(text, "WaitForJobChange"));
  auto const result = call.session.follow(id, options);
  if (result) return 0;
  auto const is_lost = result.error().text.find("not found") != std::string::npos;
  std::fflush(stdout);
  std::fprintf(stderr, "Job %s failed: %s\n", text.c_str(),
               is_lost
                   ? "Error checking job status: Can't load job file; there is no such job, see "
                     "'gnt-job list'"
                   : result.error().text.c_str());
  return exit_failure;
}

Outcome<int> job_watch(Call& call) {
  auto const title = fmt::format("Output from job {} follows", call.arguments.positional()[0]);
  std::printf("%s\n%s\n", title.c_str(), std::string(title.size(), '-').c_str());
  return follow_to_end(call, {});
}

Outcome<int> job_wait(Call& call) {
  return follow_to_end(call, {.prints_log = false});
}

// Options that stand for jobs in a state.
struct StatusOption {
  char const* name;
  std::vector<char const*> statuses;
};
std::vector<StatusOption> const status_options{{"pending", {"queued", "waiting", "canceling"}},
                                               {"queued", {"queued"}},
                                               {"waiting", {"waiting"}},
                                               {"running", {"running"}},
                                               {"error", {"error"}},
                                               {"finished", {"success", "error", "canceled"}}};

std::vector<Option> options_of(std::vector<std::string> const& names) {
  std::vector<Option> options;
  for (auto const& name : names) options.push_back({0, name, false, "All " + name + " jobs"});
  return options;
}

// Null where no such option was given.
json::value status_filter(Call const& call) {
  json::array any{"|"};
  for (auto const& [name, statuses] : status_options) {
    if (!call.arguments.has(name)) continue;
    for (auto const* status : statuses) any.push_back(json::array{"==", "status", status});
  }
  return any.size() > 1 ? json::value(std::move(any)) : json::value();
}

// The jobs that are named, or those in a state after asking.
Outcome<std::vector<std::string>> chosen_jobs(Call& call, std::string const& question) {
  auto filter = status_filter(call);
  auto const& given = call.arguments.positional();
  if (filter.is_null() == given.empty()) {
    return stop(Error{ErrorCode::WrongInput,
                      "Either a status filter or job ID(s) must be specified and never both"});
  }
  if (!given.empty()) return given;
  auto const answer =
      OK(call.session.post("query", {{"what", "job"},
                                     {"fields", json::array{"id", "status", "summary"}},
                                     {"qfilter", std::move(filter)}}));
  std::vector<std::string> ids;
  for (auto const& row : answer.at("data").as_array()) {
    ids.push_back(python_text(row.at(0).at(1)));
  }
  if (ids.empty()) {
    return stop(Error{ErrorCode::WrongState, "No jobs with the requested status have been found"});
  }
  if (!call.arguments.has("force")) {
    std::fputs(render_table(answer, {}).c_str(), stdout);
    std::fflush(stdout);
    OK(confirm(call, question, Unless::Forced, exit_not_confirmed).map([] { return 0; }));
  }
  return ids;
}

// One after the other; the answer is [done, text].
Outcome<int> tell_jobs(Call& call, std::string const& question, std::string_view request,
                       std::string_view verb, json::object const& body) {
  int exit_code = 0;
  for (auto const& text : OK(chosen_jobs(call, question))) {
    auto const id = OK(job_id(text, request));
    auto const answer = OK(call.session.post(fmt::format("jobs/{}/{}", id, verb), body));
    std::printf("%s\n", python_text(answer.at(1)).c_str());
    if (!answer.at(0).as_bool()) exit_code = exit_failure;
  }
  return exit_code;
}

Outcome<int> job_cancel(Call& call) {
  return tell_jobs(call, "Cancel job(s) listed above?", "CancelJob", "cancel", {});
}

Outcome<int> job_change_priority(Call& call) {
  if (!call.arguments.has("priority")) {
    return stop("--priority option must be given.");
  }
  auto const op = OK(opcode(call, ""));
  auto const* priority = op.if_contains("priority");
  return tell_jobs(call, "Change priority of job(s) listed above?", "ChangeJobPriority", "priority",
                   {{"priority", priority ? *priority : json::value(0)}});
}

Outcome<int> job_list(Call& call) {
  for (auto const& text : call.arguments.positional()) {
    if (!may_be_filter(text) && !is_job_id(text)) return no_job_id(text);
  }
  return list(call, "job", "id,status,summary", status_filter(call));
}

Outcome<int> job_archive(Call& call) {
  int exit_code = 0;
  for (auto const& text : call.arguments.positional()) {
    auto const id = OK(job_id(text, "ArchiveJob"));
    auto const done = call.session.post(fmt::format("jobs/{}/archive", id), {});
    if (done && done->as_bool()) continue;
    std::fprintf(stderr, "Failed to archive job with ID '%s'\n", text.c_str());
    exit_code = exit_failure;
  }
  return exit_code;
}

Outcome<int> job_autoarchive(Call& call) {
  auto const& text = call.arguments.positional()[0];
  std::int64_t age = -1;
  if (text != "all") {
    age = GIVEN(parse_timespec(text));
  }
  auto const answer = OK(call.session.post("jobs/autoarchive", {{"age_s", age}}));
  std::printf("Archived %s jobs, %s unchecked left\n", python_text(answer.at(0)).c_str(), "0");
  return 0;
}

}  // namespace

Program job_program() {
  constexpr auto some_jobs = "<job-id> [<job-id>...]";
  return {"gnt-job",
          {{"archive", some_jobs, 1, many, {}, "Archive specified jobs", job_archive},
           {"autoarchive",
            "<age>",
            1,
            1,
            {},
            "Auto archive jobs older than the given age",
            job_autoarchive},
           {"cancel",
            "{[--force] [--kill --yes-do-it] {--pending | --queued | --waiting} | <job-id> "
            "[<job-id>...]}",
            0, many,
            with({{'f', "force", false, "Don't ask"}},
                 {options_of({"pending", "queued", "waiting"}),
                  not_built_options({"kill", "yes-do-it", "ya-rly"})}),
            "Cancel jobs", job_cancel},
           {"change-priority",
            "--priority <priority> {[--force] {--pending | --queued | --waiting} | <job-id> "
            "[<job-id>...]}",
            0, many,
            with({{'f', "force", false, "Don't ask"}},
                 {options_of({"pending", "queued", "waiting"}), priority_option()}),
            "Change the priority of jobs", job_change_priority},
           {"info",
            some_jobs,
            1,
            many,
            {{0, "json", false, "Print JSON"}},
            "Show detailed information about the specified jobs",
            job_info},
           {"list", "[<job-id>...]", 0, many,
            with(without(list_options(), {"units"}),
                 {options_of({"pending", "running", "error", "finished"}),
                  not_built_options({"archived"})}),
            "Lists the jobs and their status. The available fields can be shown using the "
            "\"list-fields\" command (see the man page for details). The default field list is (in "
            "order): id, status, summary.",
            job_list},
           {"list-fields", "[<fields>...]", 0, many, list_fields_options(),
            "Lists all available fields for jobs", job_list_fields},
           {"wait", "<job-id>", 1, 1, {}, "Wait for a job to finish", job_wait},
           {"watch",
            "<job-id>",
            1,
            1,
            {},
            "Follows a job and prints its output as it arrives",
            job_watch}},
          {{"show", "info"}}};
}

}  // namespace flotte::cli
