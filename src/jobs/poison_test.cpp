// Jobs that throw, and jobs that end the controller: what they may cost is themselves.
#include <gtest/gtest.h>

#include <stdexcept>

#include "jobs/queue_fixture.h"

namespace flotte::jobs {
namespace {

using namespace std::chrono_literals;

// Throws where its instance's name says; otherwise makes a disk.
struct Throwing {
  using Op = opcodes::InstanceRemove;
  struct Facts {};
  struct Plan {
    std::string name;
    static schema::Fields fields() {
      static constexpr schema::Field table[] = {schema::field<&Plan::name>("name", "A name.")};
      return table;
    }
  };

  static void throw_at(std::string_view place, std::string const& name) {
    if (name == place) throw std::out_of_range("map::at");
  }
  static Result<LockSet> locks(Op const& op, model::Cluster const&) {
    throw_at("locks", op.instance_name);
    return LockSet{exclusive(LockLevel::Instance, op.instance_name)};
  }
  static Result<Facts> inspect(Op const& op, model::Cluster const&, NodeReader&) {
    throw_at("inspect", op.instance_name);
    return Facts{};
  }
  static Result<Plan> plan(Op const& op, model::Cluster const&, Facts const&) {
    throw_at("plan", op.instance_name);
    return Plan{op.instance_name};
  }
  static Result<json::value> apply(Plan const& plan, JobContext& job) {
    NodeId const node("node-1");
    rpc::DiskSpec const disk{.disk = {.uuid = DiskId(plan.name),
                                      .dev_type = model::DiskTemplate::File,
                                      .logical_id = {"loop", "/srv/" + plan.name},
                                      .size = {128}}};
    TRY(job.step("Creating it", node, rpc::BlockdevCreate{plan.name, disk},
                 {.undo = undo_call(node, rpc::BlockdevRemove{plan.name, disk})}));
    throw_at("apply", plan.name);
    return "done";
  }
};

class Poison : public QueueTest {
 protected:
  Poison() {
    units_.add<Throwing>();
    restart();
  }

  JobId submit(std::string_view name) {
    return QueueTest::submit({{"OP_ID", "OP_INSTANCE_REMOVE"}, {"instance_name", name}});
  }

  // One that a controller is at when it ends.
  JobId one_at_work(std::string_view name) {
    nodes_.set_reachable(NodeId("node-1"), false);
    auto const id = submit(name);
    while (store_.range_prefix(journal_prefix(id))->empty()) std::this_thread::sleep_for(1ms);
    return id;
  }
};

TEST_F(Poison, of_a_job_that_throws_is_the_error_of_that_job) {
  for (auto const* place : {"locks", "inspect", "plan", "apply"}) {
    auto const job = wait(submit(place));
    ASSERT_EQ(job.status(), Status::Error) << place;
    EXPECT_NE(json::serialize(job.ops[0].result).find("ended with an exception: map::at"),
              std::string::npos)
        << json::serialize(job.ops[0].result);
    EXPECT_TRUE(nodes_.state(NodeId("node-1")).disks.empty()) << "what it did is undone";
  }
  EXPECT_EQ(wait(submit("well")).status(), Status::Success);
}

TEST_F(Poison, of_a_job_that_ended_the_controller_three_times_is_set_aside_by_name) {
  auto const bad = one_at_work("bad");
  for (int crash = 1; crash < 3; ++crash) {
    restart({fmt::format("{} {}", epoch_, number(bad))});
    EXPECT_TRUE(queue_->set_aside().empty()) << "after " << crash;
  }
  // A controller that was killed before it could forget what it was told is told again.
  restart({"1 1", fmt::format("{} {}", epoch_ - 1, number(bad))});
  EXPECT_TRUE(queue_->set_aside().empty());
  restart({fmt::format("{} {}", epoch_, number(bad))});

  auto const set_aside = queue_->set_aside();
  ASSERT_EQ(set_aside.size(), 1U);
  EXPECT_EQ(set_aside[0].job, bad);
  EXPECT_EQ(set_aside[0].why, "It ended the controller 3 times (epochs 1, 2, 4)");
  EXPECT_EQ(queue_->job(bad)->status(), Status::Error);
  // Nobody waits for its locks; what it did is still known.
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(submit("bad")).status(), Status::Success);
  EXPECT_FALSE(queue_->journal(bad).empty());

  // It stays so, until somebody archives it.
  restart();
  ASSERT_EQ(queue_->set_aside().size(), 1U);
  EXPECT_TRUE(*queue_->archive(bad));
  restart();
  EXPECT_TRUE(queue_->set_aside().empty());
}

TEST_F(Poison, is_nothing_that_was_killed_however_often) {
  auto const job = one_at_work("good");
  for (int kill = 0; kill < 5; ++kill) restart();
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(job).status(), Status::Success);
}

TEST_F(Poison, is_not_what_cannot_be_read) {
  auto const job = one_at_work("good");
  restart({"", "nonsense", fmt::format("{}", epoch_), fmt::format("7 {}", number(job) + 100)});
  nodes_.set_reachable(NodeId("node-1"), true);
  EXPECT_EQ(wait(job).status(), Status::Success);
}

}  // namespace
}  // namespace flotte::jobs
