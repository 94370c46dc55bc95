// RemoteCluster: another cluster, asked with patience. What it does not answer is asked again for
// so long; what must not be done twice is looked for among its jobs first. One thread at a time.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cli/rapi_client.h"

namespace flotte::cli {

using RemoteJobId = std::int64_t;

struct RemoteJob {
  RemoteJobId id = 0;
  std::string status;
  json::array ops;  // as they were submitted
};
// Of "success", "error", "canceled".
bool has_ended(std::string_view status);

// A line of a job's log.
struct LogLine {
  std::string type;  // "message", "remote-import"
  json::value content;
};
using OnLogLine = std::function<void(LogLine const&)>;

class RemoteCluster {
 public:
  struct Patience {
    Duration longest = std::chrono::minutes(10);
    Duration pause = std::chrono::seconds(3);
  };

  RemoteCluster(std::string name, Rapi& rapi, Clock& clock, Patience patience);

  std::string const& name() const { return name_; }
  Clock& clock() { return clock_; }
  // Stands in each job that is submitted: ours or not, it tells who did.
  void set_reason(std::string reason) { reason_ = std::move(reason); }

  Result<json::value> get(std::string const& target, json::value const& body = {});
  // Nothing: there is no such thing.
  Result<std::optional<json::value>> find(std::string const& target);

  // What may be done twice: the job that does it.
  Result<RemoteJobId> submit(std::string const& method, std::string const& target,
                             json::value const& body = {});
  // What may not: `is_it` knows its opcode.
  using IsIt = std::function<bool(json::object const& op)>;
  Result<RemoteJobId> submit_once(std::string const& method, std::string const& target,
                                  json::value const& body, IsIt const& is_it);
  // Submits and follows to the end: the results of its opcodes.
  Result<json::array> run(std::string const& method, std::string const& target,
                          json::value const& body = {});

  // Those with an opcode that fits, the latest first.
  Result<std::vector<RemoteJob>> jobs(IsIt const& is_it);
  // False: it is at work, or has ended.
  Result<bool> cancel(RemoteJobId id);

 private:
  friend class JobFollower;

  Result<json::value> ask(std::string const& method, std::string const& target,
                          json::value const& body);
  std::string with_reason(std::string const& target) const;

  std::string name_;
  Rapi& rapi_;
  Clock& clock_;
  Patience patience_;
  std::string reason_;
  std::set<RemoteJobId> ours_;
};

// Reads a job's log from its beginning, and knows how it ended.
class JobFollower {
 public:
  JobFollower(RemoteCluster& cluster, RemoteJobId id);

  RemoteJobId id() const { return id_; }
  std::string const& status() const { return status_; }
  bool has_ended() const { return cli::has_ended(status_); }
  bool has_succeeded() const { return status_ == "success"; }

  // Waits for news, ten seconds or so. An error: the cluster was away for longer than anybody waits
  // for it, or the job is not there any more.
  Result<void> look(OnLogLine const& on_line);
  // Of a job that has ended: the results of its opcodes, or why it failed.
  Result<json::array> results();

 private:
  RemoteCluster& cluster_;
  RemoteJobId id_;
  std::string status_;
  json::value serial_;
  json::value told_;
};

// Of ["OpPrereqError", ["text", "code"]] in a job's results.
Error job_error(json::value const& told);

}  // namespace flotte::cli
