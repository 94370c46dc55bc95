#include "rapi/local_api.h"

#include <gmock/gmock.h>

#include "rapi/api_fixture.h"

namespace flotte::rapi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class LocalApiTest : public ApiTest {
 protected:
  Heard ask(std::string const& method, std::string const& path, json::object const& body = {},
            net::Query const& query = {}) {
    net::Request request;
    request.method = method;
    request.path = path;
    request.query = query;
    if (method == "POST") request.body = json::serialize(body);
    Heard heard;
    api_.handle(request, heard);
    if (heard.streamed.valid()) heard.body = heard.streamed.get();
    return heard;
  }
  Heard submit(json::object const& op, bool follows = false) {
    return ask("POST", "/flotte/1/submit",
               {{"jobs", json::array{json::array{op}}}, {"follow", follows}});
  }
  Heard job_list(std::string const& field) {
    return ask("POST", "/flotte/1/query", {{"what", "job"}, {"fields", json::array{field}}});
  }

  LocalApi api_{services_};
};

TEST_F(LocalApiTest, without_a_cluster_it_says_so) {
  for (auto const& heard : {submit({{"OP_ID", "OP_TEST_DELAY"}, {"duration", 0}}),
                            ask("GET", "/flotte/1/cluster"), job_list("id")}) {
    EXPECT_EQ(heard.status, 400U);
    EXPECT_THAT(heard.body, HasSubstr("Cluster not initialized"));
  }
}

TEST_F(LocalApiTest, what_is_not_there_is_not_found_and_what_is_wrong_is_refused) {
  make_cluster();
  EXPECT_EQ(ask("GET", "/other").status, 404U);
  EXPECT_EQ(ask("GET", "/flotte/1/nosuch").status, 404U);
  EXPECT_EQ(ask("GET", "/flotte/1/queue").status, 404U) << "that is for POST";
  EXPECT_EQ(ask("GET", "/flotte/1/jobs/7/follow").status, 404U);
  EXPECT_EQ(ask("GET", "/flotte/1/jobs/x/follow").status, 400U);
  EXPECT_EQ(ask("POST", "/flotte/1/jobs/7/archive").status, 404U);
  EXPECT_EQ(ask("POST", "/flotte/1/submit", {{"jobs", 5}}).status, 400U);
  EXPECT_EQ(ask("POST", "/flotte/1/jobs/autoarchive", {{"age_s", "x"}}).status, 400U);
}

TEST_F(LocalApiTest, who_follows_a_job_hears_all_and_who_comes_back_the_rest) {
  make_cluster();
  queue_->start();
  auto const whole = submit({{"OP_ID", "OP_CLUSTER_VERIFY_CONFIG"}}, true);
  EXPECT_EQ(whole.status, 200U);
  EXPECT_THAT(whole.body, HasSubstr(R"("submitted":[[true,1]])"));
  EXPECT_THAT(whole.body, HasSubstr(R"("opstatus":["success"])"));
  auto const all = whole.serials();
  ASSERT_GT(all.size(), 2U);
  auto const rest = ask("GET", "/flotte/1/jobs/1/follow", {}, {{"after", "2"}});
  EXPECT_EQ(rest.serials(), std::vector<std::int64_t>(all.begin() + 2, all.end()));
  EXPECT_THAT(rest.body, HasSubstr(R"("opstatus":["success"])"));
}

TEST_F(LocalApiTest, all_of_several_jobs_are_followed) {
  make_cluster();
  queue_->start();
  json::object const op{{"OP_ID", "OP_CLUSTER_VERIFY_CONFIG"}};
  json::array const jobs{json::array{op}, json::array{json::object{{"OP_ID", "OP_NO_SUCH"}}},
                         json::array{op}};
  auto const heard = ask("POST", "/flotte/1/submit", {{"jobs", jobs}, {"follow", true}});
  EXPECT_THAT(heard.body, HasSubstr(R"([true,1],[false,)"));
  for (auto const* end : {R"({"job":1,"done":)", R"({"job":2,"done":)"}) {
    EXPECT_THAT(heard.body, HasSubstr(end));
  }
}

TEST_F(LocalApiTest, private_parameters_are_told_nobody) {
  make_cluster();
  EXPECT_EQ(submit({{"OP_ID", "OP_INSTANCE_REINSTALL"},
                    {"instance_name", "web1"},
                    {"osparams", json::object{{"open", "to-see"}}},
                    {"osparams_private", json::object{{"hidden", "not-to-see"}}}})
                .status,
            200U);
  auto const told = job_list("ops").body;
  EXPECT_THAT(told, HasSubstr("to-see"));
  EXPECT_THAT(told, HasSubstr(R"("osparams_private":"<secret>")"));
  EXPECT_THAT(told, Not(HasSubstr("not-to-see")));
}

TEST_F(LocalApiTest, the_queue_and_the_watcher_are_told) {
  make_cluster();
  EXPECT_EQ(ask("POST", "/flotte/1/queue", {{"drain", true}}).status, 200U);
  EXPECT_TRUE(queue_->is_drained());
  EXPECT_EQ(ask("POST", "/flotte/1/queue", {{"drain", false}}).status, 200U);
  EXPECT_FALSE(queue_->is_drained());
  EXPECT_EQ(ask("POST", "/flotte/1/watcher", {{"paused_until", 77}}).status, 200U);
  EXPECT_EQ(paused_until_, 77);
  EXPECT_THAT(ask("GET", "/flotte/1/cluster").body, HasSubstr(R"("watcher_pause":77)"));
  EXPECT_EQ(ask("POST", "/flotte/1/watcher", {{"paused_until", nullptr}}).status, 200U);
  EXPECT_EQ(paused_until_, std::nullopt);
  EXPECT_EQ(ask("POST", "/flotte/1/watcher").status, 400U);
  ask("POST", "/flotte/1/watcher", {{"look", true}});
  ask("POST", "/flotte/1/watcher", {{"look", true}, {"ignore_pause", true}});
  EXPECT_THAT(looks_, ElementsAre(false, true));
}

}  // namespace
}  // namespace flotte::rapi
