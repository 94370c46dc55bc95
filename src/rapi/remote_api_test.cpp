#include "rapi/remote_api.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <latch>
#include <set>
#include <thread>

#include "rapi/api_fixture.h"

namespace flotte::rapi {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view writer = "Basic d3JpdGVyOnc=";  // writer:w
constexpr std::string_view reader = "Basic cmVhZGVyOnI=";  // reader:r
constexpr std::string_view wrong = "Basic d3JpdGVyOng=";   // writer:x

class RemoteApiTest : public ApiTest {
 protected:
  RemoteApiTest() {
    std::ofstream(users_) << "writer w write\nreader r read\n";
    make_cluster();
    queue_->start();
  }
  ~RemoteApiTest() override { std::filesystem::remove(users_); }

  Heard ask(std::string const& method, std::string const& target, std::string_view who = "",
            std::string const& body = "", std::string const& type = "application/json") {
    net::Request request{.method = method, .target = target, .content_type = type, .body = body};
    request.path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) {
      request.query = net::parse_query(target.substr(target.find('?') + 1)).value();
    }
    if (!who.empty()) request.headers.push_back({"Authorization", std::string(who)});
    request.peer.address = "192.0.2.7:4711";
    Heard heard;
    api_.handle(request, heard);
    return heard;
  }
  // To its end.
  std::int64_t done(Heard const& heard) {
    EXPECT_EQ(heard.status, 200U) << heard.body;
    auto const id = std::stoll(heard.body);
    auto status = jobs::Status::Queued;
    std::uint64_t progress = 0;
    while (!jobs::is_final(status)) {
      auto const change = queue_->wait_change(JobId{id}, status, 1'000'000, progress,
                                              clock_.now() + std::chrono::seconds(30));
      if (!change || !*change) break;
      status = (*change)->status;
    }
    EXPECT_EQ(status, jobs::Status::Success);
    return id;
  }
  void make_instance(std::string const& name) {
    auto const made = config_->update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          edit.put(model::Instance{.uuid = InstanceId(name),
                                   .name = name,
                                   .primary_node = NodeId("n"),
                                   .hypervisor = model::HypervisorKind::Fake,
                                   .admin_state = model::AdminState::Down,
                                   .disk_template = model::DiskTemplate::Diskless});
          return {};
        },
        {});
    EXPECT_TRUE(made) << made.error().message;
  }

  std::string users_ = ::testing::TempDir() + fmt::format("/flotte-rapi-users-{}", ::getpid());
  Accounts accounts_{users_, clock_, random_};
  RemoteApi api_{services_, accounts_, {}};
};

TEST_F(RemoteApiTest, what_is_for_everybody_and_what_is_not) {
  EXPECT_EQ(ask("GET", "/version").body, "2");
  EXPECT_EQ(ask("GET", "/").body, "null");
  EXPECT_EQ(ask("GET", "/2/nodes").body, R"([{"id":"n1","uri":"/2/nodes/n1"}])");
  // Who says who he is must be right, also there.
  EXPECT_EQ(ask("GET", "/version", wrong).status, 401U);
  EXPECT_EQ(ask("GET", "/version", "Bearer x").status, 401U);
  EXPECT_EQ(ask("GET", "/version", "Basic ???").status, 401U);
  EXPECT_EQ(ask("PUT", "/2/tags?tag=a").status, 401U);
  EXPECT_EQ(ask("PUT", "/2/tags?tag=a", reader).status, 403U);
  EXPECT_EQ(ask("GET", "/2/query/node?fields=name").status, 401U);
  EXPECT_EQ(ask("GET", "/2/query/node?fields=name", reader).status, 200U);
  EXPECT_EQ(ask("GET", "/2/jobs/1/wait", reader, R"({"fields": []})").status, 403U);
}

TEST_F(RemoteApiTest, where_accounts_are_required_nothing_is_for_everybody) {
  RemoteApi strict(services_, accounts_, {.requires_authentication = true});
  net::Request request{.method = "GET"};
  request.path = "/version";
  Heard heard;
  strict.handle(request, heard);
  EXPECT_EQ(heard.status, 401U);
  request.headers.push_back({"Authorization", std::string(reader)});
  strict.handle(request, heard);
  EXPECT_EQ(heard.body, "2");
}

TEST_F(RemoteApiTest, refusals_have_a_code_a_message_and_an_explanation) {
  EXPECT_EQ(ask("GET", "/2/nosuch").body,
            R"({"code":404,"message":"Not Found","explain":"Nothing matches the given URI"})");
  EXPECT_EQ(ask("GET", "/2/instances//tags").status, 404U);
  EXPECT_EQ(ask("POST", "/2/info", writer).status, 501U);
  EXPECT_EQ(ask("GET", "/2/instances/nosuch").status, 404U);
  EXPECT_EQ(ask("GET", "/2/jobs/77").status, 404U);
  EXPECT_EQ(ask("GET", "/2/jobs/x").status, 404U);
  EXPECT_EQ(ask("GET", "/2/nodes?bulk=x").status, 400U);
  EXPECT_EQ(ask("PUT", "/2/modify", writer, "{}", "text/plain").status, 415U);
  EXPECT_EQ(ask("PUT", "/2/modify", writer, "{}", "").status, 415U);
  EXPECT_EQ(ask("PUT", "/2/modify", writer, "{", "application/json; charset=utf-8").status, 400U);
  auto const migrate = ask("PUT", "/2/instances/web1/migrate", writer, "{}");
  EXPECT_EQ(migrate.status, 501U);
  EXPECT_THAT(migrate.body, HasSubstr("OP_INSTANCE_MIGRATE is not built yet"));
  EXPECT_EQ(ask("GET", "/2/query/filter?fields=uuid", reader).status, 501U);
  EXPECT_EQ(ask("GET", "/2/query/nosuch?fields=node", reader).status, 404U);
  EXPECT_EQ(ask("GET", "/2/query/node", reader).status, 400U);
  EXPECT_EQ(ask("GET", "/2/filters").status, 501U);
  ASSERT_TRUE(queue_->set_drained(true));
  auto const drained = ask("PUT", "/2/tags?tag=a", writer);
  EXPECT_EQ(drained.status, 503U);
  EXPECT_THAT(drained.body, HasSubstr("Job queue is drained, cannot submit"));
}

TEST_F(RemoteApiTest, a_change_is_a_job_that_knows_who_asked_and_why) {
  auto const id = done(ask("PUT", "/2/tags?tag=a&tag=b&reason=because", writer));
  EXPECT_EQ(ask("GET", "/2/tags").body, R"(["a","b"])");
  auto const job = queue_->job(JobId{id}).value();
  EXPECT_EQ(job.submitted_by->text(), "writer (remote API)");
  auto const& trail = job.ops[0].input.at("reason").as_array();
  EXPECT_EQ(trail.at(0).at(0), "gnt:user");
  EXPECT_EQ(trail.at(0).at(1), "because");
  EXPECT_EQ(trail.at(1).at(0), "gnt:library:rlib2:tags");
  done(ask("DELETE", "/2/tags?tag=a", writer));
  EXPECT_EQ(ask("GET", "/2/tags").body, R"(["b"])");
}

// A stranger's requests make no jobs, whatever they say: jobs take places of others.
TEST_F(RemoteApiTest, who_has_no_account_makes_no_jobs) {
  for (auto const& read : reads()) {
    if (read.access == Access::Everybody) ask(std::string(read.method), std::string(read.path));
  }
  for (auto const& change : changes()) {
    EXPECT_EQ(ask(std::string(change.method), std::string(change.path) + "?x=1").status,
              change.path.find("{disk}") == std::string_view::npos ? 401U : 404U)
        << change.path;
  }
  EXPECT_TRUE(queue_->jobs().empty());
  EXPECT_THAT(ask("GET", "/2/os").body, HasSubstr("\"noop\""));
}

TEST_F(RemoteApiTest, what_is_no_text_is_in_no_job) {
  EXPECT_EQ(ask("GET", "/2/instances/\xff/info", writer).status, 400U);
  EXPECT_TRUE(queue_->jobs().empty());
}

TEST_F(RemoteApiTest, a_slash_within_a_name_is_no_other_path) {
  net::Request request{.method = "GET", .target = "/2/nodes/n1%2Frole"};
  request.path = "/2/nodes/n1/role";
  Heard heard;
  api_.handle(request, heard);
  EXPECT_EQ(heard.status, 404U);
}

TEST_F(RemoteApiTest, a_body_that_nobody_reads_is_not_taken_apart) {
  EXPECT_EQ(ask("GET", "/2/nodes", "", "{").status, 200U);
  EXPECT_EQ(ask("PUT", "/2/query/node", reader, "{").status, 400U);
}

TEST_F(RemoteApiTest, who_has_no_account_reads_all_but_this) {
  std::vector<std::string> kept;
  for (auto const& read : reads()) {
    auto path = std::string(read.path);
    // A job is a number.
    if (auto const at = path.find("{job}"); at != std::string::npos) path.replace(at, 5, "1");
    auto const heard = ask(std::string(read.method), path);
    if (heard.status == 401) kept.push_back(fmt::format("{} {}", read.method, read.path));
  }
  EXPECT_THAT(kept, ::testing::UnorderedElementsAre(
                        "GET /2/instances/{name}/console", "DELETE /2/jobs/{job}",
                        "GET /2/query/{resource}", "PUT /2/query/{resource}", "POST /2/filters",
                        "PUT /2/filters/{uuid}", "DELETE /2/filters/{uuid}"));
  EXPECT_EQ(ask("GET", "/2/jobs/1/wait").status, 401U);
  EXPECT_EQ(ask("GET", "/metrics").status, 200U);
}

TEST_F(RemoteApiTest, who_may_try_again_is_told_when) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("GET", "/version", wrong).status, 401U);
  auto const held_up = ask("GET", "/version", wrong);
  EXPECT_EQ(held_up.status, 429U);
  EXPECT_EQ(net::header_value(held_up.headers, "Retry-After"), "1");
}

TEST_F(RemoteApiTest, no_more_wait_than_leave_room_for_commands) {
  std::latch may_end(1);
  nodes_.before([&](rpc::FakeCall const&) -> Result<void> {
    may_end.wait();
    return {};
  });
  json::object const op{
      {"OP_ID", "OP_TEST_DELAY"}, {"duration", 0}, {"on_nodes", json::array{"n1"}}};
  auto const id = number(*queue_->submit({json::array{op}}).front());
  while (queue_->job(JobId{id})->status() != jobs::Status::Running) std::this_thread::yield();
  auto const wait = [&] {
    return ask("GET", fmt::format("/2/jobs/{}/wait", id), writer,
               R"({"fields": ["status"], "previous_job_info": ["running"],
                   "previous_log_serial": 1000})");
  };
  std::vector<Heard> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(wait());
  auto const refused = wait();
  EXPECT_EQ(refused.status, 503U) << "of a hundred places";
  EXPECT_TRUE(followers_.check_room());
  may_end.count_down();
  for (auto& one : waiting) EXPECT_THAT(one.streamed.get(), HasSubstr("success"));
}

TEST_F(RemoteApiTest, it_describes_itself) {
  auto const told = schema::parse(ask("GET", "/2/openapi.json").body).value();
  EXPECT_EQ(told.at("openapi"), "3.1.0");
}

TEST_F(RemoteApiTest, a_dry_run_changes_nothing) {
  done(ask("PUT", "/2/tags?tag=a&dry-run=1", writer));
  EXPECT_EQ(ask("GET", "/2/tags").body, "[]");
}

TEST_F(RemoteApiTest, objects_have_all_of_their_fields) {
  make_instance("web1");
  EXPECT_EQ(ask("GET", "/2/instances").body, R"([{"id":"web1","uri":"/2/instances/web1"}])");
  auto const web1 = schema::parse(ask("GET", "/2/instances/web1").body).value().as_object();
  EXPECT_EQ(web1.size(), 37U);
  EXPECT_EQ(web1.at("beparams").at("memory"), web1.at("beparams").at("maxmem"));
  EXPECT_EQ(web1.at("status"), "ADMIN_down");
  auto const all = schema::parse(ask("GET", "/2/instances?bulk=1").body).value();
  EXPECT_EQ(all.at(0).as_object().size(), 37U);
  EXPECT_TRUE(all.at(0).at("beparams").as_object().contains("memory"));
  for (auto const* path : {"/2/nodes/n1", "/2/groups/default"}) {
    auto const one = schema::parse(ask("GET", path).body).value().as_object();
    EXPECT_TRUE(one.contains("ndparams") && one.contains("uuid")) << path;
  }
  EXPECT_EQ(ask("GET", "/2/nodes/n1/role").body, R"("master")");
  EXPECT_EQ(ask("GET", "/2/groups").body, R"([{"name":"default","uri":"/2/groups/default"}])");
  EXPECT_EQ(ask("GET", "/2/instances/web1/console", reader).status, 503U) << "it is down";
  EXPECT_EQ(ask("GET", "/2/instances/web1/tags").body, "[]");
  auto const info = schema::parse(ask("GET", "/2/info").body).value().as_object();
  EXPECT_EQ(info.at("vg_name"), info.at("volume_group_name"));
}

TEST_F(RemoteApiTest, queries_take_fields_and_filters_both_ways) {
  make_instance("web1");
  make_instance("web2");
  EXPECT_THAT(ask("GET", "/2/query/instance?fields=name,%20status", reader).body,
              HasSubstr(R"("data":[[[0,"web1"],[0,"ADMIN_down"]],[[0,"web2"],[0,"ADMIN_down"]]])"));
  for (auto const* name : {"qfilter", "filter"}) {
    auto const body = fmt::format(R"({{"fields": ["name"], "{}": ["=", "name", "web2"]}})", name);
    EXPECT_THAT(ask("PUT", "/2/query/instance", reader, body).body,
                HasSubstr(R"("data":[[[0,"web2"]]])"));
  }
  EXPECT_THAT(ask("GET", "/2/query/instance/fields?fields=name").body,
              HasSubstr(R"("title":"Instance")"));
  EXPECT_EQ(ask("PUT", "/2/query/instance", reader, R"({"fields": "name"})").status, 400U);
}

TEST_F(RemoteApiTest, jobs_are_listed_and_canceled) {
  auto const id = done(ask("PUT", "/2/tags?tag=a", writer));
  EXPECT_EQ(ask("GET", "/2/jobs").body, fmt::format(R"([{{"id":{0},"uri":"/2/jobs/{0}"}}])", id));
  auto const bulk = schema::parse(ask("GET", "/2/jobs?bulk=1").body).value().at(0).as_object();
  EXPECT_EQ(bulk.size(), 8U);
  auto const job =
      schema::parse(ask("GET", fmt::format("/2/jobs/{}", id)).body).value().as_object();
  EXPECT_EQ(job.size(), 10U);
  EXPECT_EQ(job.at("status"), "success");
  EXPECT_EQ(ask("DELETE", fmt::format("/2/jobs/{}", id), reader).status, 403U);
  EXPECT_THAT(ask("DELETE", fmt::format("/2/jobs/{}", id), writer).body, HasSubstr("[false,"));
}

TEST_F(RemoteApiTest, who_waits_is_told_when_something_has_changed) {
  auto const wait = [&](std::int64_t job, std::string const& info, std::string const& serial) {
    return ask("GET", fmt::format("/2/jobs/{}/wait", job), writer,
               fmt::format(R"({{"fields": ["status"], "previous_job_info": {}, )"
                           R"("previous_log_serial": {}}})",
                           info, serial));
  };
  EXPECT_EQ(wait(77, "null", "null").status, 404U);
  std::latch may_end(1);
  nodes_.before([&](rpc::FakeCall const&) -> Result<void> {
    may_end.wait();
    return {};
  });
  json::object const op{
      {"OP_ID", "OP_TEST_DELAY"}, {"duration", 0}, {"on_nodes", json::array{"n1"}}};
  auto const id = number(queue_->submit({json::array{op}}).front().value());
  while (queue_->job(JobId{id})->status() != jobs::Status::Running) std::this_thread::yield();
  // What he does not know he is told at once.
  EXPECT_THAT(wait(id, "null", "null").body, HasSubstr(R"("job_info":["running"])"));
  auto const waiting = wait(id, R"(["running"])", "1000");
  may_end.count_down();
  ASSERT_TRUE(waiting.streamed.valid());
  EXPECT_EQ(waiting.streamed.get(), R"({"job_info":["success"],"log_entries":[]})");
  // One that has ended will never change.
  EXPECT_THAT(wait(id, R"(["success"])", "1000").body, HasSubstr(R"("job_info":["success"])"));
}

TEST_F(RemoteApiTest, each_route_is_there_once_and_has_a_permission_that_exists) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  auto const take = [&](auto const& row) {
    EXPECT_TRUE(seen.insert({row.method, row.path}).second) << row.method << " " << row.path;
    EXPECT_TRUE(row.permission.empty() || is_permission(row.permission)) << row.permission;
    EXPECT_TRUE(row.sentence.ends_with('.')) << row.path;
  };
  for (auto const& row : reads()) take(row);
  for (auto const& row : changes()) take(row);
}

}  // namespace
}  // namespace flotte::rapi
