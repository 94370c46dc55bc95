#include "jobs/secrets.h"

#include "jobs/test_queue.h"

namespace flotte::jobs {
namespace {

// One step that hands the OS parameters on.
struct ReinstallWithSecrets {
  using Op = opcodes::InstanceReinstall;
  struct Facts {};
  struct Plan {
    rpc::InstanceSpec spec;
    static schema::Fields fields() {
      static constexpr schema::Field table[] = {schema::field<&Plan::spec>("spec", "A spec.")};
      return table;
    }
  };

  static Result<LockSet> locks(Op const& op, model::Cluster const&) {
    return LockSet{exclusive(LockLevel::Instance, op.instance_name)};
  }
  static Result<Facts> inspect(Op const&, model::Cluster const&, NodeReader&) { return Facts{}; }
  static Result<Plan> plan(Op const& op, model::Cluster const&, Facts const&) {
    return Plan{{.name = op.instance_name, .os = "noop", .osparams = *op.osparams_secret}};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    TRY(job.step("Installing", NodeId("node-1"), rpc::OsCreate{plan.spec}));
    TRY(job.step("Installing it again", NodeId("node-1"), rpc::OsCreate{plan.spec}));
    return nullptr;
  }
};

json::array a_reinstall() {
  return {json::object{{"OP_ID", "OP_INSTANCE_REINSTALL"},
                       {"instance_name", "a"},
                       {"osparams_secret", json::object{{"password", "s3cret"}}}}};
}

class Secrets : public JobQueueTest {
 protected:
  Secrets() {
    units_.add<ReinstallWithSecrets>();
    nodes_.before([&](rpc::FakeCall const& call) -> Result<void> {
      if (call.call != rpc::OsCreate::name) return {};
      given_ = json::serialize(call.arguments.at("instance").at("osparams"));
      if (refuses_) return fail(ErrorCode::EnvironmentError, "The script failed");
      return {};
    });
  }

  // Neither a value of the store nor what is told of a job has it.
  bool is_found() {
    auto const stored = *store_.range_prefix("/");
    return std::ranges::any_of(stored, [](store::KeyValue const& kv) {
      return kv.value.find("s3cret") != std::string::npos;
    });
  }
  bool is_kept() { return !store_.range_prefix("/secrets/")->empty() || !keys_.all()->empty(); }

  std::string given_;
  std::atomic<bool> refuses_ = false;
};

TEST_F(Secrets, reach_the_node_and_nothing_else) {
  auto const job = wait(*queue_->submit({a_reinstall()}).front());
  EXPECT_EQ(job.status(), Status::Success) << json::value(job.ops[0].result);
  EXPECT_EQ(given_, R"({"password":"s3cret"})");
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
  EXPECT_EQ(json::serialize(encode(job)).find("s3cret"), std::string::npos);
}

TEST_F(Secrets, are_gone_when_the_job_fails) {
  refuses_ = true;
  EXPECT_EQ(wait(*queue_->submit({a_reinstall()}).front()).status(), Status::Error);
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
}

TEST_F(Secrets, survive_the_controller_sealed) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const running = *queue_->submit({a_reinstall()}).front();
  auto const waiting = *queue_->submit({a_reinstall()}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(is_found());
  restart();
  EXPECT_FALSE(is_found());
  nodes_.set_reachable(NodeId("node-1"), true);
  for (auto const id : {running, waiting}) {
    given_.clear();
    EXPECT_EQ(wait(id).status(), Status::Success);
  }
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
}

TEST_F(Secrets, are_gone_when_the_job_is_canceled) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const running = *queue_->submit({a_reinstall()}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  auto const waiting = *queue_->submit({a_reinstall()}).front();
  for (auto const id : {waiting, running}) EXPECT_TRUE(queue_->cancel(id).ok);
  nodes_.set_reachable(NodeId("node-1"), true);
  for (auto const id : {waiting, running}) EXPECT_EQ(wait(id).status(), Status::Canceled);
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
}

TEST_F(Secrets, a_job_whose_key_is_gone_is_undone_and_says_so) {
  nodes_.set_reachable(NodeId("node-1"), false);
  auto const id = *queue_->submit({a_reinstall()}).front();
  while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
  queue_->stop();
  ASSERT_TRUE(keys_.destroy(id));
  nodes_.set_reachable(NodeId("node-1"), true);
  restart();
  auto const job = wait(id);
  EXPECT_EQ(job.status(), Status::Error);
  EXPECT_THAT(json::serialize(job.ops[0].result), testing::HasSubstr("are lost"));
  EXPECT_FALSE(is_kept());
}

// As a controller that died between its job's end and the key's leaves it.
TEST_F(Secrets, keys_of_no_job_are_destroyed_at_the_start) {
  ASSERT_TRUE(keys_.keep(JobId{77}, "key"));
  restart();
  EXPECT_FALSE(is_kept());
}

TEST_F(Secrets, that_an_older_version_stored_in_clear_are_sealed_or_gone) {
  auto const stored = [](JobId id, std::string_view status) {
    return fmt::format(
        R"({{"id":{},"ops":[{{"input":{{"OP_ID":"OP_INSTANCE_REINSTALL","instance_name":"a",)"
        R"("osparams_secret":{{"password":"s3cret"}},"priority":0}},"status":"{}","result":null,)"
        R"("log":[],"priority":0,"start_timestamp":null,"exec_timestamp":null,)"
        R"("end_timestamp":null}}],"received_timestamp":[5,0],"start_timestamp":null,)"
        R"("end_timestamp":null}})",
        number(id), status);
  };
  queue_->stop();
  store::Txn txn;
  txn.remove("/queue/sealed");
  txn.put(job_key(JobId{1}), stored(JobId{1}, "success"));
  txn.put(job_key(JobId{2}), stored(JobId{2}, "queued"));
  txn.put(archive_key(JobId{3}), stored(JobId{3}, "success"));
  ASSERT_TRUE(store_.txn(txn));
  EXPECT_TRUE(is_found());
  nodes_.set_reachable(NodeId("node-1"), false);
  restart();
  EXPECT_FALSE(is_found());
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(JobId{2}).status(), Status::Success);
  EXPECT_EQ(given_, R"({"password":"s3cret"})");
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
}

// A job under way, as an older version left it: its secrets are in its opcode and its journal.
class ClearJournal : public Secrets {
 protected:
  JobId leave() {
    nodes_.set_reachable(NodeId("node-1"), false);
    auto const id = *queue_->submit({a_reinstall()}).front();
    while (journal_keys() == 0) std::this_thread::sleep_for(1ms);
    queue_->stop();
    store::Txn txn;
    auto const key = job_key(id);
    txn.put(key, clear(store_.range_prefix(key)->front().value));
    put_clear_journal(id, txn);
    txn.remove("/queue/sealed");
    txn.remove(secrets_key(id));
    EXPECT_TRUE(store_.txn(txn));
    EXPECT_TRUE(keys_.destroy(id));
    EXPECT_TRUE(is_found());
    return id;
  }
  static std::string clear(std::string text) {
    constexpr std::string_view mark = R"({"flotte:secret":0})";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
      text.replace(at, mark.size(), R"("s3cret")");
    }
    return text;
  }
  void put_clear_journal(JobId id, store::Txn& txn) {
    auto const journal = *store_.range_prefix(journal_prefix(id));
    for (auto const& kv : journal) {
      auto const entry = schema::parse(clear(kv.value.substr(kv.value.find('{'))));
      put_entry(txn, kv.key, entry->get_object());
    }
  }
  void expect_it_goes_on(JobId id) {
    restart();
    EXPECT_FALSE(is_found());
    EXPECT_TRUE(is_kept());
    nodes_.set_reachable(NodeId("node-1"), true);
    EXPECT_EQ(wait(id).status(), Status::Success);
    EXPECT_EQ(given_, R"({"password":"s3cret"})");
    EXPECT_FALSE(is_found());
    EXPECT_FALSE(is_kept());
  }
};

TEST_F(ClearJournal, is_sealed_and_the_job_goes_on) {
  expect_it_goes_on(leave());
}

TEST_F(ClearJournal, of_several_parts_leaves_none_of_them) {
  auto const key = journal_plan_key(JobId{7});
  store::Txn large;
  put_entry(large, key, {{"osparams", json::object{{"a", std::string(3'000'000, 'x')}}}});
  ASSERT_TRUE(store_.txn(large));
  EXPECT_GT(store_.range_prefix(key)->size(), 2U);
  store::Txn small;
  replace_entry(small, key, "small");
  ASSERT_TRUE(store_.txn(small));
  auto const stored = *store_.range_prefix(key);
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].value, "small");
}

TEST_F(ClearJournal, is_sealed_where_the_opcode_already_was) {
  auto const id = leave();
  restart();
  queue_->stop();
  // The version in between sealed opcodes and left journals.
  store::Txn txn;
  put_clear_journal(id, txn);
  txn.put("/queue/sealed", "true");
  ASSERT_TRUE(store_.txn(txn));
  EXPECT_TRUE(is_found());
  expect_it_goes_on(id);
}

TEST_F(ClearJournal, that_can_not_be_read_keeps_no_secret_either) {
  auto const id = leave();
  store::Txn txn;
  auto const journal = *store_.range_prefix(journal_prefix(id));
  for (auto const& kv : journal) {
    txn.put(kv.key, "0" + kv.value.substr(1) + " ");
  }
  ASSERT_TRUE(store_.txn(txn));
  restart();
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
  ASSERT_EQ(queue_->set_aside().size(), 1U);
  EXPECT_EQ(queue_->set_aside()[0].job, id);
}

// The version in between sealed opcodes and left journals; then one of them got damaged.
TEST_F(ClearJournal, of_a_job_that_is_set_aside_is_sealed_where_the_opcode_already_was) {
  auto const id = leave();
  restart();
  queue_->stop();
  store::Txn clear;
  put_clear_journal(id, clear);
  clear.put("/queue/sealed", "true");
  ASSERT_TRUE(store_.txn(clear));
  store::Txn damage;
  auto const journal = *store_.range_prefix(journal_prefix(id));
  for (auto const& kv : journal) damage.put(kv.key, "0" + kv.value.substr(1) + " ");
  ASSERT_TRUE(store_.txn(damage));
  EXPECT_TRUE(is_found());
  restart();
  EXPECT_EQ(queue_->set_aside().size(), 1U);
  EXPECT_FALSE(is_found());
  EXPECT_FALSE(is_kept());
}

}  // namespace
}  // namespace flotte::jobs
