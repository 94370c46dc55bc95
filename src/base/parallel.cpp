#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <vector>

#include "base/crash.h"

namespace flotte {
namespace {

// Of all callers together, about.
constexpr int threads_max = 128;
std::atomic<int> threads_of_all = 0;

class Threads {
 public:
  explicit Threads(Clock& clock) : clock_(clock) {}
  // Whatever ends the caller: what they use is his.
  ~Threads() { join(); }
  Threads(Threads const&) = delete;
  Threads& operator=(Threads const&) = delete;

  // False: there are enough of them in this process, or the machine has no more.
  bool start(std::function<void()> const& body) {
    if (threads_of_all >= threads_max) return false;
    try {
      threads_.push_back(clock_.start_thread("parallel", [body] {
        struct Counted {
          Counted() { ++threads_of_all; }
          ~Counted() { --threads_of_all; }
        } const counted;
        body();
      }));
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
  // A crash of theirs is put down to what the caller works for.
  auto const blame = crash::blame_of_this_thread();
  auto const help = [&] {
    std::optional<crash::Blame> taken;
    if (!blame.empty()) taken.emplace(blame);
    take_turns();
  };
  Threads threads(clock);
  auto const wanted = std::min(count, at_once);
  for (std::size_t i = 1; i < wanted && threads.start(help); ++i) continue;
  take_turns();
  threads.join();
}

}  // namespace flotte
