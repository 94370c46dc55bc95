// gnt-job: the jobs of the queue.
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "cli/command.h"
#include "cli/info.h"
#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

Outcome<int> job_list_fields(Call& call) {
  return list_fields(call, "job");
}

Outcome<std::int64_t> job_id(std::string const& text) {
  if (text.empty() || text.size() > 15 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return stop(Error{ErrorCode::WrongInput, fmt::format("Invalid job ID '{}'", text)});
  }
  return std::stoll(text);
}

Outcome<int> job_info(Call& call) {
  json::array wanted;
  for (auto const* field :
       {"id", "status", "ops", "opresult", "opstatus", "oplog", "opstart", "opexec", "opend",
        "received_ts", "start_ts", "end_ts", "journal", "set_aside"}) {
    wanted.push_back(field);
  }
  json::array names;
  for (auto const& name : call.arguments.positional()) names.push_back(text_value(name));
  auto const answer =
      OK(call.session.post("query", {{"what", "job"}, {"fields", wanted}, {"names", names}}));
  auto const rows = table_json(answer);
  if (call.arguments.has("json")) {
    std::printf("%s\n", json::serialize(rows).c_str());
    return 0;
  }
  int exit_code = 0;
  json::array all;
  for (auto const& row : rows.as_array()) {
    if (row.at("status").is_null()) {
      std::fprintf(stderr, "Job ID %s not found\n", python_text(row.at("id")).c_str());
      exit_code = exit_failure;
    } else {
      all.push_back(job_layout(row.as_object()));
    }
  }
  std::fputs(render_info(all).c_str(), stdout);
  return exit_code;
}

Outcome<int> job_watch(Call& call) {
  auto const id = OK(job_id(call.arguments.positional()[0]));
  std::printf("Output from job %lld follows\n---------------------------\n",
              static_cast<long long>(id));
  auto const result = call.session.follow(id);
  std::printf("%s\n", result ? "Job succeeded" : "Job failed");
  if (!result) return tl::unexpected(result.error());
  return 0;
}

Outcome<int> job_wait(Call& call) {
  auto const id = OK(job_id(call.arguments.positional()[0]));
  auto const result = call.session.follow(id, {.prints_log = false});
  return result ? 0 : exit_failure;
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
Outcome<std::vector<std::int64_t>> chosen_jobs(Call& call, std::string_view doing) {
  auto filter = status_filter(call);
  auto const& given = call.arguments.positional();
  std::vector<std::int64_t> ids;
  if (filter.is_null() == given.empty()) {
    return stop(Error{ErrorCode::WrongInput,
                      given.empty() ? "No job IDs specified; give some, or --pending"
                                    : "Job IDs and a selection by state exclude each other"});
  }
  for (auto const& text : given) ids.push_back(OK(job_id(text)));
  if (!given.empty()) return ids;
  auto const answer = OK(call.session.post(
      "query",
      {{"what", "job"}, {"fields", json::array{"id", "summary"}}, {"qfilter", std::move(filter)}}));
  std::string question;
  auto const rows = table_json(answer);
  for (auto const& row : rows.as_array()) {
    ids.push_back(row.at("id").to_number<std::int64_t>());
    question += fmt::format("{}: {}\n", ids.back(), python_text(row.at("summary")));
  }
  if (!ids.empty())
    OK(confirm(call, fmt::format("{}{} {} job(s)?", question, doing, ids.size())).map([] {
      return 0;
    }));
  return ids;
}

// One after the other; the answer is [done, text].
Outcome<int> tell_jobs(Call& call, std::string_view doing, std::string_view verb,
                       json::object const& body) {
  int exit_code = 0;
  for (auto const id : OK(chosen_jobs(call, doing))) {
    auto const answer = OK(call.session.post(fmt::format("jobs/{}/{}", id, verb), body));
    std::printf("%s\n", python_text(answer.at(1)).c_str());
    if (!answer.at(0).as_bool()) exit_code = exit_failure;
  }
  return exit_code;
}

Outcome<int> job_cancel(Call& call) {
  return tell_jobs(call, "Cancel", "cancel", {});
}

Outcome<int> job_change_priority(Call& call) {
  if (!call.arguments.has("priority")) {
    return stop("--priority option must be given.");
  }
  auto const op = OK(opcode(call, ""));
  auto const* priority = op.if_contains("priority");
  return tell_jobs(call, "Change priority of", "priority",
                   {{"priority", priority ? *priority : json::value(0)}});
}

Outcome<int> job_list(Call& call) {
  return list(call, "job", "id,status,summary", status_filter(call));
}

Outcome<int> job_archive(Call& call) {
  int exit_code = 0;
  for (auto const& text : call.arguments.positional()) {
    auto const id = OK(job_id(text));
    if (!OK(call.session.post(fmt::format("jobs/{}/archive", id), {})).as_bool()) {
      std::fprintf(stderr, "Failed to archive job with ID '%lld': it has not ended\n",
                   static_cast<long long>(id));
      exit_code = exit_failure;
    }
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
  return {"gnt-job",
          {{"archive", "<job-id>...", 1, many, {}, "Archive specified jobs", job_archive},
           {"autoarchive",
            "<age>",
            1,
            1,
            {},
            "Auto archive jobs older than the given age: 1d, 1w, all",
            job_autoarchive},
           {"cancel", "{[--force] {--pending | --queued | --waiting} | <job-id>...}", 0, many,
            with({{'f', "force", false, "Don't ask"}},
                 {options_of({"pending", "queued", "waiting"}),
                  not_built_options({"kill", "yes-do-it", "ya-rly"})}),
            "Cancel specified jobs", job_cancel},
           {"change-priority",
            "--priority <priority> {[--force] {--pending | --queued | --waiting} | <job-id>...}", 0,
            many,
            with({{'f', "force", false, "Don't ask"}},
                 {options_of({"pending", "queued", "waiting"}), priority_option()}),
            "Change the priority of jobs", job_change_priority},
           {"info",
            "<job-id>...",
            1,
            many,
            {{0, "json", false, "Print JSON"}},
            "Show detailed information about the specified jobs",
            job_info},
           {"list", "[<job-id>...]", 0, many,
            with(list_options(), {options_of({"pending", "running", "error", "finished"}),
                                  not_built_options({"archived"})}),
            "Lists the jobs and their status", job_list},
           {"list-fields", "[<field>...]", 0, many, list_options(),
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
