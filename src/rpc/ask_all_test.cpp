#include "rpc/ask_all.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace flotte::rpc {
namespace {

using namespace std::chrono_literals;

// The machine's, some time ahead.
class AdvancedClock final : public SystemClock {
 public:
  std::atomic<Duration> ahead{0s};

  Instant now() override { return SystemClock::now() + ahead.load(); }
};

class Nodes final : public Node {
 public:
  std::function<Result<json::value>(model::Node const&, CallContext const&)> answer;
  Result<json::value> invoke(model::Node const& node, std::string_view, json::object const&,
                             CallContext const& context, Progress const&) override {
    return answer(node, context);
  }
};

std::vector<model::NodePtr> some_nodes(std::size_t count) {
  std::vector<model::NodePtr> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    auto const name = fmt::format("n{}", i);
    nodes.push_back(
        std::make_shared<model::Node const>(model::Node{.uuid = NodeId(name), .name = name}));
  }
  return nodes;
}

class AskAll : public ::testing::Test {
 protected:
  auto ask(std::size_t count) {
    return ask_all(clock_, nodes_, some_nodes(count), OsDiagnose{}, {.timeout = 10s});
  }
  AdvancedClock clock_;
  Nodes nodes_;
};

TEST_F(AskAll, at_the_same_time) {
  std::latch all_are_asked(asked_at_once);
  nodes_.answer = [&](auto const&, auto const&) {
    all_are_asked.arrive_and_wait();
    return json::object{{"definitions", json::array()}};
  };
  auto const answers = ask(asked_at_once);
  EXPECT_EQ(answers.size(), asked_at_once);
  for (auto const& [node, answer] : answers) EXPECT_TRUE(answer) << node.text();
}

TEST_F(AskAll, one_that_fails_is_no_others_loss) {
  nodes_.answer = [&](model::Node const& node, auto const&) -> Result<json::value> {
    if (node.name == "n1") return fail(ErrorCode::EnvironmentError, "no disk");
    if (node.name == "n2") throw std::bad_alloc();
    return json::object{{"definitions", json::array()}};
  };
  auto answers = ask(4);
  EXPECT_TRUE(answers.at(NodeId("n0")));
  EXPECT_EQ(answers.at(NodeId("n1")).error().message, "no disk");
  EXPECT_EQ(answers.at(NodeId("n2")).error().code, ErrorCode::InternalError);
  EXPECT_TRUE(answers.at(NodeId("n3")));
}

TEST_F(AskAll, one_that_is_named_twice_is_asked_once) {
  std::atomic<int> asked = 0;
  nodes_.answer = [&](auto const&, auto const&) {
    ++asked;
    return json::object{{"definitions", json::array()}};
  };
  auto nodes = some_nodes(2);
  nodes.push_back(nodes.front());
  EXPECT_EQ(ask_all(clock_, nodes_, nodes, OsDiagnose{}, {.timeout = 10s}).size(), 2U);
  EXPECT_EQ(asked, 2);
}

TEST_F(AskAll, one_time_for_all) {
  std::latch all_are_asked(asked_at_once);
  nodes_.answer = [&](auto const&, CallContext const& context) {
    EXPECT_LE(context.timeout, 10s);
    all_are_asked.arrive_and_wait();
    clock_.ahead = 11s;
    return json::object{{"definitions", json::array()}};
  };
  auto const answers = ask(asked_at_once + 3);
  std::size_t not_asked = 0;
  for (auto const& [node, answer] : answers) {
    if (answer) continue;
    EXPECT_EQ(answer.error().error_class, ErrorClass::Unreachable);
    ++not_asked;
  }
  EXPECT_EQ(not_asked, 3U);
}

}  // namespace
}  // namespace flotte::rpc
