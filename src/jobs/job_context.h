// JobContext: what apply() may do. Every act goes through it, so that the journal knows of it
// before it happens.
//
// Used by one executor thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/hooks.h"
#include "jobs/locks.h"
#include "model/cluster.h"
#include "rpc/node.h"

namespace flotte {
class Clock;
}
namespace flotte::store {
class ClusterEdit;
}

namespace flotte::jobs {

namespace json = boost::json;

// A node call as data, so that it can lie in the journal.
struct CallData {
  NodeId node;
  std::string call;
  json::object arguments;

  static schema::Fields fields();
};

template <class Call>
CallData call_data(NodeId node, Call const& call) {
  return {std::move(node), std::string(Call::name), schema::encode(call)};
}

// What makes a step undone: a node call, or the removal of an object from the configuration.
struct Undo {
  std::optional<CallData> call;
  std::optional<InstanceId> remove_instance;
  std::optional<model::Instance> put_instance;
  // Where it fails somebody else sees to it, as the watcher to what should run: nothing is kept of
  // the job for that.
  bool is_seen_to = false;

  static schema::Fields fields();
};

template <class Call>
Undo undo_call(NodeId node, Call const& call) {
  return {.call = call_data(std::move(node), call)};
}

struct StepOptions {
  std::optional<Undo> undo;
  std::chrono::seconds timeout{600};
  // Where lines that the node says while it works go: into the job's log, or nowhere.
  bool logs_output = false;
};

class JobContext {
 public:
  virtual ~JobContext() = default;

  // Writes the intent and the undo to the journal, makes the call, and remembers its answer. An
  // unreachable node is asked again (the call is idempotent) until `step_retry_max`. `says` is for
  // the journal and for people who read it.
  template <class Call>
  Result<typename Call::Reply> step(std::string says, NodeId const& node, Call const& call,
                                    StepOptions options = {}) {
    auto const reply = TRY(run_step(std::move(says), call_data(node, call), std::move(options)));
    return schema::decode<typename Call::Reply>(reply, schema::UnknownKeys::Ignore);
  }

  // Changes the configuration exactly once, however often the job is run again. The edit may run
  // several times when others commit meanwhile.
  virtual Result<void> commit(std::string says,
                              std::function<Result<void>(store::ClusterEdit&)> const& edit,
                              std::optional<Undo> undo = {}) = 0;

  // What was done so far stays, whatever fails later, and a wish to cancel comes too late.
  virtual Result<void> keep() = 0;

  // A wish to cancel waits as long as this holds: for what must not be left in its middle, where
  // nobody knows yet how to undo it.
  virtual void hold_cancel(bool holds) = 0;

  // A line for the waiting command and the job's log; info() is marked as Ganeti marks it: " -
  // INFO: ".
  virtual void log(std::string text) = 0;
  void info(std::string_view text) { log(fmt::format(" - INFO: {}", text)); }
  void warn(std::string_view text) { log(fmt::format(" - WARNING: {}", text)); }

  // Jobs that this one leaves behind; exactly once. The answer is Ganeti's [[true, id], ...].
  virtual Result<json::array> submit(std::vector<json::array> jobs) = 0;

  // The hooks after the operation, for those that tell what became of them; otherwise they run when
  // apply() has ended. The failed ones are in the job's log.
  virtual std::vector<HookReport> run_post_hooks() = 0;

  // What every node has of the configuration in files is written anew; of each that could not be
  // written to one sentence. It is written again and again anyway: not journaled.
  virtual std::vector<std::string> rewrite_ssconf() = 0;

  // Reads; not journaled.
  template <class Call>
  Result<typename Call::Reply> read(model::Node const& node, Call const& call) {
    return nodes().ask(node, call, read_context());
  }
  virtual std::shared_ptr<model::Cluster const> cluster() = 0;
  virtual Clock& clock() = 0;
  // Sleeps; ends early with JobCanceled when the job is canceled.
  virtual Result<void> sleep(std::chrono::nanoseconds duration) = 0;
  virtual JobId id() const = 0;

 protected:
  virtual Result<json::value> run_step(std::string says, CallData call, StepOptions options) = 0;
  virtual rpc::Node& nodes() = 0;
  virtual rpc::CallContext read_context() = 0;
};

}  // namespace flotte::jobs
