#include "node/daemon/call_table.h"

#include <algorithm>
#include <thread>

#include "base/boundary.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {
// Reads and the like: each is its own.
constexpr std::int64_t no_job = 0;
}  // namespace

// Everything but the identity is guarded by the table's mutex.
class CallTable::Call {
 public:
  explicit Call(Identity id) : identity(std::move(id)) {}

  Identity const identity;
  std::thread thread;
  std::deque<std::string> lines;
  std::size_t lines_dropped = 0;
  // Who listens, and as far as the one who is in front has come. Who started the call is a listener
  // that is still on its way.
  bool is_awaited = true;
  std::size_t listeners = 0;
  std::size_t lines_taken = 0;
  bool is_left_behind = false;
  bool is_canceled = false;

  std::size_t lines_said() const { return lines_dropped + lines.size(); }
  std::optional<Result<json::value>> answer;
};

bool CallTable::Identity::is_same_call(Identity const& other) const {
  return job == other.job && step == other.step && call == other.call &&
         arguments_digest == other.arguments_digest;
}

Result<std::shared_ptr<CallTable::Call>> CallTable::start(Identity identity, Work work) {
  join_ended();
  std::lock_guard const lock(mutex_);
  if (is_stopping_) {
    return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "The node daemon is stopping");
  }
  if (auto known = find(identity)) return known;
  if (running_.size() >= running_max) {
    return fail_as(ErrorClass::Exec, ErrorCode::TempInsufficientResources,
                   "The node carries out {} calls already; try again later", running_max);
  }
  TRY(take_place(identity));
  auto call = std::make_shared<Call>(std::move(identity));
  running_.push_back(call);
  call->thread = clock_.start_thread(call->identity.call,
                                     [this, call, work = std::move(work)] { run(*call, work); });
  return call;
}

std::optional<Result<json::value>> CallTable::follow(Call& call, OnLine const& on_line) {
  std::unique_lock lock(mutex_);
  call.is_awaited = false;
  ++call.listeners;
  auto answer = listen(call, on_line, lock);
  if (!lock.owns_lock()) lock.lock();
  --call.listeners;
  call.lines_taken = 0;
  clock_.notify_all(changed_);
  return answer;
}

// What is new since `next`; where lines were dropped before they were heard, how many.
std::vector<std::string> CallTable::fresh_lines(Call& call, std::size_t& next) {
  std::vector<std::string> fresh;
  if (next < call.lines_dropped) {
    fresh.push_back(rpc::say_line(
        fmt::format(" - WARNING: {} lines are left out here", call.lines_dropped - next)));
    next = call.lines_dropped;
  }
  auto const seen = static_cast<std::ptrdiff_t>(next - call.lines_dropped);
  fresh.insert(fresh.end(), call.lines.begin() + seen, call.lines.end());
  next = call.lines_said();
  call.lines_taken = std::max(call.lines_taken, next);
  call.is_left_behind = false;
  return fresh;
}

std::optional<Result<json::value>> CallTable::listen(Call& call, OnLine const& on_line,
                                                     std::unique_lock<std::mutex>& lock) {
  std::size_t next = 0;
  auto next_alive = clock_.now() + heartbeat;
  for (;;) {
    auto fresh = fresh_lines(call, next);
    if (!fresh.empty()) clock_.notify_all(changed_);
    auto const answer = call.answer;
    if (fresh.empty() && !answer) {
      if (clock_.now() < next_alive) {
        clock_.wait_until(lock, changed_, next_alive);
        continue;
      }
      fresh.emplace_back(rpc::alive_line);
    }
    lock.unlock();
    for (auto const& line : fresh) {
      if (!on_line(line)) return std::nullopt;
    }
    if (answer) return answer;
    next_alive = clock_.now() + heartbeat;
    lock.lock();
  }
}

void CallTable::cancel(std::int64_t job, std::int64_t step) {
  std::lock_guard const lock(mutex_);
  for (auto const& call : running_) {
    if (call->identity.job == job && call->identity.step == step) call->is_canceled = true;
  }
}

void CallTable::forget() {
  std::lock_guard const lock(mutex_);
  answered_.clear();
  latest_ = {};
}

bool CallTable::stop(Instant deadline) {
  {
    std::lock_guard const lock(mutex_);
    is_stopping_ = true;
    for (auto const& call : running_) call->is_canceled = true;
  }
  for (;;) {
    join_ended();
    std::unique_lock lock(mutex_);
    if (running_.empty()) return true;
    auto const now = clock_.now();
    if (now >= deadline) return false;
    clock_.wait_until(lock, changed_, std::min(deadline, Instant(now + heartbeat)));
  }
}

void CallTable::run(Call& call, Work const& work) {
  auto const take_line = [&](std::string_view line) {
    std::unique_lock lock(mutex_);
    if (line != just_asking) {
      wait_for_listeners(call, lock);
      call.lines.emplace_back(line);
      if (call.lines.size() > lines_kept_max) {
        call.lines.pop_front();
        ++call.lines_dropped;
      }
      clock_.notify_all(changed_);
    }
    return !call.is_canceled;
  };
  auto answer = boundary(call.identity.call, [&] { return work(take_line); });
  std::lock_guard const lock(mutex_);
  call.answer = std::move(answer);
  clock_.notify_all(changed_);
}

// Whoever says more than is kept waits until it was heard, as on a pipe. But a listener that hears
// nothing for so long is left behind.
void CallTable::wait_for_listeners(Call& call, std::unique_lock<std::mutex>& lock) {
  auto const give_up_at = clock_.now() + patience;
  while ((call.is_awaited || call.listeners > 0) && !call.is_left_behind && !call.is_canceled &&
         call.lines_said() >= call.lines_taken + lines_kept_max) {
    clock_.wait_until(lock, changed_, give_up_at);
    call.is_left_behind = clock_.now() >= give_up_at;
  }
}

// Lines are kept a little longer than the work lasts, because whoever follows it may be slow.
void CallTable::remember(std::shared_ptr<Call> const& call) {
  if (call->identity.job == no_job) return;
  answered_.push_back(call);
  if (answered_.size() > answers_kept_max) answered_.pop_front();
  if (answered_.size() <= answers_with_lines_max) return;
  auto& old = *answered_[answered_.size() - 1 - answers_with_lines_max];
  old.lines_dropped += old.lines.size();
  old.lines.clear();
}

// A thread that has given its answer touches nothing afterwards, so that joining is a moment.
void CallTable::join_ended() {
  std::vector<std::shared_ptr<Call>> ended;
  {
    std::lock_guard const lock(mutex_);
    for (auto place = running_.begin(); place != running_.end();) {
      if (!(*place)->answer) {
        ++place;
        continue;
      }
      ended.push_back(*place);
      remember(*place);
      place = running_.erase(place);
    }
  }
  for (auto const& call : ended) clock_.join(call->thread);
}

std::shared_ptr<CallTable::Call> CallTable::find(Identity const& identity) const {
  if (identity.job == no_job) return nullptr;
  for (auto const& call : running_) {
    if (call->identity.is_same_call(identity)) return call;
  }
  // Job numbers begin again when a cluster is made anew, and an old answer must not stand for a
  // new deed: so only under the same leader.
  for (auto const& call : answered_) {
    if (call->identity.is_same_call(identity) &&
        call->identity.leader_epoch == identity.leader_epoch) {
      return call;
    }
  }
  return nullptr;
}

Result<void> CallTable::take_place(Identity const& identity) {
  if (identity.serial == 0 || identity.instance.empty()) return {};
  TRY(latest_.take(identity.instance,
                   {.leader_epoch = identity.leader_epoch, .serial = identity.serial}));
  for (auto const& call : running_) {
    if (call->identity.serial != 0 && call->identity.instance == identity.instance) {
      call->is_canceled = true;
    }
  }
  return {};
}

}  // namespace flotte::node
