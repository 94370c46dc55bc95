// For tests of the queue only: units that make steps, on the fixture that all tests of jobs have.
#pragma once

#include "jobs/job_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <future>
#include <latch>
#include <new>

#include "jobs/job_context.h"
#include "jobs/journal.h"
#include "jobs/queue_fixture.h"
#include "opcodes/instance.h"
#include "rpc/fake_node.h"
#include "store/config_store.h"
#include "store/memory_store.h"

namespace flotte::jobs {

using namespace std::chrono_literals;

// A unit for these tests, under the name of an opcode that exists: three steps on a node, each
// undone by removing what it made; fails where the test says.
struct ThreeSteps {
  using Op = opcodes::InstanceRemove;
  struct Facts {};
  struct Plan {
    std::string name;
    std::string ballast;
    static schema::Fields fields() {
      static constexpr schema::Field table[] = {
          schema::field<&Plan::name>("name", "A name."),
          schema::field<&Plan::ballast>("ballast", "What makes it large.")};
      return table;
    }
  };

  static Result<LockSet> locks(Op const& op, model::Cluster const& cluster) {
    if (op.instance_name == cluster.settings().cluster_name) {
      return fail(ErrorCode::UnknownEntity, "It has another name now");
    }
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
    if (op.instance_name == "large") return Plan{op.instance_name, std::string(3'500'000, 'x')};
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
    if (plan.name == "chatty") {
      for (int i = 0; i < chatty_lines; ++i) job.log(fmt::format("line {}", i));
      job.log(std::string(3'000'000, 'x'));
    }
    for (int i = 0; i < 3; ++i) {
      if (plan.name == "keeps" && i == 2) TRY(job.keep());
      job.log(fmt::format("step {}", i));
      TRY(job.step(fmt::format("Creating {}", i), node,
                   rpc::BlockdevCreate{plan.name, disk(plan, i)},
                   {.undo = undo_call(node, rpc::BlockdevRemove{plan.name, disk(plan, i)})}));
    }
    if (plan.name == "verbose") return json::string(std::string(2'000'000, 'x'));
    return "done";
  }
  static constexpr int chatty_lines = 120'000;
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

inline json::array a_job(std::string_view name) {
  json::object op;
  op["OP_ID"] = "OP_INSTANCE_REMOVE";
  op["instance_name"] = name;
  return {std::move(op)};
}

class JobQueueTest : public QueueTest {
 protected:
  JobQueueTest() {
    units_.add<ThreeSteps>();
    units_.add<UnderAnAlias>();
    restart();
  }

  std::ptrdiff_t running() {
    auto const jobs = queue_->jobs();
    return std::ranges::count_if(jobs,
                                 [](Job const& job) { return job.status() == Status::Running; });
  }
};

}  // namespace flotte::jobs
