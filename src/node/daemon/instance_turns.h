// InstanceTurns: one call at a time about one instance, so that an undo never meets the deed it
// undoes still at work. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "node/daemon/call_table.h"

namespace flotte::node {

class InstanceTurns {
 public:
  explicit InstanceTurns(Clock& clock) : clock_(clock) {}

  // Waits for its turn. `progress` may end the wait, and is asked once more when the turn has come.
  template <class Function>
  auto take(std::string const& instance, rpc::Progress const& progress, Function function)
      -> decltype(function()) {
    TRY(begin(instance, progress));
    struct End {
      InstanceTurns& turns;
      std::string const& instance;
      ~End() { turns.end(instance); }
    } const end_of_turn{*this, instance};
    return function();
  }

  // False where it isn't its turn at once: nothing is done.
  template <class Function>
  bool take_if_free(std::string const& instance, Function function) {
    {
      std::lock_guard const lock(mutex_);
      if (!busy_.insert(instance).second) return false;
    }
    struct End {
      InstanceTurns& turns;
      std::string const& instance;
      ~End() { turns.end(instance); }
    } const end_of_turn{*this, instance};
    function();
    return true;
  }

 private:
  Result<void> begin(std::string const& instance, rpc::Progress const& progress) {
    std::unique_lock lock(mutex_);
    for (;;) {
      auto const is_mine = busy_.insert(instance).second;
      if (!is_mine) clock_.wait_until(lock, freed_, clock_.now() + poll_interval);
      lock.unlock();
      auto const goes_on = !progress || progress(just_asking);
      lock.lock();
      if (is_mine && goes_on) return {};
      if (goes_on) continue;
      if (is_mine) free(instance);
      return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError,
                     "The wait for another call about instance {} was ended", instance);
    }
  }
  void end(std::string const& instance) {
    std::lock_guard const lock(mutex_);
    free(instance);
  }

  void free(std::string const& instance) {  // with mutex_ held
    busy_.erase(instance);
    clock_.notify_all(freed_);
  }

  static constexpr std::chrono::milliseconds poll_interval{100};
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::set<std::string> busy_;
};

}  // namespace flotte::node
