#include "controller/ssconf_writer.h"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>

#include "controller/shifted_clock.h"
#include "model/ssconf.h"
#include "rpc/ask_all.h"
#include "store/memory_store.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

constexpr auto patience = std::chrono::minutes(5);

// Takes note of what is written.
class NotingNodes final : public rpc::Node {
 public:
  Result<json::value> invoke(model::Node const&, std::string_view, json::object const& arguments,
                             rpc::CallContext const&, rpc::Progress const&) override {
    std::size_t which = 0;
    {
      std::lock_guard const lock(mutex_);
      written.push_back(arguments.at("values").get_object());
      which = written.size();
    }
    if (on_call) on_call();
    if (which == fails_at) return fail(ErrorCode::EnvironmentError, "it fails");
    if (fails) return fail(ErrorCode::EnvironmentError, "no such host");
    return json::value(json::object());
  }

  std::vector<json::object> written;
  std::function<void()> on_call;
  std::size_t fails_at = 0;  // which of the calls, counted from 1
  std::atomic<bool> fails = false;

 private:
  std::mutex mutex_;
};

class SsconfWriting : public ::testing::Test {
 protected:
  SsconfWriting() {
    config_->on_change([this] { writer_.wake(); });
  }
  void make_cluster(int nodes, std::vector<std::string> const& tags = {}) {
    auto const done = config_->update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          model::Settings settings;
          settings.uuid = ClusterId("c");
          settings.cluster_name = "cluster";
          settings.tags = tags;
          edit.put(std::move(settings));
          edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
          for (int i = 0; i < nodes; ++i) {
            auto const name = fmt::format("node{}", i);
            edit.put(model::Node{.uuid = NodeId(name), .name = name, .group = GroupId("g")});
          }
          return {};
        },
        {});
    EXPECT_TRUE(done) << done.error().message;
  }

  ShiftedClock clock_;
  store::MemoryStore store_;
  NotingNodes nodes_;
  std::unique_ptr<store::ConfigStore> config_ =
      std::move(store::ConfigStore::create(store_, clock_).value());
  SsconfWriter writer_{clock_, *config_, nodes_, 1};
};

TEST_F(SsconfWriting, what_is_wanted_anew_is_written_at_once_and_faults_are_told) {
  make_cluster(2);
  writer_.start();
  writer_.wait(patience);
  EXPECT_THAT(writer_.write_anew(patience), ::testing::IsEmpty());
  ASSERT_EQ(nodes_.written.size(), 4U);
  EXPECT_EQ(nodes_.written[3], nodes_.written[0]);
  nodes_.fails = true;
  EXPECT_THAT(
      writer_.write_anew(patience),
      ::testing::ElementsAre("ssconf on node0: no such host", "ssconf on node1: no such host"));
  nodes_.fails = false;
  EXPECT_THAT(writer_.write_anew(patience), ::testing::IsEmpty());
  writer_.stop();
}

// The node daemon was restarted, say, and somebody looks whether all is well.
TEST_F(SsconfWriting, who_waits_does_not_wait_for_a_node_to_be_tried_again) {
  make_cluster(2);
  nodes_.fails_at = 1;
  writer_.start();
  // The first round may have ended before this one began to wait.
  writer_.wait(patience);
  writer_.wait(patience);
  EXPECT_EQ(nodes_.written.size(), 3U);
  // Nothing is missing any more.
  writer_.wait(patience);
  EXPECT_EQ(nodes_.written.size(), 3U);
  writer_.stop();
}

// Each of the others could take its time, too.
TEST_F(SsconfWriting, a_stop_waits_for_those_under_way_at_most) {
  constexpr int at_once = rpc::asked_at_once;
  make_cluster(at_once + 5);
  std::latch called(at_once);
  nodes_.on_call = [&] {
    called.count_down();
    writer_.wait(patience);  // until it is told to stop
  };
  writer_.start();
  called.wait();
  writer_.stop();
  EXPECT_EQ(nodes_.written.size(), std::size_t{at_once});
}

// Each waits for all others: one that hangs keeps nothing from them.
TEST_F(SsconfWriting, all_nodes_are_written_to_at_the_same_time) {
  make_cluster(3);
  std::latch called(3);
  nodes_.on_call = [&] { called.arrive_and_wait(); };
  writer_.start();
  writer_.wait(patience);
  nodes_.on_call = {};
  writer_.stop();
  EXPECT_EQ(nodes_.written.size(), 3U);
}

TEST_F(SsconfWriting, who_waits_is_not_kept_by_the_rest_after_a_long_round) {
  make_cluster(1);
  nodes_.on_call = [&] { clock_.put_forward(std::chrono::seconds(5)); };
  writer_.start();
  writer_.wait(patience);
  nodes_.on_call = {};
  make_cluster(1, {"one"});
  writer_.wake();
  writer_.wait(std::chrono::milliseconds(1500));
  writer_.stop();
  EXPECT_EQ(nodes_.written.size(), 2U);
}

TEST_F(SsconfWriting, a_cluster_that_is_made_again_gets_all_files) {
  make_cluster(1);
  writer_.start();
  writer_.wait(patience);
  ASSERT_TRUE(config_->forget());
  writer_.wait(patience);
  make_cluster(1);
  writer_.wait(patience);
  writer_.stop();
  ASSERT_EQ(nodes_.written.size(), 2U);
  EXPECT_EQ(nodes_.written[1], nodes_.written[0]);
}

TEST_F(SsconfWriting, a_node_that_failed_gets_all_files_for_nobody_knows_how_far_it_came) {
  make_cluster(1);
  writer_.start();
  writer_.wait(patience);
  nodes_.fails_at = 2;
  make_cluster(1, {"one"});
  writer_.wait(patience);
  clock_.put_forward(std::chrono::minutes(1));
  make_cluster(1, {"one", "two"});
  writer_.wait(patience);
  writer_.stop();
  // Who waits when it has failed already has it tried again, so that there may be one more.
  ASSERT_GE(nodes_.written.size(), 3U);
  EXPECT_EQ(nodes_.written[1], (json::object{{"cluster_tags", "one\n"}}));
  EXPECT_EQ(nodes_.written[2].size(), nodes_.written[0].size());
  EXPECT_EQ(nodes_.written.back().at("cluster_tags"), "one\ntwo\n");
}

TEST_F(SsconfWriting, all_files_are_written_again_after_ten_minutes_whoever_changed_them) {
  make_cluster(1);
  writer_.start();
  writer_.wait(patience);
  clock_.put_forward(std::chrono::minutes(9));
  writer_.wake();
  writer_.wait(patience);
  EXPECT_EQ(nodes_.written.size(), 1U) << "nothing differs, as far as is known";
  clock_.put_forward(std::chrono::minutes(2));
  writer_.wake();
  writer_.wait(patience);
  writer_.stop();
  ASSERT_EQ(nodes_.written.size(), 2U);
  EXPECT_EQ(nodes_.written[1], nodes_.written[0]);
}

TEST_F(SsconfWriting, what_is_too_large_keeps_nothing_else_back) {
  make_cluster(1, {std::string(model::ssconf_bytes_max, 't')});
  writer_.start();
  writer_.wait(patience);
  writer_.stop();
  ASSERT_EQ(nodes_.written.size(), 1U);
  EXPECT_FALSE(nodes_.written[0].contains("cluster_tags"));
  EXPECT_TRUE(nodes_.written[0].contains("cluster_name"));
}

}  // namespace
}  // namespace flotte::controller
