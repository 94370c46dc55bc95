#include "node/daemon/call_table.h"

#include <gtest/gtest.h>

#include <atomic>

#include "node/daemon/instance_turns.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {

CallTable::Identity step(std::int64_t number, std::int64_t epoch = 1) {
  return {.leader_epoch = epoch, .job = 7, .step = number, .call = "x", .arguments_digest = 1};
}

Result<json::value> answer_of(CallTable& table, CallTable::Identity identity,
                              CallTable::Work work) {
  auto const call = table.start(std::move(identity), std::move(work));
  if (!call) return Failure(call.error());
  return *table.follow(**call, [](std::string_view) { return true; });
}

class CallTableTest : public ::testing::Test {
 protected:
  CallTable::Work counting() {
    return [this](rpc::Progress const&) { return Result<json::value>(++done); };
  }
  SystemClock clock;
  CallTable table{clock};
  std::atomic<int> done = 0;
};

TEST_F(CallTableTest, a_finished_step_answers_from_memory_under_the_same_leader_only) {
  EXPECT_EQ(*answer_of(table, step(1), counting()), 1);
  EXPECT_EQ(*answer_of(table, step(1), counting()), 1);
  EXPECT_EQ(*answer_of(table, step(1, 2), counting()), 2);
  EXPECT_EQ(*answer_of(table, step(2), counting()), 3);
  auto other = step(1);
  other.arguments_digest = 2;
  EXPECT_EQ(*answer_of(table, other, counting()), 4);
  table.forget();
  EXPECT_EQ(*answer_of(table, step(1), counting()), 5);
}

TEST_F(CallTableTest, reads_are_never_remembered) {
  auto read = step(1);
  read.job = 0;
  EXPECT_EQ(*answer_of(table, read, counting()), 1);
  EXPECT_EQ(*answer_of(table, read, counting()), 2);
}

TEST_F(CallTableTest, memory_is_bounded) {
  auto const steps = static_cast<std::int64_t>(CallTable::answers_kept_max) + 2;
  for (std::int64_t i = 0; i < steps; ++i) ASSERT_TRUE(answer_of(table, step(i), counting()));
  EXPECT_EQ(*answer_of(table, step(0), counting()), steps + 1);
  EXPECT_EQ(*answer_of(table, step(steps - 1), counting()), steps);
}

CallTable::Work saying(std::size_t lines) {
  return [lines](rpc::Progress const& progress) {
    for (std::size_t i = 0; i < lines; ++i) progress(std::to_string(i));
    return Result<json::value>("end");
  };
}

TEST_F(CallTableTest, who_says_very_much_waits_for_who_listens) {
  auto const lines = 5 * CallTable::lines_kept_max;
  auto const call = table.start(step(1), saying(lines));
  std::size_t heard = 0;
  table.follow(**call, [&](std::string_view line) {
    if (line == rpc::alive_line) return true;
    EXPECT_EQ(line, std::to_string(heard++));
    if (heard < 10) clock.sleep_for(std::chrono::milliseconds(5));
    return true;
  });
  EXPECT_EQ(heard, lines);
}

TEST_F(CallTableTest, what_is_said_before_the_first_listener_came_is_kept_for_it) {
  auto const lines = 5 * CallTable::lines_kept_max;
  auto const call = table.start(step(1), saying(lines));
  clock.sleep_for(std::chrono::milliseconds(50));
  std::size_t heard = 0;
  table.follow(**call, [&](std::string_view line) {
    if (line == rpc::alive_line) return true;
    EXPECT_EQ(line, std::to_string(heard++));
    return true;
  });
  EXPECT_EQ(heard, lines);
}

TEST_F(CallTableTest, nobody_waits_for_a_listener_that_has_gone_and_the_next_is_told) {
  auto const lines = 3 * CallTable::lines_kept_max;
  std::atomic<bool> is_said = false;
  auto const call = table.start(step(1), [&](rpc::Progress const& progress) {
    auto answer = saying(lines)(progress);
    is_said = true;
    return answer;
  });
  EXPECT_FALSE(table.follow(**call, [](std::string_view) { return false; }));
  while (!is_said) clock.sleep_for(std::chrono::milliseconds(1));
  std::vector<std::string> heard;
  table.follow(**call, [&](std::string_view line) {
    heard.emplace_back(line);
    return true;
  });
  ASSERT_EQ(heard.size(), CallTable::lines_kept_max + 1);
  EXPECT_EQ(heard.front(), rpc::say_line(" - WARNING: 2000 lines are left out here"));
  EXPECT_EQ(heard.back(), std::to_string(lines - 1));
}

TEST_F(CallTableTest, all_lines_arrive_in_order_before_the_answer) {
  auto const call = table.start(step(1), [](rpc::Progress const& progress) {
    for (int i = 0; i < 100; ++i) progress(std::to_string(i));
    return Result<json::value>("end");
  });
  int expected = 0;
  auto const answer = table.follow(**call, [&](std::string_view line) {
    if (line == rpc::alive_line) return true;
    EXPECT_EQ(line, std::to_string(expected++));
    return true;
  });
  EXPECT_EQ(expected, 100);
  EXPECT_EQ(**answer, "end");
}

TEST_F(CallTableTest, a_silent_call_shows_that_it_is_alive) {
  auto const call = table.start(step(1), [this](rpc::Progress const& progress) {
    while (progress(just_asking)) clock.sleep_for(std::chrono::milliseconds(5));
    return Result<json::value>("canceled");
  });
  std::string heard;
  auto const answer = table.follow(**call, [&](std::string_view line) {
    heard = line;
    table.cancel(7, 2);
    table.cancel(7, 1);
    return true;
  });
  EXPECT_EQ(heard, rpc::alive_line);
  EXPECT_EQ(**answer, "canceled");
}

TEST_F(CallTableTest, too_many_calls_at_once_are_refused) {
  std::atomic<bool> may_end = false;
  for (std::size_t i = 0; i < CallTable::running_max; ++i) {
    ASSERT_TRUE(table.start(step(static_cast<std::int64_t>(i)), [&](rpc::Progress const&) {
      while (!may_end) clock.sleep_for(std::chrono::milliseconds(5));
      return Result<json::value>(nullptr);
    }));
  }
  auto const refused = table.start(step(9999), counting());
  may_end = true;
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::TempInsufficientResources);
  table.stop();
  EXPECT_FALSE(table.start(step(1), counting()));
}

TEST_F(CallTableTest, a_call_that_was_sent_before_the_latest_one_is_refused) {
  auto const sent = [](std::int64_t number, std::int64_t serial) {
    auto identity = step(number);
    identity.instance = "web1";
    identity.serial = serial;
    return identity;
  };
  EXPECT_EQ(*answer_of(table, sent(1, 10), counting()), 1);
  EXPECT_EQ(*answer_of(table, sent(2, 12), counting()), 2);
  EXPECT_FALSE(answer_of(table, sent(3, 11), counting()));
  // The refusal was not the answer to that step, but to that message.
  EXPECT_EQ(*answer_of(table, sent(3, 13), counting()), 3);
  // The late copy of an answered call learns the answer.
  EXPECT_EQ(*answer_of(table, sent(1, 9), counting()), 1);
  EXPECT_EQ(done, 3);
  table.forget();
  EXPECT_EQ(*answer_of(table, sent(4, 1), counting()), 4);
}

TEST_F(CallTableTest, a_later_call_ends_what_is_at_work_and_a_repeated_one_joins_it) {
  auto at_work = step(1);
  at_work.instance = "web1";
  at_work.serial = 1;
  auto const until_stopped = [this](rpc::Progress const& progress) {
    while (progress(just_asking)) clock.sleep_for(std::chrono::milliseconds(5));
    return Result<json::value>("ended");
  };
  auto const first = table.start(at_work, until_stopped);
  at_work.serial = 2;
  auto const again = table.start(at_work, counting());
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, *again);
  auto elsewhere = step(2);
  elsewhere.instance = "web2";
  elsewhere.serial = 3;
  auto const other = table.start(elsewhere, until_stopped);

  auto undo = step(3);
  undo.instance = "web1";
  undo.serial = 4;
  EXPECT_EQ(*answer_of(table, undo, counting()), 1);
  EXPECT_EQ(**table.follow(**again, [](std::string_view) { return true; }), "ended");
  table.cancel(7, 2);
  EXPECT_EQ(**table.follow(**other, [](std::string_view) { return true; }), "ended");
}

// Whoever was told to stop while it waited, or before, does nothing when its turn comes.
TEST(InstanceTurns, a_call_that_shall_stop_does_not_begin) {
  SystemClock clock;
  InstanceTurns turns(clock);
  auto const take = [&](bool goes_on) {
    return turns.take(
        "web1", [&](std::string_view) { return goes_on; },
        []() -> Result<std::string> { return "done"; });
  };
  EXPECT_FALSE(take(false));
  EXPECT_EQ(*take(true), "done");
}

}  // namespace
}  // namespace flotte::node
