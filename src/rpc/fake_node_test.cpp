#include "rpc/fake_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace flotte::rpc {
namespace {

using ::testing::HasSubstr;

model::Node node_called(std::string const& name) {
  model::Node node;
  node.uuid = NodeId("uuid-of-" + name);
  node.name = name;
  return node;
}

DiskSpec disk_of(std::string const& instance, std::int64_t size = 1024) {
  DiskSpec spec;
  spec.disk.uuid = DiskId("uuid-of-disk-of-" + instance);
  spec.disk.dev_type = model::DiskTemplate::Plain;
  spec.disk.logical_id = {"xenvg", instance + ".disk0"};
  spec.disk.size = {size};
  return spec;
}

InstanceSpec instance_called(std::string const& name) {
  InstanceSpec spec;
  spec.name = name;
  spec.uuid = InstanceId("uuid-of-" + name);
  spec.os = "debootstrap+default";
  spec.beparams = {{"maxmem", 512}, {"vcpus", 2}};
  spec.disks = {disk_of(name)};
  return spec;
}

class FakeNodeTest : public ::testing::Test {
 protected:
  template <class Call>
  Result<typename Call::Reply> ask(Call const& call) {
    return fake.ask(n1, call, context);
  }
  void create(InstanceSpec const& spec) {
    ASSERT_TRUE(ask(BlockdevCreate{spec.name, spec.disks[0]}));
    ASSERT_TRUE(ask(BlockdevAssemble{spec.name, spec.disks[0], spec.epoch}));
  }

  FakeNode fake;
  model::Node n1 = node_called("n1");
  CallContext context{.leader_epoch = 1, .job = 1, .step = 1};
};

TEST_F(FakeNodeTest, installs_starts_and_stops_and_gives_everything_back) {
  auto const untouched = fake.state(n1.uuid);
  auto const web = instance_called("web1");
  create(web);
  std::vector<std::string> said;
  ASSERT_TRUE(fake.ask(n1, OsCreate{web}, context, [&](std::string_view line) {
    said.emplace_back(line);
    return true;
  }));
  EXPECT_THAT(said, ::testing::ElementsAre(HasSubstr("installing")));
  ASSERT_TRUE(ask(InstanceStart{web}));
  ASSERT_TRUE(ask(InstanceStart{web}));
  auto const running = ask(AllInstancesInfo{});
  ASSERT_EQ(running->instances.size(), 1U);
  EXPECT_EQ(running->instances[0].memory.value, 512);
  EXPECT_FALSE(ask(BlockdevRemove{web.name, web.disks[0]}));
  ASSERT_TRUE(ask(InstanceShutdown{web.name}));
  ASSERT_TRUE(ask(InstanceShutdown{web.name}));
  ASSERT_TRUE(ask(BlockdevShutdown{web.name, web.disks[0]}));
  ASSERT_TRUE(ask(BlockdevRemove{web.name, web.disks[0]}));
  ASSERT_TRUE(ask(BlockdevRemove{web.name, web.disks[0]}));
  auto const after = fake.state(n1.uuid);
  EXPECT_TRUE(after.disks.empty());
  EXPECT_EQ(after.facts.memory_free, untouched.facts.memory_free);
  EXPECT_EQ(after.facts.volume_groups[0].free, untouched.facts.volume_groups[0].free);
}

TEST_F(FakeNodeTest, creating_twice_is_harmless_but_never_takes_another_disk) {
  ASSERT_TRUE(ask(BlockdevCreate{"web1", disk_of("web1")}));
  EXPECT_TRUE(ask(BlockdevCreate{"web1", disk_of("web1")}));
  EXPECT_EQ(ask(BlockdevCreate{"web1", disk_of("web1", 2048)}).error().code,
            ErrorCode::AlreadyExists);
  EXPECT_FALSE(ask(BlockdevCreate{"web2", disk_of("web1")}));
  EXPECT_FALSE(ask(BlockdevRemove{"web2", disk_of("web1")}));
}

TEST_F(FakeNodeTest, a_full_or_missing_volume_group_is_told) {
  EXPECT_EQ(ask(BlockdevCreate{"web1", disk_of("web1", 1LL << 40)}).error().code,
            ErrorCode::InsufficientResources);
  auto elsewhere = disk_of("web1");
  elsewhere.disk.logical_id[0] = "nosuch";
  EXPECT_THAT(ask(BlockdevCreate{"web1", elsewhere}).error().message, HasSubstr("'nosuch'"));
}

TEST_F(FakeNodeTest, disks_are_fenced_by_their_epoch) {
  auto web = instance_called("web1");
  web.epoch = 3;
  create(web);
  EXPECT_FALSE(ask(BlockdevAssemble{"web1", web.disks[0], 2}));
  web.epoch = 2;
  EXPECT_FALSE(ask(InstanceStart{web}));
}

TEST_F(FakeNodeTest, refuses_a_deposed_leader) {
  context.leader_epoch = 4;
  ASSERT_TRUE(ask(NodeInfo{}));
  context.leader_epoch = 3;
  EXPECT_THAT(ask(NodeInfo{}).error().message, HasSubstr("deposed leader"));
}

TEST_F(FakeNodeTest, misbehaves_on_demand) {
  fake.fail_next("blockdev_create", {ErrorCode::EnvironmentError, "the disk is on fire"});
  EXPECT_EQ(ask(BlockdevCreate{"web1", disk_of("web1")}).error().message, "the disk is on fire");
  EXPECT_TRUE(fake.state(n1.uuid).disks.empty());

  fake.lose_next_answer("blockdev_create");
  EXPECT_EQ(ask(BlockdevCreate{"web1", disk_of("web1")}).error().error_class,
            ErrorClass::Unreachable);
  EXPECT_EQ(fake.state(n1.uuid).disks.size(), 1U);
  EXPECT_TRUE(ask(BlockdevCreate{"web1", disk_of("web1")}));

  fake.set_reachable(n1.uuid, false);
  EXPECT_TRUE(ask(NodeInfo{}).error().not_attempted);
  fake.set_reachable(n1.uuid, true);
  EXPECT_EQ(fake.count("blockdev_create"), 3U);
}

TEST_F(FakeNodeTest, a_guest_s_taps_and_memory_go_with_it) {
  auto web = instance_called("web1");
  NicSpec nic;
  nic.params = {{"mode", "bridged"}, {"link", "br0"}};
  web.nics = {nic, nic};
  create(web);
  auto const before = fake.state(n1.uuid);
  ASSERT_TRUE(ask(InstanceStart{web}));
  auto const taps = fake.state(n1.uuid).taps;
  EXPECT_EQ(taps.size(), 2U);
  ASSERT_TRUE(ask(InstanceStart{web}));
  EXPECT_EQ(fake.state(n1.uuid).taps, taps);
  fake.power_off(n1.uuid, "web1");
  auto const after = fake.state(n1.uuid);
  EXPECT_TRUE(after.taps.empty());
  EXPECT_TRUE(after.guests.empty());
  EXPECT_EQ(after.facts.memory_free, before.facts.memory_free);
}

TEST_F(FakeNodeTest, what_hangs_is_done_later_unless_a_later_call_came) {
  auto const web = instance_called("web1");
  create(web);
  fake.change(n1.uuid, [](FakeNodeState& state) { state.troubles["web1"].hangs = true; });
  context.serial = 1;
  EXPECT_EQ(ask(InstanceStart{web}).error().error_class, ErrorClass::Unreachable);
  EXPECT_TRUE(fake.state(n1.uuid).guests.empty());
  context.step = 2;
  context.serial = 2;
  EXPECT_EQ(ask(BlockdevShutdown{"web1", web.disks[0]}).error().error_class,
            ErrorClass::Unreachable);
  context.step = 3;
  context.serial = 3;
  EXPECT_FALSE(ask(BlockdevGrow{"web1", web.disks[0], {2048}}));
  fake.unhang(n1.uuid, "web1");
  auto const state = fake.state(n1.uuid);
  EXPECT_EQ(state.guests.size(), 1U);
  auto const& disk = state.disks.at(fake_disk_key(web.disks[0].disk));
  EXPECT_TRUE(disk.is_assembled);
  EXPECT_EQ(disk.size.value, 2048);
}

TEST_F(FakeNodeTest, a_new_daemon_knows_no_order_of_calls) {
  context.serial = 5;
  ASSERT_TRUE(ask(BlockdevCreate{"web1", disk_of("web1")}));
  context.serial = 4;
  EXPECT_FALSE(ask(BlockdevRemove{"web1", disk_of("web1")}));
  fake.restart_daemon(n1.uuid);
  EXPECT_TRUE(ask(BlockdevRemove{"web1", disk_of("web1")}));
}

TEST_F(FakeNodeTest, hooks_see_every_call_and_may_use_the_node) {
  std::vector<std::string> seen;
  fake.before([&](FakeCall const& call) -> Result<void> {
    seen.push_back(fmt::format("{} {}", call.node_name, call.call));
    return {};
  });
  fake.after([&](FakeCall const& call, Result<json::value> const& answer) -> Result<void> {
    EXPECT_TRUE(answer);
    EXPECT_EQ(fake.state(call.node).leader_epoch, 1);
    return fail(ErrorCode::InternalError, "afterwards");
  });
  EXPECT_EQ(ask(TestDelay{1000}).error().message, "afterwards");
  EXPECT_THAT(seen, ::testing::ElementsAre("n1 test_delay"));
}

TEST_F(FakeNodeTest, nodes_are_apart) {
  auto const n2 = node_called("n2");
  ASSERT_TRUE(ask(BlockdevCreate{"web1", disk_of("web1")}));
  EXPECT_TRUE(fake.state(n2.uuid).disks.empty());
  auto const found = fake.ask(n2, BlockdevFind{"web1", {disk_of("web1")}}, context);
  EXPECT_FALSE(found->devices.at(0));
}

TEST_F(FakeNodeTest, many_threads_may_ask_at_once) {
  constexpr int threads = 8;
  constexpr int rounds = 200;
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, name = fmt::format("vm{}", i)] {
      for (int round = 0; round < rounds; ++round) {
        EXPECT_TRUE(ask(BlockdevCreate{name, disk_of(name)}));
        EXPECT_TRUE(ask(BlockdevRemove{name, disk_of(name)}));
      }
    });
  }
  for (auto& thread : running) thread.join();
  EXPECT_EQ(fake.state(n1.uuid).facts.volume_groups[0].free.value, 1024 * 1024);
}

TEST_F(FakeNodeTest, an_os_must_exist_with_its_variant) {
  auto web = instance_called("web1");
  create(web);
  for (auto const* os : {"nosuch", "debootstrap", "debootstrap+nosuch", "noop+x"}) {
    web.os = os;
    EXPECT_FALSE(ask(OsCreate{web})) << os;
  }
  web.os = "noop";
  EXPECT_TRUE(ask(OsCreate{web}));
}

}  // namespace
}  // namespace flotte::rpc
