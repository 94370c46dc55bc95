#include "rapi/live_query.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "query/info.h"
#include "query/query.h"
#include "rpc/ask_all.h"
#include "store/config_store.h"

namespace flotte::rapi {
namespace {

using NodeList = std::vector<model::NodePtr>;

constexpr std::chrono::seconds node_timeout{20};

query::Live::Running by_name(rpc::RunningInstances answer) {
  query::Live::Running running;
  running.reserve(answer.instances.size());
  for (auto& one : answer.instances) {
    auto name = one.name;
    running.emplace(std::move(name), std::move(one));
  }
  return running;
}

// Who asks for one of thousands is not told of all. Unknown names are for the query to refuse.
std::vector<std::string> full_names(query::Request const& request, model::Cluster const& cluster) {
  std::vector<std::string> names;
  if (request.what != "instance") return names;
  for (auto const& name : request.names) {
    if (auto const instance = cluster.instance(name)) names.push_back((*instance)->name);
  }
  return names;
}

// Who asks for the exports of one node waits for no other.
NodeList nodes_to_ask(query::Request const& request, model::Cluster const& cluster) {
  auto nodes = cluster.online_nodes();
  if (request.what != "export" || request.names.empty()) return nodes;
  std::erase_if(nodes, [&](model::NodePtr const& node) {
    return std::ranges::none_of(request.names, [&](std::string const& name) {
      auto const named = cluster.node(std::string_view(name));
      return named && (*named)->uuid == node->uuid;
    });
  });
  return nodes;
}

Result<query::Live> ask_nodes(jobs::Seams const& seams, std::int64_t epoch,
                              model::Cluster const& cluster, query::Request const& request) {
  query::Live live;
  auto const needs = TRY(query::needs_of(request));
  auto const names = full_names(request, cluster);
  auto const& settings = cluster.settings();
  auto const asks = needs.running || needs.facts || needs.exports;
  auto const nodes = asks ? nodes_to_ask(request, cluster) : NodeList();
  rpc::CallContext const context{.leader_epoch = epoch, .timeout = node_timeout};
  // A node that does not answer leaves its cells without data; the list is shown all the same.
  if (needs.running) {
    rpc::AllInstancesInfo const question{settings.enabled_hypervisors, names};
    for (auto& [id, answer] : rpc::ask_all(seams.clock, seams.nodes, nodes, question, context)) {
      live.running[id] = answer ? std::optional(by_name(*std::move(answer))) : std::nullopt;
    }
  }
  if (needs.facts) {
    rpc::NodeInfo const question{settings.file_storage_dir};
    for (auto& [id, answer] : rpc::ask_all(seams.clock, seams.nodes, nodes, question, context)) {
      live.facts[id] = answer ? std::optional(*std::move(answer)) : std::nullopt;
    }
  }
  if (needs.exports) {
    rpc::ExportList const question;
    for (auto& [id, answer] : rpc::ask_all(seams.clock, seams.nodes, nodes, question, context)) {
      live.exports[id] = answer ? std::optional(std::move(answer->names)) : std::nullopt;
    }
  }
  return live;
}

json::value time_of(std::vector<std::int64_t> const& time) {
  if (time.empty()) return nullptr;
  return json::array{time[0], time[1]};
}

json::object job_row(jobs::Job const& job) {
  json::array ops, results, statuses, logs, starts, execs, ends, summaries, priorities;
  std::int64_t priority = 0;
  for (auto const& op : job.ops) {
    ops.push_back(opcodes::without_secrets(op.input));
    results.push_back(op.result);
    statuses.push_back(json::value(jobs::to_string(op.status)));
    json::array log;
    for (auto const& entry : op.log) log.push_back(entry.wire());
    logs.push_back(std::move(log));
    starts.push_back(time_of(op.start_timestamp));
    execs.push_back(time_of(op.exec_timestamp));
    ends.push_back(time_of(op.end_timestamp));
    auto const summary = opcodes::summary(op.input);
    summaries.push_back(json::value(json::string_view(summary)));
    priorities.push_back(op.priority);
    priority = op.priority;
  }
  json::object row;
  row["id"] = number(job.id);
  row["status"] = jobs::to_string(job.status());
  if (job.submitted_by) row["submitted_by"] = json::string(job.submitted_by->text());
  row["archived"] = job.is_archived;
  row["priority"] = priority;
  row["ops"] = std::move(ops);
  row["opresult"] = std::move(results);
  row["opstatus"] = std::move(statuses);
  row["oplog"] = std::move(logs);
  row["opstart"] = std::move(starts);
  row["opexec"] = std::move(execs);
  row["opend"] = std::move(ends);
  row["oppriority"] = std::move(priorities);
  row["summary"] = std::move(summaries);
  row["received_ts"] = time_of(job.received_timestamp);
  row["start_ts"] = time_of(job.start_timestamp);
  row["end_ts"] = time_of(job.end_timestamp);
  if (!job.set_aside.empty()) row["set_aside"] = json::value(json::string_view(job.set_aside));
  return row;
}

// An unknown id is a row that knows nothing but its id.
Result<std::vector<json::object>> job_rows(jobs::JobQueue const& queue,
                                           std::vector<std::string> const& names, bool wants_logs,
                                           bool wants_journal) {
  std::vector<json::object> rows;
  for (auto const& name : names) {
    std::int64_t id = 0;
    auto const [end, status] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (status != std::errc() || end != name.data() + name.size()) {
      return fail(ErrorCode::WrongInput, "Invalid job ID '{}'", name);
    }
    using Logs = jobs::JobQueue::Logs;
    auto const job = queue.job(JobId{id}, wants_logs ? Logs::With : Logs::Without);
    rows.push_back(job ? job_row(*job) : json::object{{"id", id}});
    if (job && wants_journal) rows.back()["journal"] = queue.journal(JobId{id});
  }
  if (!names.empty()) return rows;
  for (auto const& job : queue.jobs()) {
    auto const with_log = wants_logs ? queue.job(job.id) : Result<jobs::Job>(job);
    if (with_log) rows.push_back(job_row(*with_log));
  }
  return rows;
}

std::vector<json::object> lock_rows(jobs::JobQueue const& queue) {
  std::map<std::string, json::object> by_name;
  for (auto const& entry : queue.locks()) {
    for (auto const& lock : entry.locks) {
      auto const name = jobs::lock_name(lock);
      auto& row = by_name[name];
      if (row.empty()) {
        row["name"] = json::value(json::string_view(name));
        row["mode"] = nullptr;
        row["owner"] = nullptr;
        row["pending"] = json::array();
      }
      auto const mode = lock.mode == jobs::LockMode::Shared ? "shared" : "exclusive";
      auto const who = fmt::format("Job{}", number(entry.job));
      if (entry.is_granted) {
        row["mode"] = mode;
        if (!row["owner"].is_array()) row["owner"] = json::array();
        row["owner"].get_array().push_back(json::value(json::string_view(who)));
      } else {
        row["pending"].get_array().push_back(
            json::array{mode, json::array{json::value(json::string_view(who))}});
      }
    }
  }
  std::vector<json::object> rows;
  for (auto& [name, row] : by_name) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

Result<json::value> run_query(jobs::Seams const& seams, jobs::JobQueue const& queue,
                              std::int64_t leader_epoch, json::object const& body) {
  auto const request = TRY(query::parse_request(body));
  auto const cluster = seams.config.snapshot();
  auto const live = TRY(ask_nodes(seams, leader_epoch, *cluster, request));
  std::vector<json::object> objects;
  if (request.what == "job") {
    // Only in the store, and long.
    auto const filter = json::serialize(request.filter);
    auto const wants = [&](std::string_view field) {
      return std::ranges::find(request.fields, field) != request.fields.end() ||
             filter.find(fmt::format("\"{}\"", field)) != std::string::npos;
    };
    objects = TRY(job_rows(queue, request.names, wants("oplog"), wants("journal")));
  }
  if (request.what == "lock") objects = lock_rows(queue);
  return query::run(request, *cluster, live, objects);
}

Result<json::value> run_query_fields(json::object const& body) {
  auto const request = TRY(query::parse_request(body));
  return query::fields_of(request.what, request.fields);
}

json::value cluster_dict(model::Cluster const& cluster, bool is_drained,
                         std::optional<std::int64_t> watcher_paused_until) {
  return query::cluster_info(cluster, is_drained, watcher_paused_until);
}

}  // namespace flotte::rapi
