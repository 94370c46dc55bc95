#include <algorithm>
#include <boost/json/serialize.hpp>

#include "cli/answers.h"
#include "cli/test_world.h"
#include "net/http.h"

namespace flotte::cli {
namespace {

constexpr auto instance = "web1";
// So long an import waits for somebody who sends, counted in looks.
constexpr int looks_max = 40;

json::value value_of(std::string_view text) {
  return json::value(json::string_view(text));
}

Failure away() {
  return Failure(Error{ErrorCode::EnvironmentError, "Can't reach it", ErrorClass::Unreachable});
}

Failure not_found() {
  return fail_as(ErrorClass::Prereq, ErrorCode::UnknownEntity, "Nothing matches the given URI");
}

// What a request is about, in a word.
std::string word_of(std::string const& method, std::string const& path, std::string const& query) {
  if (path == "/2/instances") {
    return query.find("dry-run=1") != std::string::npos ? "try" : "create";
  }
  if (path == "/2/jobs") return "jobs";
  if (path.starts_with("/2/jobs/")) {
    if (method == "DELETE") return "cancel";
    return path.ends_with("/wait") ? "wait" : "result";
  }
  auto const last = path.substr(path.rfind('/') + 1);
  if (last == instance) return method == "DELETE" ? "remove" : "look";
  if (last == "tags") return method == "DELETE" ? "untag" : "tag";
  return last;  // info, prepare-export, shutdown, export, startup
}

json::array error_of(std::string_view text) {
  return {"OpExecError", json::array{value_of(text)}};
}

}  // namespace

Result<json::value> FakeRapi::ask(std::string const& method, std::string const& target,
                                  json::value const& body) {
  auto const mark = target.find('?');
  auto const path = target.substr(0, mark);
  auto const query = mark == std::string::npos ? "" : target.substr(mark + 1);
  auto const word = side_ + " " + word_of(method, path, query);
  auto const number = ++world_.requests;
  if (!word.ends_with("wait") && !word.ends_with("result")) world_.asked.push_back(word);
  auto const trouble = world_.trouble ? world_.trouble(word, number) : std::nullopt;
  if (trouble == Trouble::Away) is_away_ = true;
  if (is_away_) return away();
  if (trouble == Trouble::Killed) throw Killed();
  if (trouble == Trouble::Refused) {
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput, "it is refused");
  }
  if (trouble == Trouble::Busy) return fail(is_busy, "too much to do");
  if (trouble == Trouble::LostBefore) {
    auto lost = away();
    lost.value().not_attempted = true;
    return lost;
  }
  auto const is_submission = method != "GET" || path.ends_with("/info");
  auto const last_job = jobs.empty() ? 0 : jobs.rbegin()->first;
  auto told = answer(word, method, path, query, body);
  if (trouble == Trouble::JobFails && is_submission && told && word != side_ + " cancel") {
    // As if it had not been carried out: the deed is undone below.
    auto& job = jobs[last_job + 1];
    job.status = "error";
    job.result = error_of("the job met a mishap");
  }
  if (told && !jobs.empty()) {
    auto& job = jobs.rbegin()->second;
    auto const fresh = jobs.rbegin()->first > last_job;
    if (fresh && trouble == Trouble::JobFailsInGanetisWay) job.op["mishap"] = "disks";
    if (fresh && trouble == Trouble::JobFailsAtTheEnd) job.op["mishap"] = "start";
  }
  world_.check();
  if (trouble == Trouble::KilledAfter) throw Killed();
  if (trouble == Trouble::LostAfter) return away();
  return told;
}

json::value FakeRapi::submit(json::object op, std::string const& query,
                             std::function<void(Job&)> const& deed) {
  auto const number = world_.requests;
  auto const next = jobs.empty() ? 1 : jobs.rbegin()->first + 1;
  auto& job = jobs[next];
  auto const parsed = *net::parse_query(query);
  if (auto const reason = parsed.find("reason"); reason != parsed.end()) {
    op["reason"] = json::array{json::array{"gnt:user", value_of(reason->second), number}};
  }
  auto const word = world_.asked.empty() ? std::string() : world_.asked.back();
  auto const trouble = world_.trouble ? world_.trouble(word, number) : std::nullopt;
  job.op = std::move(op);
  if (trouble != Trouble::JobFails) deed(job);
  return next;
}

Result<json::value> FakeRapi::answer(std::string const& word, std::string const& method,
                                     std::string const& path, std::string const& query,
                                     json::value const& body) {
  auto const what = word.substr(word.find(' ') + 1);
  if (what == "jobs") {
    json::array rows;
    for (auto& [id, job] : jobs) {
      rows.push_back(
          json::object{{"id", id}, {"status", value_of(job.status)}, {"ops", json::array{job.op}}});
    }
    return rows;
  }
  if (path.starts_with("/2/jobs/")) {
    return job_answer(method, path.substr(std::string_view("/2/jobs/").size()), body);
  }
  auto const found = machines.find(instance);
  auto const is_there = found != machines.end();
  auto const op = [&](std::string_view id) {
    return json::object{{"OP_ID", value_of(id)}, {"instance_name", instance}};
  };
  if (what == "try" || what == "create") {
    auto creation = op("OP_INSTANCE_CREATE");
    for (auto const* key : {"mode", "source_instance_name", "source_x509_ca", "start"}) {
      creation[key] = *member(body, key);
    }
    creation["dry_run"] = what == "try";
    return submit(std::move(creation), query, [&](Job& job) {
      if (is_there) {
        job.status = "error";
        job.result = error_of("Instance 'web1' is already in the cluster");
      } else if (what == "create") {
        job.status = "running";
        machines[instance] = {.is_up = false, .runs = false, .is_whole = false, .tags = {}};
        auto const ca = fmt::format("CA {}", world_.requests);
        json::value const info =
            json::object{{"disks", json::array{json::array{"192.0.2.2", 4711, "m", "h", "s"}}},
                         {"x509_ca", value_of(ca)}};
        job.log.push_back(json::array{1, json::array{0, 0}, "message", "* creating disks"});
        job.log.push_back(json::array{2, json::array{0, 0}, "remote-import", info});
        job.op["ca"] = value_of(ca);
      }
    });
  }
  if (!is_there) return not_found();
  auto& machine = found->second;
  if (what == "look") {
    json::array tags;
    for (auto const& tag : machine.tags) tags.push_back(value_of(tag));
    return json::object{
        {"name", instance}, {"admin_state", machine.is_up ? "up" : "down"}, {"tags", tags}};
  }
  if (what == "info") {
    return submit(op("OP_INSTANCE_QUERY_DATA"), query, [&](Job& job) {
      job.result = json::object{
          {instance,
           json::object{{"name", instance},
                        {"hypervisor", "kvm"},
                        {"disk_template", "plain"},
                        {"disks", json::array{json::object{{"size", 1024}, {"mode", "rw"}}}},
                        {"nics", json::array()}}}};
    });
  }
  if (what == "prepare-export") {
    return submit(op("OP_BACKUP_PREPARE"), query, [&](Job& job) {
      job.result =
          json::object{{"handshake", json::array{0, "h", "s"}},
                       {"x509_key_name", json::array{"key", "h", "s"}},
                       {"x509_ca", value_of(fmt::format("source CA {}", world_.requests))}};
    });
  }
  if (what == "tag" || what == "untag") {
    auto const tag = net::parse_query(query)->find("tag")->second;
    return submit(op("OP_TAGS_SET"), query, [&](Job&) {
      if (what == "tag") {
        machine.tags.insert(tag);
      } else {
        machine.tags.erase(tag);
      }
    });
  }
  if (what == "shutdown" || what == "startup") {
    auto const starts = what == "startup";
    return submit(op(starts ? "OP_INSTANCE_STARTUP" : "OP_INSTANCE_SHUTDOWN"), query,
                  [&](Job&) { machine.is_up = machine.runs = starts; });
  }
  if (what == "remove") {
    return submit(op("OP_INSTANCE_REMOVE"), query, [&](Job&) { machines.erase(instance); });
  }
  EXPECT_EQ(what, "export");
  EXPECT_FALSE(machine.runs);
  auto exporting = op("OP_BACKUP_EXPORT");
  exporting["destination_x509_ca"] = *member(body, "destination_x509_ca");
  return submit(std::move(exporting), query, [](Job& job) { job.status = "running"; });
}

Result<json::value> FakeRapi::job_answer(std::string const& method, std::string const& rest,
                                         json::value const& body) {
  auto const id = number(value_of(rest.substr(0, rest.find('/'))));
  auto const found = id ? jobs.find(*id) : jobs.end();
  if (found == jobs.end()) return not_found();
  auto& job = found->second;
  if (method == "DELETE") {
    auto const can = job.status == "running" && !world_.is_ganeti;
    if (can) {
      job.status = "canceled";
      if (text_in(job.op, "OP_ID") == "OP_INSTANCE_CREATE") machines.erase(instance);
    }
    return json::array{can, can ? "canceled" : "it is running"};
  }
  if (rest.ends_with("/wait")) {
    auto const before = job.status;
    if (++job.looks > 1) advance(job);
    auto const known = number_in(body, "previous_log_serial").value_or(0);
    json::array lines;
    for (auto const& line : job.log) {
      if (number(*item(line, 0)).value_or(0) > known) lines.push_back(line);
    }
    auto const told = list_in(body, "previous_job_info");
    auto const is_news = !lines.empty() || told.empty() || text(told[0]) != job.status;
    if (!is_news) return nullptr;
    return json::object{{"job_info", json::array{value_of(job.status)}}, {"log_entries", lines}};
  }
  auto const opstatus = value_of(job.status);
  return json::object{{"status", opstatus},
                      {"opstatus", json::array{opstatus}},
                      {"opresult", json::array{job.result}}};
}

void FakeRapi::advance(Job& job) {
  if (job.status != "running") return;
  auto const op_id = text_in(job.op, "OP_ID");
  if (op_id == "OP_INSTANCE_CREATE") return advance_import(job);
  // An export: as long as somebody listens it is sent at its third look.
  auto const ca = text_in(job.op, "destination_x509_ca");
  auto const listens = std::ranges::any_of(world_.destination.jobs, [&](auto const& one) {
    return one.second.status == "running" && text_in(one.second.op, "ca") == ca;
  });
  if (!listens) {
    job.status = "error";
    job.result = error_of("Export failed, errors in disk export: disk(s) 0");
  } else if (job.looks > 2) {
    job.status = "success";
    job.result = json::array{true, json::array{true}};
  }
}

void FakeRapi::advance_import(Job& job) {
  auto const ca = text_in(job.op, "ca");
  auto const mishap = text_in(job.op, "mishap");
  auto const sender = std::ranges::find_if(world_.source.jobs, [&](auto const& one) {
    return text_in(one.second.op, "destination_x509_ca") == ca;
  });
  auto const is_sent = sender != world_.source.jobs.end() && sender->second.status != "running";
  if (!is_sent && job.looks < looks_max) return;
  auto const has_arrived = is_sent && sender->second.status == "success" && mishap != "disks";
  auto const found = machines.find(instance);
  if (!has_arrived && !world_.is_ganeti) {
    job.status = "error";
    job.result = error_of("the disks did not come");
    machines.erase(instance);
    return;
  }
  if (found == machines.end()) return;
  auto& machine = found->second;
  machine.is_whole = has_arrived;
  if (!has_arrived) {
    job.log.push_back(json::array{3, json::array{0, 0}, "message",
                                  "Some disks for instance web1 on node n1 were not imported "
                                  "successfully"});
  }
  if (is_true_in(job.op, "start")) {
    machine.is_up = true;
    machine.runs = mishap != "start";
  }
  job.status = mishap == "start" ? "error" : "success";
  if (mishap == "start") job.result = error_of("Could not start instance");
}

}  // namespace flotte::cli
