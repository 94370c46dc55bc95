// What becomes of a creation that an older version began, which wiped disks without marking them.
#include <atomic>

#include "jobs/queue_fixture.h"
#include "model/params.h"
#include "units/instance_create.h"

namespace flotte::units {
namespace {

class Wiping : public jobs::QueueTest {
 protected:
  Wiping() {
    units_.add<InstanceCreate>();
    set([](model::Settings& settings) {
      settings.enabled_hypervisors = {model::HypervisorKind::Fake};
      settings.enabled_disk_templates = {model::DiskTemplate::File};
      settings.file_storage_dir = "/srv/files";
      settings.ipolicy = model::default_ipolicy();
      settings.prealloc_wipe_disks = true;
    });
    restart();
  }

  JobId create() {
    return submit({{"OP_ID", "OP_INSTANCE_CREATE"},
                   {"instance_name", "web1.example"},
                   {"mode", "create"},
                   {"hypervisor", "fake"},
                   {"disk_template", "file"},
                   {"disks", json::array{json::object{{"size", 1024}}}},
                   {"nics", json::array()},
                   {"ignore_ipolicy", true},
                   {"os_type", "noop"},
                   {"start", false},
                   {"name_check", false},
                   {"ip_check", false}});
  }
};

TEST_F(Wiping, a_new_disk_is_wiped) {
  auto const job = wait(create());
  EXPECT_EQ(job.status(), jobs::Status::Success) << json::value(job.ops[0].result);
  auto const state = nodes_.state(NodeId("node-1"));
  ASSERT_EQ(state.disks.size(), 1U);
  EXPECT_FALSE(state.disks.begin()->second.unwiped);
  EXPECT_EQ(nodes_.count(rpc::BlockdevWipe::name), 1U);
}

// Wiping leaves alone what has no mark: the guest would have read what was there before.
TEST_F(Wiping, what_an_older_version_made_without_a_mark_is_not_gone_on_with) {
  std::atomic<bool> is_away = true;
  nodes_.before([&](rpc::FakeCall const& call) -> Result<void> {
    if (!is_away || call.call != rpc::BlockdevWipe::name) return {};
    return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError, "It is away");
  });
  auto const id = create();
  // The disk is there, and the job about to have it wiped.
  while (nodes_.count(rpc::BlockdevWipe::name) == 0) {
    ASSERT_FALSE(is_final(queue_->job(id)->status()));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  queue_.reset();
  auto const key = jobs::journal_step_key(id, 0);
  auto const stored = store_.range(key, 1)->at(0);
  auto step = jobs::unseal(stored.value)->get_object();
  ASSERT_EQ(step["call"].as_object()["call"].as_string(), rpc::BlockdevCreateUnwiped::name);
  step["call"].as_object()["call"] = rpc::BlockdevCreate::name;
  store::Txn txn;
  jobs::put_entry(txn, key, step);
  ASSERT_TRUE(store_.txn(txn));
  nodes_.change(NodeId("node-1"),
                [](rpc::FakeNodeState& state) { state.disks.begin()->second.unwiped.reset(); });
  is_away = false;
  restart();
  auto const job = wait(id);
  EXPECT_EQ(job.status(), jobs::Status::Error);
  EXPECT_EQ(disks(), 0U);
  EXPECT_TRUE(config_->snapshot()->instances().empty());
  EXPECT_EQ(journal_keys(), 0U);
}

}  // namespace
}  // namespace flotte::units
