#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "base/crash.h"

namespace flotte {
namespace {

TEST(Parallel, each_once) {
  SystemClock clock;
  std::vector<std::atomic<int>> calls(100);
  parallel(clock, calls.size(), 8, [&](std::size_t i) { ++calls[i]; });
  for (auto const& count : calls) EXPECT_EQ(count, 1);
}

TEST(Parallel, several_at_a_time) {
  SystemClock clock;
  std::latch all_have_begun(4);
  parallel(clock, 4, 4, [&](std::size_t) { all_have_begun.arrive_and_wait(); });
}

TEST(Parallel, not_more_than_that) {
  SystemClock clock;
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  parallel(clock, 50, 3, [&](std::size_t) {
    auto const here = ++now;
    for (auto seen = most.load(); seen < here && !most.compare_exchange_weak(seen, here);) continue;
    std::this_thread::yield();
    --now;
  });
  EXPECT_LE(most, 3);
}

TEST(Parallel, they_work_for_who_called) {
  SystemClock clock;
  crash::Blame const blame("1 7\n");
  std::latch all_have_begun(3);
  parallel(clock, 3, 3, [&](std::size_t) {
    all_have_begun.arrive_and_wait();
    EXPECT_EQ(crash::blame_of_this_thread(), "1 7\n");
  });
}

TEST(Parallel, one_needs_no_thread) {
  SystemClock clock;
  parallel(clock, 0, 8, [](std::size_t) { FAIL(); });
  parallel(clock, 1, 8, [caller = std::this_thread::get_id()](std::size_t) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

}  // namespace
}  // namespace flotte
