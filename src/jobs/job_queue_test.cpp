#include "jobs/job_queue.h"

#include "jobs/test_queue.h"

namespace flotte::jobs {
namespace {

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

TEST_F(JobQueueTest, who_gets_more_urgent_goes_first_where_several_wait_for_a_lock) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const holder = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const earlier = *queue_->submit({a_job("a")}).front();
  auto const urgent = *queue_->submit({a_job("a")}).front();
  EXPECT_TRUE(queue_->change_priority(urgent, -5).ok);
  nodes_.set_reachable(NodeId("node-1"), true);
  wait(holder);
  EXPECT_LT(wait(urgent).ops[0].exec_timestamp, wait(earlier).ops[0].exec_timestamp);
}

TEST_F(JobQueueTest, undoes_nothing_that_was_to_be_kept) {
  nodes_.before([](rpc::FakeCall const& call) -> Result<void> {
    auto const is_last = json::serialize(call.arguments).find("disk2") != std::string::npos;
    if (call.call == "blockdev_create" && is_last) {
      return fail(ErrorCode::InsufficientResources, "The disk is full");
    }
    return {};
  });
  auto const job = wait(*queue_->submit({a_job("keeps")}).front());
  EXPECT_EQ(job.status(), Status::Error);
  EXPECT_EQ(disks(), 2U);
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

// As one does that renames or removes what it works on.
TEST_F(JobQueueTest, what_was_interrupted_holds_the_locks_that_it_held) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const interrupted = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  set([](model::Settings& settings) { settings.cluster_name = "a"; });
  restart();
  auto const locks = queue_->locks();
  ASSERT_EQ(locks.size(), 1U);
  EXPECT_EQ(locks[0].job, interrupted);
  EXPECT_EQ(lock_name(locks[0].locks.at(0)), "instance/a");
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(interrupted).status(), Status::Success);
}

TEST_F(JobQueueTest, no_more_jobs_run_than_is_wished_now) {
  // Four at once, so that there are workers for them.
  nodes_.set_reachable(NodeId("node-1"), false);
  auto ids = queue_->submit({a_job("a"), a_job("b"), a_job("c"), a_job("d")});
  while (running() < 4) std::this_thread::sleep_for(1ms);
  nodes_.set_reachable(NodeId("node-1"), true);
  for (auto const& id : ids) wait(*id);

  set([](model::Settings& settings) { settings.max_running_jobs = 1; });
  std::atomic<std::ptrdiff_t> most = 0;
  nodes_.before([&](rpc::FakeCall const&) -> Result<void> {
    most = std::max(most.load(), running());
    return {};
  });
  ids = queue_->submit({a_job("a"), a_job("b"), a_job("c"), a_job("d")});
  for (auto const& id : ids) EXPECT_EQ(wait(*id).status(), Status::Success);
  EXPECT_EQ(most, 1);
}

TEST_F(JobQueueTest, what_ends_the_cluster_waits_for_those_at_work_and_lets_none_begin) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const waiting = *queue_->submit({a_job("a")}).front();
  Status seen = Status::Queued;
  std::thread closer([&] {
    EXPECT_TRUE(queue_->run_last(60s, [&]() -> Result<void> {
      seen = queue_->job(id)->status();
      EXPECT_FALSE(is_final(queue_->job(waiting)->status()));
      return {};
    }));
  });
  while (queue_->submit({a_job("b")}).front()) std::this_thread::sleep_for(1ms);
  nodes_.set_reachable(NodeId("node-1"), true);
  closer.join();
  EXPECT_EQ(seen, Status::Success);
  EXPECT_TRUE(queue_->jobs().empty());
  EXPECT_TRUE(queue_->locks().empty());
  EXPECT_EQ(wait(*queue_->submit({a_job("c")}).front()).status(), Status::Success);
}

TEST_F(JobQueueTest, what_ends_the_cluster_names_those_that_it_waited_for_in_vain) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("a")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const done = queue_->run_last(0s, []() -> Result<void> { return {}; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message,
            fmt::format("Jobs are still at work ({}); wait for them or cancel them, then try again",
                        number(id)));
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(id).status(), Status::Success);
  EXPECT_EQ(wait(*queue_->submit({a_job("b")}).front()).status(), Status::Success);
}

// Which number it draws stands in a list: of jobs that are under way together each has another.
struct Draws {
  using Op = opcodes::InstanceReboot;
  struct Facts {
    std::int64_t number = 0;
  };
  using Plan = ThreeSteps::Plan;

  static inline std::atomic<std::size_t> drawn = 0;
  // A worker that asks for claims then waits until another job has drawn.
  static inline std::atomic<std::size_t> late_at = 99;
  static inline std::thread::id of_the_test;
  static Result<LockSet> locks(Op const& op, model::Cluster const&) {
    return LockSet{exclusive(LockLevel::Instance, op.instance_name)};
  }
  static Result<Facts> inspect(Op const&, model::Cluster const&, NodeReader&) {
    static constexpr std::int64_t numbers[] = {7, 7, 7, 8, 7, 7, 7, 7};
    return Facts{numbers[drawn++]};
  }
  static Result<Plan> plan(Op const&, model::Cluster const&, Facts const& facts) {
    return Plan{fmt::format("number {}", facts.number)};
  }
  static std::vector<std::string> claims(Plan const& plan) {
    while (drawn == late_at && std::this_thread::get_id() != of_the_test) {
      std::this_thread::sleep_for(1ms);
    }
    return {plan.name};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    TRY(job.step("Waiting", NodeId("node-1"), rpc::TestDelay{}));
    return json::value(json::string_view(plan.name));
  }
};

TEST_F(JobQueueTest, of_two_that_draw_the_same_the_second_draws_again) {
  Draws::drawn = 0;
  Draws::late_at = 99;
  units_.add<Draws>();
  auto const op = [](std::string_view name) {
    return json::object{
        {"OP_ID", "OP_INSTANCE_REBOOT"}, {"instance_name", name}, {"reboot_type", "hard"}};
  };
  auto const at_work = [&](std::size_t count) {
    while (journal_keys() < 2 * count) std::this_thread::sleep_for(1ms);
  };
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const first = *queue_->submit({json::array{op("a")}}).front();
  at_work(1);
  auto const second = *queue_->submit({json::array{op("b")}}).front();
  at_work(2);
  EXPECT_EQ(Draws::drawn, 4U);
  // Also one that was begun before a restart has what it drew, however late it goes on.
  Draws::of_the_test = std::this_thread::get_id();
  Draws::late_at = 4;
  restart();
  // Who asks for what another has is refused before it has done anything.
  auto const third = wait(*queue_->submit({json::array{op("c")}}).front());
  EXPECT_EQ(
      third.ops[0].result.as_array().at(1).at(0).as_string(),
      fmt::format("number 7 is being taken by job {}; try again when it has ended", number(first)));
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(first).ops[0].result, json::value("number 7"));
  EXPECT_EQ(wait(second).ops[0].result, json::value("number 8"));
  EXPECT_EQ(Draws::drawn, 8U);
}

TEST_F(JobQueueTest, a_queue_drained_while_the_cluster_is_ended_leaves_nothing) {
  std::latch begun(1);
  std::future<Result<void>> drained;
  EXPECT_TRUE(queue_->run_last(60s, [&]() -> Result<void> {
    drained = std::async(std::launch::async, [&] {
      begun.count_down();
      return queue_->set_drained(true);
    });
    begun.wait();
    // Nothing says that somebody waits; who doesn't has done it by then.
    drained.wait_for(100ms);
    return config_->forget();
  }));
  EXPECT_FALSE(drained.get());
  EXPECT_FALSE(queue_->is_drained());
  EXPECT_TRUE(store_.range_prefix("/queue/drain")->empty());
}

TEST_F(JobQueueTest, what_could_not_be_read_again_is_not_stored) {
  auto op = a_job("a").front();
  op.as_object()["instance_name"] = "\xff";
  auto const refused = queue_->submit({json::array{op}}).front();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "The job has text that is not UTF-8");
  EXPECT_TRUE(queue_->jobs().empty());
}

TEST_F(JobQueueTest, a_new_cluster_is_not_drained_because_the_one_before_was) {
  ASSERT_TRUE(queue_->set_drained(true));
  EXPECT_TRUE(queue_->run_last(60s, [&] { return config_->forget(); }));
  EXPECT_FALSE(queue_->is_drained());
}

// Cancels, reprioritises and archives while the cluster is being ended.
class AtTheEnd : public JobQueueTest {
 protected:
  // With a job that has ended and one that waits for the locks of another.
  Result<void> end(Result<void> const& outcome) {
    nodes_.set_reachable(NodeId("node-1"), false);
    ended_ = *queue_->submit({a_job("a")}).front();
    while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
    waiting_ = *queue_->submit({a_job("a"), a_job("a")}).front();
    auto const other = JobId{number(waiting_) + 1};
    std::thread closer([&] {
      done_ = queue_->run_last(60s, [&]() -> Result<void> {
        canceler_ = std::async(std::launch::async, [&] {
          begun_.count_down();
          return queue_->cancel(waiting_).ok;
        });
        changer_ = std::async(std::launch::async, [&, other] {
          begun_.count_down();
          return queue_->change_priority(other, 1).ok;
        });
        archiver_ = std::async(std::launch::async, [&] {
          begun_.count_down();
          return queue_->auto_archive({}).first;
        });
        begun_.wait();
        // Nothing says that somebody waits; who doesn't has done it by then.
        archiver_.wait_for(100ms);
        canceler_.wait_for(100ms);
        changer_.wait_for(100ms);
        if (!outcome) {
          nodes_.set_reachable(NodeId("node-1"), false);
          return outcome;
        }
        store::Txn txn;
        for (auto const* prefix : {"/jobs/", "/archive/", "/queue/"}) txn.delete_prefix(prefix);
        TRY(store_.txn(txn));
        return {};
      });
    });
    while (queue_->submit({a_job("b")}).front()) std::this_thread::sleep_for(1ms);
    nodes_.set_reachable(NodeId("node-1"), true);
    closer.join();
    return done_;
  }

  std::latch begun_{3};
  JobId ended_{};
  JobId waiting_{};
  Result<void> done_;
  std::future<bool> canceler_;
  std::future<bool> changer_;
  std::future<std::int64_t> archiver_;
};

TEST_F(AtTheEnd, nobody_writes_about_a_job_that_is_gone) {
  ASSERT_TRUE(end({}));
  EXPECT_FALSE(canceler_.get());
  EXPECT_FALSE(changer_.get());
  EXPECT_EQ(archiver_.get(), 0);
  EXPECT_TRUE(store_.range_prefix("/jobs/")->empty());
  EXPECT_TRUE(store_.range_prefix("/archive/")->empty());
  EXPECT_TRUE(store_.range_prefix("/queue/wish/")->empty());
}

TEST_F(AtTheEnd, that_is_refused_they_go_on) {
  ASSERT_FALSE(end(fail(ErrorCode::WrongState, "There are still instances")));
  EXPECT_TRUE(canceler_.get());
  EXPECT_TRUE(changer_.get());
  EXPECT_GE(archiver_.get(), 1);
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(*queue_->submit({a_job("c")}).front()).status(), Status::Success);
}

TEST_F(JobQueueTest, an_exception_while_the_cluster_is_ended_leaves_the_queue_open) {
  auto const done = queue_->run_last(60s, []() -> Result<void> { throw std::bad_alloc(); });
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, testing::HasSubstr("exception"));
  EXPECT_EQ(wait(*queue_->submit({a_job("a")}).front()).status(), Status::Success);
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

// What a job says lies beside it, in pieces; of very much the first and the last are kept.
TEST_F(JobQueueTest, what_a_job_says_does_not_make_it_larger) {
  auto const id = *queue_->submit({a_job("chatty")}).front();
  ASSERT_EQ(wait(id).status(), Status::Success);
  auto const said = [&] {
    std::vector<std::string> texts;
    auto const job = queue_->job(id);
    for (auto const& entry : job->ops[0].log) {
      texts.emplace_back(std::string_view(entry.content.get_string()));
    }
    return texts;
  };
  auto const texts = said();
  ASSERT_GT(texts.size(), 1000U);
  EXPECT_EQ(texts.front(), "line 0");
  EXPECT_EQ(texts.at(texts.size() - 5), "line 119999");
  EXPECT_EQ(texts.back(), "step 2");
  EXPECT_THAT(texts.at(texts.size() - 4),
              testing::HasSubstr("x [2991808 bytes are left out here] x"));
  auto const gap = std::ranges::find_if(
      texts, [](std::string const& text) { return text.ends_with("lines are left out here"); });
  ASSERT_NE(gap, texts.end());
  auto const kept = static_cast<int>(texts.size()) - 5;
  EXPECT_EQ(*gap,
            fmt::format(" - WARNING: {} lines are left out here", ThreeSteps::chatty_lines - kept));
  EXPECT_LT(store_.range_prefix(job_key(id))->front().value.size(), 10'000U);
  std::size_t bytes = 0;
  auto const pieces = *store_.range_prefix("/log/");
  for (auto const& kv : pieces) bytes += kv.value.size();
  EXPECT_LT(bytes, 4'000'000U);

  EXPECT_TRUE(*queue_->archive(id));
  EXPECT_EQ(said(), texts);
  restart();
  EXPECT_EQ(said(), texts);
}

TEST_F(JobQueueTest, who_comes_late_is_told_what_a_job_said) {
  auto const id = *queue_->submit({a_job("a")}).front();
  wait(id);
  for (int round = 0; round < 2; ++round) {
    std::uint64_t progress = 0;
    auto const change = queue_->wait_change(id, Status::Queued, 1, progress, clock_.now());
    ASSERT_TRUE(change && *change);
    EXPECT_EQ((*change)->status, Status::Success);
    ASSERT_EQ((*change)->new_log.size(), 2U);
    EXPECT_EQ((*change)->new_log[0].content, json::value("step 1"));
    restart();
  }
}

TEST_F(JobQueueTest, what_a_job_said_is_known_after_a_restart_in_the_middle) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("chatty")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const before = store_.range_prefix("/log/")->size();
  EXPECT_GT(before, 10U);
  restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const job = wait(id);
  EXPECT_EQ(job.status(), Status::Success);
  EXPECT_EQ(job.ops[0].log.front().content, json::value("line 0"));
  EXPECT_EQ(job.ops[0].log.back().content, json::value("step 2"));
  for (std::size_t i = 1; i < job.ops[0].log.size(); ++i) {
    EXPECT_GT(job.ops[0].log[i].serial, job.ops[0].log[i - 1].serial);
  }
  EXPECT_LT(store_.range_prefix("/log/")->size(), 80U);
}

// Older versions stored it inside of the job.
TEST_F(JobQueueTest, what_was_said_under_an_older_version_is_still_there) {
  auto const with_log = [](JobId id, std::string_view status) {
    return fmt::format(
        R"({{"id":{},"ops":[{{"input":{{"OP_ID":"OP_INSTANCE_REMOVE","instance_name":"a",)"
        R"("priority":0}},"status":"{}","result":null,"log":[[1,[5,0],"message","then"]],)"
        R"("priority":0,"start_timestamp":null,"exec_timestamp":null,"end_timestamp":null}}],)"
        R"("received_timestamp":[5,0],"start_timestamp":null,"end_timestamp":null}})",
        number(id), status);
  };
  store::Txn txn;
  txn.put(job_key(JobId{1}), with_log(JobId{1}, "success"));
  txn.put(job_key(JobId{2}), with_log(JobId{2}, "queued"));
  txn.put(archive_key(JobId{3}), with_log(JobId{3}, "success"));
  queue_->stop();
  ASSERT_TRUE(store_.txn(txn));
  restart();
  EXPECT_EQ(wait(JobId{2}).status(), Status::Success);
  for (std::int64_t id = 1; id <= 3; ++id) {
    auto const log = queue_->job(JobId{id})->ops[0].log;
    ASSERT_FALSE(log.empty()) << id;
    EXPECT_EQ(log[0].content, json::value("then"));
    EXPECT_EQ(log.size(), id == 2 ? 4U : 1U);
  }
  EXPECT_TRUE(*queue_->archive(JobId{1}));
  EXPECT_EQ(queue_->job(JobId{1})->ops[0].log.size(), 1U);
}

TEST_F(JobQueueTest, a_plan_larger_than_a_value_is_stored_and_gone_on_from) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_job("large")}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  auto const job = wait(id);
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_EQ(disks(), 3U);
  EXPECT_EQ(journal_keys(), 0U);
}

TEST_F(JobQueueTest, a_result_larger_than_a_value_ends_its_job_all_the_same) {
  auto const job = wait(*queue_->submit({a_job("verbose")}).front());
  EXPECT_EQ(job.status(), Status::Success);
  EXPECT_EQ(job.ops[0].result,
            json::value("The result has 2000002 bytes, more than the 400000 that are kept"));
  nodes_.fail_next("blockdev_create",
                   {ErrorCode::EnvironmentError, std::string(2'000'000, 'x'), ErrorClass::ByStage});
  auto const failed = wait(*queue_->submit({a_job("a")}).front());
  EXPECT_EQ(failed.status(), Status::Error);
  auto const text = failed.ops[0].result.at(1).at(0).as_string();
  EXPECT_TRUE(text.ends_with("x [the rest is left out]"));
  EXPECT_EQ(disks(), 3U);
}

// Half a character is no JSON, and what is stored must be read again.
TEST_F(JobQueueTest, an_error_that_is_shortened_is_not_cut_inside_a_character) {
  // One of two bytes lies across the border, wherever that is.
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "ä";
  std::vector<JobId> failed;
  for (auto const* in_front : {"", "x"}) {
    nodes_.fail_next("blockdev_create",
                     {ErrorCode::EnvironmentError, in_front + text, ErrorClass::ByStage});
    failed.push_back(wait(*queue_->submit({a_job("a")}).front()).id);
  }
  restart();
  EXPECT_TRUE(queue_->set_aside().empty());
  for (auto const id : failed) {
    auto const said = queue_->job(id)->ops[0].result.at(1).at(0).as_string();
    EXPECT_TRUE(said.ends_with("ä [the rest is left out]"));
  }
}

TEST_F(JobQueueTest, a_job_too_large_to_be_stored_is_refused_alone) {
  auto large = a_job("a");
  large[0].as_object()["comment"] = json::string(std::string(1'100'000, 'x'));
  auto const ids = queue_->submit({large, a_job("b")});
  ASSERT_FALSE(ids[0]);
  EXPECT_THAT(ids[0].error().message, testing::HasSubstr("submit it as several"));
  ASSERT_TRUE(ids[1]);
  EXPECT_EQ(wait(*ids[1]).status(), Status::Success);
}

TEST_F(JobQueueTest, archived_jobs_are_removed_with_all_they_said_when_they_are_old) {
  auto const old = *queue_->submit({a_job("a")}).front();
  wait(old);
  EXPECT_TRUE(*queue_->archive(old));
  EXPECT_EQ(*queue_->remove_archived(1h), 0U);
  EXPECT_TRUE(queue_->job(old));
  EXPECT_FALSE(store_.range_prefix("/log/")->empty());
  EXPECT_EQ(*queue_->remove_archived(-1h), 1U);
  EXPECT_FALSE(queue_->job(old));
  EXPECT_TRUE(store_.range_prefix("/log/")->empty());
  EXPECT_TRUE(store_.range_prefix("/archive/")->empty());
}

TEST_F(JobQueueTest, archived_jobs_that_can_not_be_read_hold_up_no_others) {
  store::Txn damage;
  for (int i = 0; i < 250; ++i) damage.put(fmt::format("/archive/{:012}", i), "{");
  damage.put("/queue/serial", "1000");
  ASSERT_TRUE(store_.txn(damage));
  restart();
  for (int i = 0; i < 3; ++i) {
    auto const id = *queue_->submit({a_job("a")}).front();
    ASSERT_GT(number(id), 250);
    wait(id);
    EXPECT_TRUE(*queue_->archive(id));
  }
  EXPECT_EQ(*queue_->remove_archived(1h), 0U);
  EXPECT_EQ(*queue_->remove_archived(-1h), 3U);
  EXPECT_EQ(*queue_->remove_archived(-1h), 0U);
  EXPECT_EQ(store_.range_prefix("/archive/")->size(), 250U);
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
