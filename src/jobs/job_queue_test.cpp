#include "jobs/job_queue.h"

#include <gtest/gtest.h>

#include <atomic>

#include "jobs/job_context.h"
#include "jobs/journal.h"
#include "opcodes/instance.h"
#include "rpc/fake_node.h"
#include "store/config_store.h"
#include "store/memory_store.h"

namespace flotte::jobs {
namespace {

using namespace std::chrono_literals;

// A unit for these tests, under the name of an opcode that exists: three steps on a node, each
// undone by removing what it made; fails where the test says.
struct ThreeSteps {
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
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster, NodeReader& nodes) {
    if (op.instance_name == "asks") {
      TRY(nodes.ask(*TRY(cluster.node("n1")), rpc::NodeInfo{}));
    }
    return Facts{};
  }
  static Result<Plan> plan(Op const& op, model::Cluster const&, Facts const&) {
    if (op.instance_name == "refused") return fail(ErrorCode::WrongInput, "It is refused");
    return Plan{op.instance_name};
  }
  static rpc::DiskSpec disk(Plan const& plan, int index) {
    return {.disk = {.uuid = DiskId(fmt::format("{}-{}", plan.name, index)),
                     .dev_type = model::DiskTemplate::File,
                     .logical_id = {"loop", fmt::format("/srv/{}/disk{}", plan.name, index)},
                     .size = {128}},
            .index = index};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    NodeId const node("node-1");
    for (int i = 0; i < 3; ++i) {
      job.log(fmt::format("step {}", i));
      TRY(job.step(fmt::format("Creating {}", i), node,
                   rpc::BlockdevCreate{plan.name, disk(plan, i)},
                   {.undo = undo_call(node, rpc::BlockdevRemove{plan.name, disk(plan, i)})}));
    }
    return "done";
  }
};

// What it is about it learns while it decides: "alias" is "real".
struct UnderAnAlias {
  using Op = opcodes::InstanceStartup;
  struct Facts {};
  using Plan = ThreeSteps::Plan;

  static Result<LockSet> locks(Op const& op, model::Cluster const&) {
    return LockSet{exclusive(LockLevel::Instance, op.instance_name)};
  }
  static Result<Facts> inspect(Op const&, model::Cluster const&, NodeReader&) { return Facts{}; }
  static Result<Plan> plan(Op const&, model::Cluster const&, Facts const&) { return Plan{"real"}; }
  static LockSet plan_locks(Plan const& plan) {
    return {exclusive(LockLevel::Instance, plan.name)};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    return ThreeSteps::apply(plan, job);
  }
};

json::array a_job(std::string_view name) {
  json::object op;
  op["OP_ID"] = "OP_INSTANCE_REMOVE";
  op["instance_name"] = name;
  return {std::move(op)};
}

class JobQueueTest : public testing::Test {
 protected:
  JobQueueTest() {
    units_.add<ThreeSteps>();
    units_.add<UnderAnAlias>();
    config_ = std::move(*store::ConfigStore::create(store_, clock_));
    auto const filled = config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          model::Settings settings;
          settings.uuid = ClusterId("c");
          settings.cluster_name = "cluster";
          edit.put(settings);
          edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
          edit.put(model::Node{.uuid = NodeId("node-1"), .name = "n1", .group = GroupId("g")});
          return {};
        },
        {});
    EXPECT_TRUE(filled);
    restart();
  }

  // As after a crash: only what the store holds is known.
  void restart() {
    queue_.reset();
    queue_ =
        std::move(*JobQueue::create({clock_, random_, store_, *config_, nodes_}, units_, ++epoch_));
    queue_->start();
  }

  Job wait(JobId id) {
    auto const deadline = clock_.now() + 20s;
    std::uint64_t progress = 0;
    for (auto status = Status::Queued; !is_final(status);) {
      auto const change = queue_->wait_change(id, status, 1'000'000, progress, deadline);
      if (!change || !*change) break;
      status = (*change)->status;
    }
    return *queue_->job(id);
  }

  std::size_t disks() { return nodes_.state(NodeId("node-1")).disks.size(); }
  std::size_t journal_keys() { return store_.range_prefix("/journal/")->size(); }

  SystemClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  rpc::FakeNode nodes_;
  UnitTable units_;
  std::unique_ptr<store::ConfigStore> config_;
  std::unique_ptr<JobQueue> queue_;
  std::int64_t epoch_ = 0;
};

TEST_F(JobQueueTest, runs_a_job_and_forgets_its_journal) {
  auto const id = queue_->submit({a_job("a")}).front();
  ASSERT_TRUE(id) << id.error().message;
  auto const job = wait(*id);
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_EQ(job.ops[0].result, json::value("done"));
  EXPECT_EQ(job.ops[0].log.size(), 3U);
  EXPECT_EQ(disks(), 3U);
  EXPECT_EQ(journal_keys(), 0U);
}

TEST_F(JobQueueTest, undoes_what_a_failed_job_did) {
  std::atomic<int> creates = 0;
  nodes_.before([&](rpc::FakeCall const& call) -> Result<void> {
    if (call.call == "blockdev_create" && ++creates == 3) {
      return fail(ErrorCode::InsufficientResources, "The disk is full");
    }
    return {};
  });
  auto const job = wait(*queue_->submit({a_job("a")}).front());
  EXPECT_EQ(job.status(), Status::Error);
  EXPECT_EQ(job.ops[0].result, (json::array{"OpExecError", json::array{"The disk is full"}}));
  EXPECT_EQ(disks(), 0U);
  EXPECT_EQ(journal_keys(), 0U);
}

TEST_F(JobQueueTest, a_lost_answer_is_asked_for_again) {
  nodes_.lose_next_answer("blockdev_create");
  auto const job = wait(*queue_->submit({a_job("a")}).front());
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_EQ(disks(), 3U);
}

TEST_F(JobQueueTest, goes_on_after_a_restart_in_the_middle) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("a")}).front();
  // The first step's intent is in the journal, its outcome unknown.
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const job = wait(id);
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_EQ(disks(), 3U);
  EXPECT_EQ(journal_keys(), 0U);
}

TEST_F(JobQueueTest, what_was_interrupted_goes_on_before_what_is_more_urgent) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const interrupted = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto urgent = a_job("a");
  urgent[0].as_object()["priority"] = -10;
  auto const next = *queue_->submit({urgent}).front();
  restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const end = wait(interrupted).end_timestamp;
  EXPECT_LE(end, wait(next).start_timestamp);
}

// Both are about "real", whatever it was called.
TEST_F(JobQueueTest, what_a_plan_is_about_is_locked_before_it_is_carried_out) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const first = *queue_->submit({a_job("real")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  json::object op{{"OP_ID", "OP_INSTANCE_STARTUP"}, {"instance_name", "alias"}};
  auto const second = *queue_->submit({json::array{op}}).front();
  auto const wants = [&] {
    for (auto const& entry : queue_->locks()) {
      if (entry.job == second && entry.locks.size() > 2 && !entry.is_granted) return true;
    }
    return false;
  };
  while (!wants()) std::this_thread::sleep_for(1ms);
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const end = wait(first).end_timestamp;
  auto const job = wait(second);
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_LE(end, job.end_timestamp);
  // Locked as what it is, it is done once.
  EXPECT_TRUE(queue_->locks().empty());
}

TEST_F(JobQueueTest, prerequisites_are_errors_of_their_class) {
  auto const job = wait(*queue_->submit({a_job("refused")}).front());
  EXPECT_EQ(job.ops[0].result,
            (json::array{"OpPrereqError", json::array{"It is refused", "wrong_input"}}));
}

TEST_F(JobQueueTest, a_node_that_is_away_for_a_moment_fails_no_job_that_has_not_begun) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("asks")}).front();
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(is_final(queue_->job(id)->status()));
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const job = wait(id);
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
}

TEST_F(JobQueueTest, a_job_that_still_inspects_is_canceled_at_once) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("asks")}).front();
  while (queue_->job(id)->status() != Status::Running) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(queue_->cancel(id).ok);
  EXPECT_EQ(wait(id).status(), Status::Canceled);
}

TEST(Jobs, a_node_that_did_not_answer_is_an_error_of_the_stage) {
  Error const away{ErrorCode::EnvironmentError, "away", ErrorClass::Unreachable};
  EXPECT_EQ(encode_error(away, ErrorClass::Prereq),
            (json::array{"OpPrereqError", json::array{"away", "environment_error"}}));
  EXPECT_EQ(encode_error(away, ErrorClass::Exec),
            (json::array{"OpExecError", json::array{"away"}}));
}

TEST_F(JobQueueTest, dependencies_decide) {
  auto after = a_job("b");
  after[0].as_object()["depends"] = json::array{json::array{-1, json::array{"success"}}};
  auto const good = queue_->submit({a_job("a"), after});
  EXPECT_EQ(wait(*good[1]).status(), Status::Success);
  auto const bad = queue_->submit({a_job("refused"), after});
  EXPECT_EQ(wait(*bad[1]).status(), Status::Canceled);
}

TEST_F(JobQueueTest, cancels_what_waits_and_undoes_what_runs) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const running = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const waiting = *queue_->submit({a_job("a")}).front();
  EXPECT_TRUE(queue_->cancel(waiting).ok);
  EXPECT_EQ(wait(waiting).status(), Status::Canceled);
  EXPECT_TRUE(queue_->cancel(running).ok);
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(running).status(), Status::Canceled);
  EXPECT_EQ(disks(), 0U);
  EXPECT_FALSE(queue_->cancel(running).ok);
}

TEST_F(JobQueueTest, the_next_controller_knows_of_a_cancel) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const running = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(queue_->cancel(running).ok);
  restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(running).status(), Status::Canceled);
  EXPECT_EQ(disks(), 0U);
  EXPECT_TRUE(store_.range_prefix("/queue/wish/")->empty());
}

TEST_F(JobQueueTest, the_next_controller_knows_of_a_priority) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const running = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const waiting = *queue_->submit({a_job("a")}).front();
  EXPECT_TRUE(queue_->change_priority(running, 3).ok);
  EXPECT_TRUE(queue_->change_priority(waiting, -3).ok);
  EXPECT_TRUE(queue_->change_priority(waiting, -7).ok);
  restart();
  EXPECT_EQ(queue_->job(running)->ops[0].priority, 3);
  EXPECT_EQ(queue_->job(waiting)->ops[0].priority, -7);
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(running).ops[0].priority, 3);
  EXPECT_EQ(wait(waiting).ops[0].priority, -7);
  EXPECT_TRUE(store_.range_prefix("/queue/wish/")->empty());
}

TEST_F(JobQueueTest, archives_and_survives_a_restart) {
  auto const id = *queue_->submit({a_job("a")}).front();
  wait(id);
  EXPECT_TRUE(*queue_->archive(id));
  restart();
  EXPECT_TRUE(queue_->jobs().empty());
  EXPECT_TRUE(queue_->job(id)->is_archived);
  EXPECT_GT(number(*queue_->submit({a_job("b")}).front()), number(id));
}

TEST_F(JobQueueTest, a_drained_queue_takes_nothing) {
  ASSERT_TRUE(queue_->set_drained(true));
  auto const refused = queue_->submit({a_job("a")}).front();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::QueueDrained);
  restart();
  EXPECT_TRUE(queue_->is_drained());
}

// What `damage` did to the journal of a job in the middle of its work.
class BadJournal : public JobQueueTest {
 protected:
  Job after(std::function<void(store::Txn&, JobId)> const& damage) {
    nodes_.set_reachable(NodeId("node-1"), false);
    id_ = *queue_->submit({a_job("a")}).front();
    while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
    queue_->stop();
    store::Txn txn;
    damage(txn, id_);
    EXPECT_TRUE(store_.txn(txn));
    nodes_.set_reachable(NodeId("node-1"), true);
    restart();
    // The rest of the queue goes on.
    EXPECT_EQ(wait(*queue_->submit({a_job("b")}).front()).status(), Status::Success);
    return *queue_->job(id_);
  }
  std::string entry(std::string const& key) { return store_.range_prefix(key)->front().value; }

  JobId id_{};
};

TEST_F(BadJournal, of_an_older_version) {
  auto const job = after([](store::Txn& txn, JobId id) {
    txn.put(journal_plan_key(id), R"({"format":1,"op_id":"OP_INSTANCE_REMOVE"})");
  });
  EXPECT_EQ(job.set_aside, "plan of its journal was written by an older version of Flotte");
  EXPECT_EQ(job.status(), Status::Error);
}

TEST_F(BadJournal, of_a_newer_version) {
  auto const job = after([](store::Txn& txn, JobId id) {
    txn.put(journal_plan_key(id), seal({{"format", journal_format + 1}}));
  });
  EXPECT_EQ(job.set_aside, "plan of its journal was written by a newer version of Flotte");
}

TEST_F(BadJournal, with_an_entry_of_an_unknown_kind) {
  auto const job = after([](store::Txn& txn, JobId id) {
    txn.put(journal_prefix(id) + "promise/000000", seal({{"of", "more"}}));
  });
  EXPECT_EQ(job.set_aside, "promise/000000 of its journal is an entry of an unknown kind");
}

TEST_F(BadJournal, with_a_step_that_knows_more_than_we) {
  auto const job = after([](store::Txn& txn, JobId id) {
    txn.put(journal_step_key(id, 0), seal({{"says", "Creating"}, {"twice", true}}));
  });
  EXPECT_TRUE(job.set_aside.starts_with("step/000000 of its journal ")) << job.set_aside;
}

TEST_F(BadJournal, that_is_damaged) {
  auto const job = after([this](store::Txn& txn, JobId id) {
    auto text = entry(journal_step_key(id, 0));
    text[text.size() / 2] ^= 1;
    txn.put(journal_step_key(id, 0), text);
  });
  EXPECT_EQ(job.set_aside, "step/000000 of its journal is damaged: its checksum is wrong");
}

TEST_F(BadJournal, with_a_hole) {
  auto const job = after([this](store::Txn& txn, JobId id) {
    txn.put(journal_step_key(id, 2), entry(journal_step_key(id, 0)));
  });
  EXPECT_EQ(job.set_aside, "Step 1 of its journal is missing");
}

TEST_F(BadJournal, without_its_plan) {
  auto const job = after([](store::Txn& txn, JobId id) { txn.remove(journal_plan_key(id)); });
  EXPECT_EQ(job.set_aside, "The plan of its journal is missing");
}

TEST_F(BadJournal, of_an_opcode_that_is_gone) {
  auto const job = after([this](store::Txn& txn, JobId id) {
    auto text = entry(job_key(id));
    auto const at = text.find("OP_INSTANCE_REMOVE");
    text.replace(at, std::string_view("OP_INSTANCE_REMOVE").size(), "OP_INSTANCE_PRAISE");
    txn.put(job_key(id), text);
  });
  EXPECT_EQ(job.set_aside,
            "Its opcode OP_INSTANCE_PRAISE does not exist in this version of Flotte");
}

TEST_F(BadJournal, without_its_job) {
  auto const gone = after([](store::Txn& txn, JobId id) { txn.remove(job_key(id)); });
  EXPECT_EQ(gone.set_aside, "There is a journal of it, but no job");
}

TEST_F(BadJournal, or_a_wish_that_cannot_be_read) {
  auto const job = after([](store::Txn& txn, JobId id) {
    txn.put(fmt::format("/queue/wish/{:012}", number(id)), R"({"cancel":true,"forget":true})");
  });
  EXPECT_TRUE(job.set_aside.starts_with("What was asked of it can't be read: ")) << job.set_aside;
  EXPECT_EQ(job.status(), Status::Error);
  EXPECT_TRUE(*queue_->archive(id_));
  EXPECT_TRUE(store_.range_prefix("/queue/wish/")->empty());
}

TEST_F(BadJournal, stays_until_somebody_archives_it) {
  auto const job = after([](store::Txn& txn, JobId id) { txn.put(job_key(id), "{half"); });
  EXPECT_TRUE(job.set_aside.starts_with("It can't be read: ")) << job.set_aside;
  ASSERT_EQ(queue_->set_aside().size(), 1U);
  queue_->auto_archive({});
  ASSERT_EQ(queue_->set_aside().size(), 1U);
  EXPECT_TRUE(*queue_->archive(id_));
  EXPECT_TRUE(queue_->set_aside().empty());
  EXPECT_EQ(journal_keys(), 0U);
  // What could not be read is not lost.
  EXPECT_EQ(store_.range_prefix("/unreadable/")->front().value, "{half");
  restart();
  EXPECT_TRUE(queue_->set_aside().empty());
  EXPECT_GT(number(*queue_->submit({a_job("c")}).front()), number(id_));
}

}  // namespace
}  // namespace flotte::jobs
