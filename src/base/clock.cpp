#include "base/clock.h"

#include <pthread.h>

namespace flotte {
namespace {
// Instant::max() overflows inside condition_variable::wait_until; a year is "no deadline" for a
// single wait.
constexpr auto wait_max = std::chrono::hours(24 * 365);
}  // namespace

WallTime SystemClock::wall() {
  return std::chrono::system_clock::now();
}

Instant SystemClock::now() {
  return std::chrono::steady_clock::now();
}

void SystemClock::sleep_until(Instant when) {
  std::this_thread::sleep_until(when);
}

bool SystemClock::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                             Instant deadline) {
  auto const bounded = std::min(deadline, Instant(SystemClock::now() + wait_max));
  return condition.wait_until(lock, bounded) == std::cv_status::no_timeout;
}

void SystemClock::notify_all(std::condition_variable& condition) {
  condition.notify_all();
}

std::thread SystemClock::start_thread(std::string name, std::function<void()> body) {
  return std::thread([name = std::move(name), body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    body();
  });
}

void SystemClock::join(std::thread& thread) {
  if (thread.joinable()) thread.join();
}

}  // namespace flotte
