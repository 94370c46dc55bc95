// For the tests of the controller only: the machine's clock, which can be put forward. Who waits
// until a time sees it when he is woken.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace flotte::controller {

class ShiftedClock final : public SystemClock {
 public:
  void put_forward(Duration by) { shift_ = shift_.load() + by; }

  WallTime wall() override { return SystemClock::wall() + shift_.load(); }
  Instant now() override { return SystemClock::now() + shift_.load(); }
  void sleep_until(Instant when) override { SystemClock::sleep_until(when - shift_.load()); }
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override {
    return SystemClock::wait_until(
        lock, condition, deadline == Instant::max() ? deadline : deadline - shift_.load());
  }

 private:
  std::atomic<Duration> shift_ = Duration::zero();
};

}  // namespace flotte::controller
