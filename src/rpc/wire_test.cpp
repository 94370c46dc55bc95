#include "rpc/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/dispatch.h"
#include "rpc/epoch.h"

namespace flotte::rpc {
namespace {

using ::testing::HasSubstr;

TEST(Wire, errors_come_back_as_they_were) {
  for (auto const error_class :
       {ErrorClass::ByStage, ErrorClass::Prereq, ErrorClass::Exec, ErrorClass::Hypervisor,
        ErrorClass::JobCanceled, ErrorClass::Generic}) {
    for (auto const code : {ErrorCode::WrongInput, ErrorCode::EnvironmentError,
                            ErrorCode::TempInsufficientResources}) {
      Error const error{code, "no \"space\" left\n", error_class};
      auto const answer = read_answer_line(answer_line(Failure(error)));
      ASSERT_TRUE(answer);
      ASSERT_FALSE(*answer);
      EXPECT_EQ(answer->error(), error);
    }
  }
}

TEST(Wire, only_the_last_line_is_an_answer) {
  EXPECT_EQ(**read_answer_line(answer_line(json::value{1})), json::value{1});
  for (auto const& line : {say_line("ok"), progress_line("error", 0.5), std::string(alive_line),
                           std::string(), std::string("{"), std::string("[\"ok\"]")}) {
    EXPECT_FALSE(read_answer_line(line)) << line;
  }
}

TEST(Wire, what_is_not_utf8_still_arrives) {
  Error const error{ErrorCode::WrongInput,
                    "caf\xc3\xa9 \xff\xc3 \xe0\x80\x80 \xed\xa0\x80 end\xc3"};
  auto const answer = read_answer_line(answer_line(Failure(error)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().message, "caf\xc3\xa9 ?? ??? ??? end?");
  EXPECT_TRUE(schema::parse(say_line("\xf0\x9f\x98\x80 \x80")));
}

TEST(Wire, a_damaged_error_is_still_an_error) {
  for (auto const* line : {R"({"error":null})", R"({"error":[]})", R"({"error":["x",1]})",
                           R"({"error":["x",["text"]]})", R"({"error":[1,[2,3]]})"}) {
    auto const answer = read_answer_line(line);
    ASSERT_TRUE(answer) << line;
    EXPECT_FALSE(*answer) << line;
  }
}

TEST(Dispatcher, decodes_arguments_and_encodes_the_answer) {
  Dispatcher dispatcher;
  dispatcher.on<NodeInfo>([](NodeInfo const& call, CallContext const& context, Progress const&) {
    NodeFacts facts;
    facts.boot_id = fmt::format("{} {}", call.file_storage_dir, context.job);
    return Result<NodeFacts>(facts);
  });
  auto const reply =
      dispatcher.dispatch("node_info", {{"file_storage_dir", "/srv"}}, {.job = 3}, {});
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->at("boot_id"), "/srv 3");
}

TEST(Dispatcher, refuses_unknown_names_and_leaves_out_unknown_arguments) {
  Dispatcher dispatcher;
  dispatcher.on<TestDelay>([](TestDelay const&, CallContext const&, Progress const&) {
    return Result<Nothing>(Nothing{});
  });
  EXPECT_THAT(dispatcher.dispatch("frobnicate", {}, {}, {}).error().message,
              HasSubstr("'frobnicate'"));
  EXPECT_TRUE(dispatcher.dispatch("test_delay", {{"color", 1}}, {}, {}));
  EXPECT_FALSE(dispatcher.dispatch("test_delay", {{"duration_s", "long"}}, {}, {}));
}

TEST(LeaderEpoch, only_a_lower_one_is_refused) {
  EXPECT_TRUE(check_leader_epoch(5, 5));
  EXPECT_TRUE(check_leader_epoch(6, 5));
  EXPECT_THAT(check_leader_epoch(4, 5).error().message, HasSubstr("deposed leader"));
}

TEST(LatestCalls, an_earlier_call_about_the_same_instance_is_refused) {
  LatestCalls latest;
  EXPECT_TRUE(latest.take("web1", {.leader_epoch = 2, .serial = 5}));
  EXPECT_TRUE(latest.take("web1", {.leader_epoch = 2, .serial = 5}));
  EXPECT_TRUE(latest.take("web2", {.leader_epoch = 2, .serial = 4}));
  auto const late = latest.take("web1", {.leader_epoch = 2, .serial = 4});
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("later call about instance web1"));
  EXPECT_FALSE(latest.take("web1", {.leader_epoch = 1, .serial = 9}));
  EXPECT_TRUE(latest.take("web1", {.leader_epoch = 3, .serial = 1}));
  EXPECT_FALSE(latest.take("web1", {.leader_epoch = 2, .serial = 6}));
}

TEST(LatestCalls, reads_and_calls_about_no_instance_have_no_order) {
  LatestCalls latest;
  EXPECT_TRUE(latest.take("web1", {.leader_epoch = 2, .serial = 5}));
  EXPECT_TRUE(latest.take("web1", {.leader_epoch = 2}));
  EXPECT_FALSE(latest.take("web1", {.leader_epoch = 2, .serial = 4}));
  EXPECT_TRUE(latest.take("", {.leader_epoch = 2, .serial = 5}));
  EXPECT_TRUE(latest.take("", {.leader_epoch = 2, .serial = 4}));
}

TEST(LatestCalls, forgets_the_oldest_first) {
  LatestCalls latest;
  auto const many = static_cast<std::int64_t>(LatestCalls::instances_max) + 1;
  for (std::int64_t i = 1; i <= many; ++i) {
    ASSERT_TRUE(latest.take(std::to_string(i), {.serial = i + 1}));
  }
  EXPECT_TRUE(latest.take("1", {.serial = 1}));
  EXPECT_FALSE(latest.take(std::to_string(many), {.serial = 1}));
}

TEST(LatestCalls, finds_the_instance_among_the_arguments) {
  InstanceSpec spec;
  spec.name = "web1";
  EXPECT_EQ(instance_of(schema::encode(InstanceStart{spec})), "web1");
  EXPECT_EQ(instance_of(schema::encode(InstanceShutdown{"web1"})), "web1");
  EXPECT_EQ(instance_of(schema::encode(TestDelay{})), "");
  EXPECT_EQ(instance_of({{"instance", 7}}), "");
}

}  // namespace
}  // namespace flotte::rpc
