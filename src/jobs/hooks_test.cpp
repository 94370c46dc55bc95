#include "jobs/hooks.h"

#include <gmock/gmock.h>

#include <atomic>

#include "jobs/queue_fixture.h"

namespace flotte::jobs {
namespace {

using namespace std::chrono_literals;
using rpc::HookOutcome;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Pair;

// A unit for these tests, under the name of an opcode that exists: makes a disk on n1 and an
// instance in the configuration. Its hooks run on both nodes and are told whether there is one.
struct MakesOne {
  using Op = opcodes::InstanceRemove;
  struct Facts {};
  struct Plan {
    std::string name;
    static schema::Fields fields() {
      static constexpr schema::Field table[] = {schema::field<&Plan::name>("name", "A name.")};
      return table;
    }
  };

  static Result<LockSet> locks(Op const& op, model::Cluster const&) {
    return LockSet{exclusive(LockLevel::Instance, op.instance_name)};
  }
  static Result<Facts> inspect(Op const&, model::Cluster const&, NodeReader&) { return Facts{}; }
  static Result<Plan> plan(Op const& op, model::Cluster const&, Facts const&) {
    return Plan{op.instance_name};
  }
  static Result<Hooks> hooks(Op const&, model::Cluster const& cluster, Plan const& plan) {
    std::vector<NodeId> const nodes{NodeId("node-1"), NodeId("node-1"), NodeId("node-2")};
    if (plan.name == "gone" && !cluster.instances().empty()) {
      return fail(ErrorCode::UnknownEntity, "Nothing is left of it");
    }
    return Hooks{.directory = "instance-make",
                 .object_type = "INSTANCE",
                 .instance = plan.name,
                 .variables = {{"COUNT", std::to_string(cluster.instances().size())}},
                 .pre_nodes = nodes,
                 .post_nodes = nodes};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    NodeId const node("node-1");
    rpc::DiskSpec const disk{.disk = {.uuid = DiskId("disk"),
                                      .dev_type = model::DiskTemplate::File,
                                      .logical_id = {"loop", fmt::format("/srv/{}", plan.name)},
                                      .size = {128}}};
    TRY(job.step("Creating", node, rpc::BlockdevCreate{plan.name, disk},
                 {.undo = undo_call(node, rpc::BlockdevRemove{plan.name, disk})}));
    TRY(job.commit("Adding", [&](store::ClusterEdit& edit) -> Result<void> {
      model::Instance instance;
      instance.uuid = InstanceId(plan.name);
      instance.name = plan.name;
      instance.primary_node = node;
      edit.put(std::move(instance));
      return {};
    }));
    if (plan.name == "fails") return fail(ErrorCode::EnvironmentError, "It fails late");
    return "done";
  }
};

class HooksOfJobs : public QueueTest {
 protected:
  HooksOfJobs() {
    units_.add<MakesOne>();
    restart();
  }

  JobId submit(std::string_view name, bool is_dry_run = false) {
    json::object op{{"OP_ID", "OP_INSTANCE_REMOVE"}, {"instance_name", name}};
    if (is_dry_run) op["dry_run"] = true;
    return QueueTest::submit(std::move(op));
  }
  Job run(std::string_view name) { return wait(submit(name)); }

  void add_hook(std::string const& node, std::string const& script,
                rpc::FakeHook const& hook = {}) {
    nodes_.change(NodeId(node), [&](rpc::FakeNodeState& state) { state.hooks[script] = hook; });
  }
  std::vector<std::string> ran(std::string const& node) {
    std::vector<std::string> scripts;
    for (auto const& one : nodes_.state(NodeId(node)).hook_runs) scripts.push_back(one.script);
    return scripts;
  }
  std::map<std::string, std::string> told(std::string const& script) {
    for (auto const& one : nodes_.state(NodeId("node-1")).hook_runs) {
      if (one.script == script) return one.environment;
    }
    return {};
  }
  static std::vector<std::string> log_of(Job const& job) {
    std::vector<std::string> lines;
    for (auto const& entry : job.ops[0].log) lines.emplace_back(entry.content.as_string());
    return lines;
  }
};

TEST_F(HooksOfJobs, run_before_and_after_and_know_what_changed) {
  add_hook("node-1", "instance-make-pre.d/10-a");
  add_hook("node-1", "instance-make-post.d/10-b");
  add_hook("node-2", "instance-make-post.d/10-c");
  add_hook("node-1", "config-update-post.d/10-d");
  add_hook("node-2", "config-update-post.d/10-not-the-master");
  EXPECT_EQ(run("web1").status(), Status::Success);
  EXPECT_THAT(ran("node-1"), ElementsAre("instance-make-pre.d/10-a", "instance-make-post.d/10-b",
                                         "config-update-post.d/10-d"));
  EXPECT_THAT(ran("node-2"), ElementsAre("instance-make-post.d/10-c"));
  EXPECT_THAT(told("instance-make-pre.d/10-a"),
              ElementsAre(Pair("GANETI_CLUSTER", "cluster"), Pair("GANETI_COUNT", "0"),
                          Pair("GANETI_HOOKS_PATH", "instance-make"),
                          Pair("GANETI_HOOKS_PHASE", "pre"), Pair("GANETI_HOOKS_VERSION", "2"),
                          Pair("GANETI_MASTER", "n1"), Pair("GANETI_OBJECT_TYPE", "INSTANCE"),
                          Pair("GANETI_OP_CODE", "OP_INSTANCE_REMOVE")));
  EXPECT_THAT(told("instance-make-post.d/10-b"),
              IsSupersetOf({Pair("GANETI_HOOKS_PHASE", "post"), Pair("GANETI_COUNT", "0"),
                            Pair("GANETI_POST_COUNT", "1")}));
  EXPECT_THAT(
      told("config-update-post.d/10-d"),
      IsSupersetOf({Pair("GANETI_HOOKS_PHASE", "post"), Pair("GANETI_HOOKS_PATH", "config-update"),
                    Pair("GANETI_COUNT", "0")}));
}

TEST_F(HooksOfJobs, cost_one_call_a_node_where_there_are_none) {
  EXPECT_EQ(run("web1").status(), Status::Success);
  EXPECT_EQ(nodes_.count("hooks_runner"), 2U);
}

TEST_F(HooksOfJobs, that_refuse_leave_everything_as_it_was) {
  add_hook("node-1", "instance-make-pre.d/10-yes");
  add_hook("node-1", "instance-make-pre.d/20-no", {HookOutcome::Failed, "not today"});
  add_hook("node-1", "instance-make-pre.d/30-skipped", {HookOutcome::Skipped});
  add_hook("node-2", "instance-make-pre.d/10-silent", {HookOutcome::Failed});
  add_hook("node-1", "instance-make-post.d/10-late");
  add_hook("node-1", "config-update-post.d/10-late");
  auto const job = run("web1");
  EXPECT_EQ(job.status(), Status::Error);
  json::array const failed{json::array{"n1", "instance-make-pre.d/20-no", "not today"},
                           json::array{"n2", "instance-make-pre.d/10-silent", ""}};
  EXPECT_EQ(job.ops[0].result, (json::array{"HooksAbort", json::array{failed}}));
  EXPECT_EQ(disks(), 0U);
  EXPECT_TRUE(config_->snapshot()->instances().empty());
  EXPECT_EQ(nodes_.calls().size(), 2U);
  EXPECT_TRUE(store_.range_prefix("/journal/")->empty());
}

TEST_F(HooksOfJobs, that_fail_afterwards_are_only_told) {
  add_hook("node-1", "instance-make-post.d/10-silent", {HookOutcome::Failed});
  add_hook("node-2", "instance-make-post.d/10-loud", {HookOutcome::Failed, "oh no"});
  auto const job = run("web1");
  EXPECT_EQ(job.status(), Status::Success);
  EXPECT_THAT(
      log_of(job),
      ElementsAre(
          " - WARNING: On n1 script instance-make-post.d/10-silent failed, output: (no output)",
          " - WARNING: On n2 script instance-make-post.d/10-loud failed, output: oh no"));
}

TEST_F(HooksOfJobs, what_is_gone_is_told_of_as_it_was) {
  add_hook("node-1", "instance-make-post.d/10-b");
  EXPECT_EQ(run("gone").status(), Status::Success);
  EXPECT_THAT(told("instance-make-post.d/10-b"), Contains(Pair("GANETI_POST_COUNT", "0")));
}

TEST_F(HooksOfJobs, after_a_failure_only_those_for_the_configuration_run) {
  add_hook("node-1", "instance-make-post.d/10-b");
  add_hook("node-1", "config-update-post.d/10-d");
  EXPECT_EQ(run("fails").status(), Status::Error);
  EXPECT_EQ(disks(), 0U);
  EXPECT_THAT(ran("node-1"), ElementsAre("config-update-post.d/10-d"));
}

TEST_F(HooksOfJobs, before_a_dry_run_they_run_and_may_refuse) {
  add_hook("node-1", "instance-make-pre.d/10-a");
  add_hook("node-1", "instance-make-post.d/10-b");
  auto const job = wait(submit("web1", true));
  EXPECT_EQ(job.status(), Status::Success);
  EXPECT_THAT(ran("node-1"), ElementsAre("instance-make-pre.d/10-a"));
  EXPECT_THAT(log_of(job),
              ElementsAre(" - INFO: dry-run mode requested, not actually executing the operation"));
  EXPECT_EQ(disks(), 0U);
}

TEST_F(HooksOfJobs, a_node_that_answers_with_an_error_was_not_asked_in_vain) {
  nodes_.fail_next("hooks_runner", {ErrorCode::EnvironmentError, "The disk is on fire"});
  auto const job = run("web1");
  EXPECT_EQ(job.ops[0].result, (json::array{"OpExecError", json::array{"The disk is on fire"}}));
  EXPECT_EQ(disks(), 0U);
}

TEST_F(HooksOfJobs, an_answer_that_is_lost_is_asked_for_again) {
  add_hook("node-1", "instance-make-pre.d/20-no", {HookOutcome::Failed, "not today"});
  nodes_.lose_next_answer("hooks_runner");
  EXPECT_EQ(run("web1").ops[0].result.at(0), json::value("HooksAbort"));
}

TEST_F(HooksOfJobs, an_offline_node_is_not_asked) {
  auto const changed = config_->update(
      [](store::ClusterEdit& edit) -> Result<void> {
        edit.put(model::Node{
            .uuid = NodeId("node-2"), .name = "n2", .group = GroupId("g"), .offline = true});
        return {};
      },
      {});
  ASSERT_TRUE(changed);
  add_hook("node-2", "instance-make-pre.d/20-no", {HookOutcome::Failed, "not today"});
  EXPECT_EQ(run("web1").status(), Status::Success);
}

// The next controller runs those of afterwards, with what was known before, and not those of before
// once more.
TEST_F(HooksOfJobs, survive_the_controller) {
  add_hook("node-1", "instance-make-pre.d/10-a");
  add_hook("node-1", "instance-make-post.d/10-b");
  add_hook("node-1", "config-update-post.d/10-d");
  std::atomic<bool> is_away = true;
  nodes_.before([&](rpc::FakeCall const& call) -> Result<void> {
    if (is_away && call.call == "blockdev_create") {
      return Failure(rpc::fake_unreachable("n1", "it restarts"));
    }
    return {};
  });
  auto const id = submit("web1");
  while (store_.range_prefix("/journal/")->empty()) std::this_thread::sleep_for(1ms);
  queue_->stop();
  is_away = false;
  restart();
  EXPECT_EQ(wait(id).status(), Status::Success);
  EXPECT_THAT(ran("node-1"), ElementsAre("instance-make-pre.d/10-a", "instance-make-post.d/10-b",
                                         "config-update-post.d/10-d"));
  EXPECT_THAT(told("instance-make-post.d/10-b"),
              IsSupersetOf({Pair("GANETI_COUNT", "0"), Pair("GANETI_POST_COUNT", "1")}));
}

// A plan that was made but not begun is made again, and asked about again.
TEST_F(HooksOfJobs, of_before_run_again_when_nothing_had_begun) {
  add_hook("node-1", "instance-make-pre.d/10-a");
  std::atomic<int> calls = 0;
  nodes_.after([&](rpc::FakeCall const& call, Result<json::value> const&) -> Result<void> {
    if (call.call == "hooks_runner" && call.node == NodeId("node-1") && calls < 1'000'000) {
      ++calls;
      return Failure(rpc::fake_unreachable("n1", "the answer is lost"));
    }
    return {};
  });
  auto const id = submit("web1");
  while (calls == 0) std::this_thread::sleep_for(1ms);
  queue_->stop();
  calls = 1'000'000;
  restart();
  EXPECT_EQ(wait(id).status(), Status::Success);
  EXPECT_GE(ran("node-1").size(), 2U);
  EXPECT_EQ(disks(), 1U);
}

TEST_F(HooksOfJobs, a_node_out_of_reach_has_nothing_to_say) {
  nodes_.set_reachable(NodeId("node-2"), false);
  auto const job = run("web1");
  EXPECT_EQ(job.status(), Status::Success);
  EXPECT_THAT(log_of(job),
              Contains(" - WARNING: Communication failure to node n2: Node n2 (in memory) did not "
                       "answer: connection refused"));
}

}  // namespace
}  // namespace flotte::jobs
