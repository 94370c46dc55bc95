// QueueTest: what tests of jobs stand on: a queue over a store, a configuration and nodes that are
// all in memory. The cluster "cluster" has the nodes "n1" ("node-1", its master) and "n2".
//
// Used by *_test.cpp only. A test adds its units and calls restart().
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job_context.h"
#include "jobs/job_queue.h"
#include "jobs/journal.h"
#include "opcodes/instance.h"
#include "rpc/fake_node.h"
#include "store/config_store.h"
#include "store/memory_store.h"

namespace flotte::jobs {

class QueueTest : public testing::Test {
 protected:
  QueueTest() {
    config_ = std::move(*store::ConfigStore::create(store_, clock_));
    EXPECT_TRUE(config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          edit.put(model::Settings{
              .uuid = ClusterId("c"), .cluster_name = "cluster", .master_node = NodeId("node-1")});
          edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
          edit.put(model::Node{.uuid = NodeId("node-1"), .name = "n1", .group = GroupId("g")});
          edit.put(model::Node{.uuid = NodeId("node-2"), .name = "n2", .group = GroupId("g")});
          return {};
        },
        {}));
  }

  // As after the end of a controller: only what the store and the record of crashes hold is known.
  void restart(std::vector<std::string> const& crashes = {}) {
    queue_.reset();
    queue_ = std::move(*JobQueue::create({clock_, random_, store_, *config_, nodes_, keys_}, units_,
                                         ++epoch_, crashes));
    queue_->start();
  }

  JobId submit(json::object op) {
    auto const id = queue_->submit({json::array{std::move(op)}}).front();
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or(JobId{});
  }
  Job wait(JobId id) {
    using namespace std::chrono_literals;
    auto const deadline = clock_.now() + 60s;
    std::uint64_t progress = 0;
    for (auto status = Status::Queued; !is_final(status);) {
      auto const change = queue_->wait_change(id, status, 1'000'000, progress, deadline);
      if (!change || !*change) break;
      status = (*change)->status;
    }
    return *queue_->job(id);
  }
  void set(std::function<void(model::Settings&)> const& change) {
    EXPECT_TRUE(config_->update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          auto settings = edit.settings();
          change(settings);
          edit.put(settings);
          return {};
        },
        {}));
  }

  // On n1.
  std::size_t disks() { return nodes_.state(NodeId("node-1")).disks.size(); }
  std::size_t journal_keys() { return store_.range_prefix("/journal/")->size(); }

  SystemClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  rpc::FakeNode nodes_;
  MemoryKeys keys_;
  UnitTable units_;
  std::unique_ptr<store::ConfigStore> config_;
  std::unique_ptr<JobQueue> queue_;
  std::int64_t epoch_ = 0;
};

}  // namespace flotte::jobs
