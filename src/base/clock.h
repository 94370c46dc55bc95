// Clock: the seam for time and for threads that wait for each other.
//
// Product code never reads the wall clock, sleeps, starts a thread or waits on a condition variable
// otherwise, so that the simulation can decide the order of everything. A mutex that several
// threads of a controller want is taken by a Guard, for the same reason. No mutex may be held
// across a call of another seam (Node, Store, Locks). Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace flotte {

using Duration = std::chrono::nanoseconds;
// Stamps for people and logs. Never decide by it: it jumps.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;
// What deadlines are made of. Never goes back.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;

  virtual WallTime wall() = 0;
  virtual Instant now() = 0;
  virtual void sleep_until(Instant when) = 0;

  // Waits until notified or the deadline; false at the deadline. Spurious returns are allowed:
  // re-check the condition.
  virtual bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                          Instant deadline) = 0;
  virtual void notify_all(std::condition_variable& condition) = 0;

  // Instant::max() for "no deadline".
  bool wait(std::unique_lock<std::mutex>& lock, std::condition_variable& condition) {
    return wait_until(lock, condition, Instant::max());
  }
  void sleep_for(Duration duration) { sleep_until(now() + duration); }

  // `name` is for debuggers (15 characters at most are shown). The caller joins.
  virtual std::thread start_thread(std::string name, std::function<void()> body) = 0;
  // Waits for the thread's end; one that isn't joinable has none.
  virtual void join(std::thread& thread) = 0;

  // Of Guard: others may go first before a mutex is taken.
  virtual void before_lock() {}
  virtual void after_unlock() {}
};

// Holds a mutex for a scope, but where it is given up in between.
class Guard {
 public:
  Guard(Clock& clock, std::mutex& mutex) : clock_(clock), held_(mutex, std::defer_lock) { lock(); }
  ~Guard() {
    if (owns_lock()) unlock();
  }
  Guard(Guard const&) = delete;
  Guard& operator=(Guard const&) = delete;

  void lock() {
    clock_.before_lock();
    held_.lock();
  }
  void unlock() {
    held_.unlock();
    clock_.after_unlock();
  }
  bool owns_lock() const { return held_.owns_lock(); }
  // For Clock::wait().
  operator std::unique_lock<std::mutex>&() { return held_; }

 private:
  Clock& clock_;
  std::unique_lock<std::mutex> held_;
};

// The machine's clocks and threads. A test's clock derives from it and says what differs.
class SystemClock : public Clock {
 public:
  WallTime wall() override;
  Instant now() override;
  void sleep_until(Instant when) override;
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override;
  void notify_all(std::condition_variable& condition) override;
  std::thread start_thread(std::string name, std::function<void()> body) override;
  void join(std::thread& thread) override;
};

}  // namespace flotte
