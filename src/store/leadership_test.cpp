#include "store/leadership.h"

#include <gtest/gtest.h>

#include <future>

#include "store/memory_store.h"

namespace flotte::store {
namespace {

using namespace std::chrono_literals;

constexpr auto lease = 5ms;

// A store to which something happens just before a transaction arrives.
class Meanwhile final : public Store {
 public:
  explicit Meanwhile(Store& store) : store_(store) {}
  Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) override {
    return store_.range(prefix, limit);
  }
  Result<TxnReply> txn(Txn const& txn) override {
    if (++transactions_ <= beats_) {
      Txn beat;
      beat.put("/leadership/heartbeat", "1");
      EXPECT_TRUE(store_.txn(beat));
    }
    return store_.txn(txn);
  }

  int beats_ = 0;
  int transactions_ = 0;

 private:
  Store& store_;
};

class Leaders : public ::testing::Test {
 protected:
  MemoryStore store_;
  SystemClock clock_;
};

TEST_F(Leaders, each_has_an_epoch_of_its_own) {
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
    Leadership leadership(store_, clock_, Duration::zero());
    ASSERT_TRUE(leadership.acquire());
    EXPECT_EQ(leadership.epoch(), epoch);
  }
}

TEST_F(Leaders, who_is_heard_of_at_the_last_moment_is_not_taken_over) {
  Leadership first(store_, clock_, lease);
  ASSERT_TRUE(first.acquire());
  Meanwhile meanwhile(store_);
  meanwhile.beats_ = 2;
  Leadership second(meanwhile, clock_, lease);
  ASSERT_TRUE(second.acquire());
  EXPECT_EQ(second.epoch(), 2);
  EXPECT_EQ(meanwhile.transactions_, 3) << "a heartbeat came in between twice";
}

TEST_F(Leaders, who_was_deposed_writes_nothing) {
  Leadership first(store_, clock_, lease);
  ASSERT_TRUE(first.acquire());
  LeaderStore writes(store_, first.revision());
  Txn txn;
  txn.put("/key", "first");
  EXPECT_TRUE(writes.txn(txn)->succeeded);
  Txn outdated = txn;
  outdated.compare("/key", 1'000);
  auto const reply = writes.txn(outdated);
  ASSERT_TRUE(reply) << "it leads still: " << reply.error().message;
  EXPECT_FALSE(reply->succeeded);

  Leadership second(store_, clock_, lease);
  ASSERT_TRUE(second.acquire());
  auto const refused = writes.txn(txn);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::Deposed);
}

TEST_F(Leaders, who_was_deposed_is_told) {
  Leadership first(store_, clock_, lease);
  ASSERT_TRUE(first.acquire());
  Txn usurper;
  usurper.put("/leadership", "2");
  ASSERT_TRUE(store_.txn(usurper));
  std::promise<void> lost;
  first.keep([&] { lost.set_value(); });
  lost.get_future().wait();
}

}  // namespace
}  // namespace flotte::store
