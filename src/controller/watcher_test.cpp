#include "controller/watcher.h"

#include <gmock/gmock.h>

#include "controller/shifted_clock.h"
#include "rpc/fake_node.h"
#include "store/config_store.h"
#include "store/memory_store.h"

namespace flotte::controller {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One node, and web1, which should run and does not. The queue knows no opcode: whatever the
// watcher asks for fails.
class Watching : public ::testing::Test {
 protected:
  Watching() {
    put([](model::Instance&) {});
    queue_->start();
    EXPECT_TRUE(watcher_.load());
    watcher_.start();
  }

  void put(std::function<void(model::Instance&)> const& change, bool is_offline = false) {
    auto const done = config_->update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          model::Settings settings;
          settings.uuid = ClusterId("c");
          settings.cluster_name = "cluster";
          settings.enabled_hypervisors = {model::HypervisorKind::Fake};
          edit.put(std::move(settings));
          edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
          edit.put(model::Node{
              .uuid = NodeId("n"), .name = "n1", .group = GroupId("g"), .offline = is_offline});
          model::Instance instance{
              .uuid = InstanceId("i"), .name = "web1", .primary_node = NodeId("n")};
          instance.hypervisor = model::HypervisorKind::Fake;
          instance.admin_state = model::AdminState::Up;
          change(instance);
          edit.put(std::move(instance));
          return {};
        },
        {});
    EXPECT_TRUE(done) << done.error().message;
  }

  // The opcodes of the jobs that a look makes, once they have ended.
  std::vector<std::string> look(bool ignores_pause = false) {
    EXPECT_TRUE(watcher_.look_now(ignores_pause));
    std::vector<std::string> made;
    for (auto const& job : queue_->jobs()) {
      if (!known_.insert(job.id).second) continue;
      made.emplace_back(opcodes::op_id_of(job.ops[0].input));
      std::uint64_t progress = 0;
      for (auto status = jobs::Status::Queued; !jobs::is_final(status);) {
        auto const change =
            queue_->wait_change(job.id, status, 0, progress, clock_.now() + 5min).value();
        status = change ? change->status : jobs::Status::Error;
      }
    }
    return made;
  }

  ShiftedClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  rpc::FakeNode nodes_;
  jobs::MemoryKeys keys_;
  jobs::UnitTable units_;
  std::unique_ptr<store::ConfigStore> config_ =
      std::move(store::ConfigStore::create(store_, clock_).value());
  jobs::Seams seams_{clock_, random_, store_, *config_, nodes_, keys_};
  std::unique_ptr<jobs::JobQueue> queue_ =
      std::move(jobs::JobQueue::create(seams_, units_, 1, {}).value());
  Watcher watcher_{seams_, *queue_, 1};
  std::set<JobId> known_;
};

TEST_F(Watching, starts_what_should_run_five_times_in_eight_hours) {
  for (int tries = 0; tries < 5; ++tries) {
    EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_STARTUP")) << tries;
  }
  EXPECT_THAT(look(), IsEmpty());
  clock_.put_forward(7h);
  EXPECT_THAT(look(), IsEmpty());
  clock_.put_forward(1h + 1min);
  EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_STARTUP"));
}

TEST_F(Watching, forgets_its_tries_when_the_guest_runs) {
  for (int tries = 0; tries < 5; ++tries) look();
  nodes_.change(NodeId("n"), [](rpc::FakeNodeState& state) {
    state.guests["web1"].spec.hypervisor = model::HypervisorKind::Fake;
    state.guests["web1"].spec.name = "web1";
  });
  EXPECT_THAT(look(), IsEmpty());
  nodes_.change(NodeId("n"), [](rpc::FakeNodeState& state) { state.guests.clear(); });
  EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_STARTUP"));
}

TEST_F(Watching, leaves_alone_what_is_not_wished_or_can_not_be_seen) {
  put([](model::Instance& instance) { instance.admin_state = model::AdminState::Down; });
  EXPECT_THAT(look(), IsEmpty());
  put([](model::Instance& instance) { instance.admin_state = model::AdminState::Offline; });
  EXPECT_THAT(look(), IsEmpty());
  put([](model::Instance&) {}, true);
  EXPECT_THAT(look(), IsEmpty());
  put([](model::Instance&) {});
  nodes_.set_reachable(NodeId("n"), false);
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(Watching, asks_for_nothing_while_the_queue_is_drained) {
  ASSERT_TRUE(queue_->set_drained(true));
  for (int looks = 0; looks < 6; ++looks) EXPECT_THAT(look(), IsEmpty());
  ASSERT_TRUE(queue_->set_drained(false));
  EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_STARTUP")) << "these were no tries";
}

TEST_F(Watching, looks_at_nothing_while_it_is_paused_but_for_who_insists) {
  auto const now = std::chrono::floor<std::chrono::seconds>(clock_.wall().time_since_epoch());
  ASSERT_TRUE(watcher_.pause(now.count() + 3600));
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look(true), ElementsAre("OP_INSTANCE_STARTUP"));
  EXPECT_THAT(look(), IsEmpty());
  clock_.put_forward(2h);
  EXPECT_EQ(watcher_.paused_until(), std::nullopt);
  EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_STARTUP"));
}

TEST_F(Watching, who_switched_itself_off_is_recorded_as_down) {
  nodes_.change(NodeId("n"), [](rpc::FakeNodeState& state) {
    auto& guest = state.guests["web1"];
    guest.spec.hypervisor = model::HypervisorKind::Fake;
    guest.spec.name = "web1";
    guest.state = rpc::RunState::UserDown;
  });
  EXPECT_THAT(look(), ElementsAre("OP_INSTANCE_SHUTDOWN"));
}

}  // namespace
}  // namespace flotte::controller
