#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <vector>

namespace flotte {
namespace {

class Threads {
 public:
  explicit Threads(Clock& clock) : clock_(clock) {}
  // Whatever ends the caller: what they use is his.
  ~Threads() { join(); }
  Threads(Threads const&) = delete;
  Threads& operator=(Threads const&) = delete;

  // False: the machine has no more of them.
  bool start(std::function<void()> const& body) {
    try {
      threads_.push_back(clock_.start_thread("parallel", body));
      return true;
    } catch (std::system_error const&) {
      return false;
    }
  }
  void join() {
    for (auto& thread : threads_) clock_.join(thread);
  }

 private:
  Clock& clock_;
  std::vector<std::thread> threads_;
};

}  // namespace

void parallel(Clock& clock, std::size_t count, std::size_t at_once,
              std::function<void(std::size_t)> const& work) {
  std::atomic<std::size_t> next = 0;
  auto const take_turns = [&] {
    for (auto i = next++; i < count; i = next++) work(i);
  };
  Threads threads(clock);
  auto const wanted = std::min(count, at_once);
  for (std::size_t i = 1; i < wanted && threads.start(take_turns); ++i) continue;
  take_turns();
  threads.join();
}

}  // namespace flotte
