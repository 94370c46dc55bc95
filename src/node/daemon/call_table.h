// CallTable: the calls of jobs that are at work on this node, and the answers of those which ended
// a short while ago.
//
// Used by the node daemon. A call runs on a thread of its own and outlives the connection that
// asked for it; the same call (job, step, name, arguments) asked again joins it, so that nothing
// is done twice at once. Thread-safe. ARCHITECTURE.md, "Jobs that survive".
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "rpc/epoch.h"

namespace flotte::node {

namespace json = boost::json;

// A poll: nothing is said, but the answer tells whether to go on.
constexpr std::string_view just_asking;

class CallTable {
 public:
  static constexpr std::size_t running_max = 256;
  static constexpr std::size_t answers_kept_max = 1000;
  static constexpr std::size_t answers_with_lines_max = 32;
  static constexpr std::size_t lines_kept_max = 1000;  // of one call
  static constexpr std::chrono::milliseconds heartbeat{500};
  static constexpr std::chrono::seconds patience{10};

  explicit CallTable(Clock& clock) : clock_(clock) {}
  ~CallTable() { stop(); }
  CallTable(CallTable const&) = delete;
  CallTable& operator=(CallTable const&) = delete;

  struct Identity {
    std::int64_t leader_epoch = 0;
    std::int64_t job = 0;
    std::int64_t step = 0;
    std::string call;
    std::size_t arguments_digest = 0;
    std::string instance = {};  // that the call is about
    std::int64_t serial = 0;

    // A job resumed by the next leader still means the same call.
    bool is_same_call(Identity const& other) const;
  };

  // Progress as in rpc/node.h; `just_asking` may be given as the line.
  using Work = std::function<Result<json::value>(rpc::Progress const&)>;
  class Call;

  // Starts the work, or finds it where it is at work already or was done under the same leader.
  // Whatever else is still at work about the same instance was given up by its sender, or it would
  // not have gone on: it is asked to stop. Who starts a call follows it.
  Result<std::shared_ptr<Call>> start(Identity identity, Work work);

  // Hands over what the call says, from its beginning as far as it is kept, and rpc::alive_line
  // while it is silent. The call waits for one who listens; where it did not, and lines are gone,
  // the listener is told how many. Nothing is returned when `on_line` returns false; the call goes
  // on.
  using OnLine = std::function<bool(std::string_view line)>;
  std::optional<Result<json::value>> follow(Call& call, OnLine const& on_line);

  // Asks the work of that step to stop; its Progress returns false from now on.
  void cancel(std::int64_t job, std::int64_t step);
  // Forgets all answers, and the order of calls.
  void forget();
  // Asks everything to stop and waits for it until the deadline; nothing starts any more. False
  // when something still works.
  bool stop(Instant deadline = Instant::max());

 private:
  void run(Call& call, Work const& work);
  void wait_for_listeners(Call& call, std::unique_lock<std::mutex>& lock);
  static std::vector<std::string> fresh_lines(Call& call, std::size_t& next);
  std::optional<Result<json::value>> listen(Call& call, OnLine const& on_line,
                                            std::unique_lock<std::mutex>& lock);
  void join_ended();
  void remember(std::shared_ptr<Call> const& call);  // with mutex_ held
  std::shared_ptr<Call> find(Identity const& identity) const;
  Result<void> take_place(Identity const& identity);  // with mutex_ held

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_stopping_ = false;
  std::list<std::shared_ptr<Call>> running_;
  std::deque<std::shared_ptr<Call>> answered_;
  rpc::LatestCalls latest_;
};

}  // namespace flotte::node
