#include "rapi/shared_answers.h"

#include <atomic>
#include <latch>
#include <thread>

#include "rapi/api_fixture.h"

namespace flotte::rapi {
namespace {

class SharedAnswersTest : public ApiTest {
 protected:
  SharedAnswersTest() { make_cluster(); }

  std::string get() {
    auto const text = answers_.get("list", [this]() -> Granted<std::string> {
      auto const number = ++made_;
      if (while_making_) while_making_();
      return std::to_string(number);
    });
    return text ? **text : text.error().message;
  }
  void commit() {
    ASSERT_TRUE(config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          auto settings = edit.settings();
          settings.tags.push_back("t");
          edit.put(std::move(settings));
          return {};
        },
        {}));
  }

  std::atomic<int> made_ = 0;
  std::function<void()> while_making_;
  SharedAnswers answers_{services_};
};

TEST_F(SharedAnswersTest, one_is_made_for_all_who_ask_meanwhile) {
  std::latch all_ask(1);
  while_making_ = [&] { all_ask.wait(); };
  std::vector<std::thread> others;
  std::atomic<int> same = 0;
  for (int i = 0; i < 8; ++i) {
    others.emplace_back([&] { same += get() == "1"; });
  }
  all_ask.count_down();
  for (auto& other : others) other.join();
  EXPECT_EQ(same, 8);
  EXPECT_EQ(get(), "1");
}

TEST_F(SharedAnswersTest, what_is_committed_is_seen_at_once) {
  EXPECT_EQ(get(), "1");
  commit();
  EXPECT_EQ(get(), "2");
  // Also what is committed while one is made: who asks afterwards isn't told of before.
  while_making_ = [this] { commit(); };
  commit();
  EXPECT_EQ(get(), "3");
  while_making_ = {};
  EXPECT_EQ(get(), "4");
  EXPECT_EQ(get(), "4");
}

TEST_F(SharedAnswersTest, what_a_job_did_is_seen_when_it_has_ended) {
  queue_->start();
  EXPECT_EQ(get(), "1");
  json::object const op{{"OP_ID", "OP_TEST_DELAY"}, {"duration", 0}, {"on_master", false}};
  auto const id = queue_->submit({json::array{op}}).front();
  ASSERT_TRUE(id);
  while (!jobs::is_final(queue_->job(*id)->status())) std::this_thread::yield();
  EXPECT_EQ(get(), "2");
}

TEST_F(SharedAnswersTest, it_is_made_again_after_a_second) {
  EXPECT_EQ(get(), "1");
  answers_.forget_old();
  EXPECT_EQ(get(), "1");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  answers_.forget_old();
  EXPECT_EQ(get(), "2");
}

TEST_F(SharedAnswersTest, a_refusal_is_not_kept) {
  auto const refused =
      answers_.get("list", [] { return Granted<std::string>(tl::unexpected(Refusal{503, "no"})); });
  EXPECT_EQ(refused.error().message, "no");
  EXPECT_EQ(get(), "1");
}

}  // namespace
}  // namespace flotte::rapi
