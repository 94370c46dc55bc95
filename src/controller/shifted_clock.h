// For the tests of the controller only: the machine's clock, which can be put forward. Who waits
// until a time sees it when he is woken.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace flotte::controller {

class ShiftedClock final : public Clock {
 public:
  void put_forward(Duration by) { shift_ = shift_.load() + by; }

  WallTime wall() override { return machine_.wall() + shift_.load(); }
  Instant now() override { return machine_.now() + shift_.load(); }
  void sleep_until(Instant when) override { machine_.sleep_until(when - shift_.load()); }
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override {
    return machine_.wait_until(lock, condition,
                               deadline == Instant::max() ? deadline : deadline - shift_.load());
  }
  void notify_all(std::condition_variable& condition) override { machine_.notify_all(condition); }
  std::thread start_thread(std::string name, std::function<void()> body) override {
    return machine_.start_thread(std::move(name), std::move(body));
  }
  void join(std::thread& thread) override { machine_.join(thread); }

 private:
  SystemClock machine_;
  std::atomic<Duration> shift_ = Duration::zero();
};

}  // namespace flotte::controller
