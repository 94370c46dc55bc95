// One contract for whatever stands behind the seam Node: the same operations, the same answers,
// the same leftovers.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <tuple>

#include "node/daemon/machine.h"
#include "node/daemon/test_daemon.h"
#include "rpc/fake_node.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

// A way to have one node, and a kind of disk on it.
class World {
 public:
  virtual ~World() = default;
  virtual rpc::Node& nodes() = 0;
  virtual model::Node node() const = 0;
  virtual std::string file_directory() const = 0;
  // The only disk of an instance.
  virtual model::Disk disk(std::string const& instance) const {
    model::Disk disk;
    disk.dev_type = model::DiskTemplate::File;
    disk.logical_id = {"loop", fmt::format("{}/{}/x.file.disk0", file_directory(), instance)};
    return disk;
  }
  virtual std::string device(model::Disk const& disk) const { return disk.logical_id[1]; }
  // How many disks there are.
  virtual std::size_t disks() {
    auto const list =
        nodes().ask(node(), rpc::FileStorageList{file_directory()}, {.leader_epoch = 1}, {});
    EXPECT_TRUE(list);
    return list ? list->files.size() : 0;
  }
};

class InMemory : public World {
 public:
  rpc::Node& nodes() override { return fake_; }
  model::Node node() const override {
    model::Node node;
    node.uuid = NodeId(test_uuid);
    node.name = "node1.example.com";
    return node;
  }
  std::string file_directory() const override { return "/srv/ganeti/file-storage"; }

 private:
  rpc::FakeNode fake_;
};

// Machinery that is a node in memory, so that what is tested is the daemon and the wire.
template <class... Calls>
void forward(rpc::Dispatcher& dispatcher, rpc::Node& to, model::Node const& node) {
  (dispatcher.on<Calls>([&to, node](Calls const& call, rpc::CallContext const& context,
                                    rpc::Progress const& progress) {
    return to.ask(node, call, context, progress);
  }),
   ...);
}

Machinery machinery_of(rpc::FakeNode& fake) {
  model::Node node;
  node.uuid = NodeId(test_uuid);
  node.name = "node1.example.com";
  Machinery machinery;
  machinery.add_calls = [&fake, node](rpc::Dispatcher& dispatcher) {
    forward<rpc::NodeInfo, rpc::BlockdevCreate, rpc::BlockdevRemove, rpc::BlockdevGrow,
            rpc::BlockdevAssemble, rpc::BlockdevShutdown, rpc::BlockdevFind, rpc::BlockdevWipe,
            rpc::NodeVolumes, rpc::FileStorageList, rpc::OsDiagnose, rpc::OsCreate,
            rpc::InstanceStart, rpc::InstanceShutdown, rpc::InstanceSoftReboot,
            rpc::InstanceResizeDisk, rpc::AllInstancesInfo, rpc::BridgesExist, rpc::MasterAddress,
            rpc::HypervisorValidate>(dispatcher, fake, node);
  };
  machinery.running_guests = [] { return Result<std::vector<std::string>>({}); };
  return machinery;
}

class OverTheWire final : public World {
 public:
  OverTheWire() {
    auto const made = test_.bootstrap();
    if (!made) throw std::runtime_error(made.error().message);
    client_ = std::make_unique<rpc::NodeClient>(test_.paths);
  }
  rpc::Node& nodes() override { return *client_; }
  model::Node node() const override { return test_.node(); }
  std::string file_directory() const override { return "/srv/ganeti/file-storage"; }

 private:
  rpc::FakeNode fake_;
  TestDaemon test_{machinery_of(fake_)};
  std::unique_ptr<rpc::NodeClient> client_;
};

// What flotte-noded is: real files, the fake hypervisor.
class RealMachine : public World {
 public:
  RealMachine() {
    auto wish = TestDaemon::wish();
    wish.file_storage_dirs = {file_directory()};
    auto const made = test_.bootstrap(wish);
    if (!made) throw std::runtime_error(made.error().message);
    client_ = std::make_unique<rpc::NodeClient>(test_.paths);
    write_noop_os(test_.paths.srv() + "/os/noop");
  }
  rpc::Node& nodes() override { return *client_; }
  model::Node node() const override { return test_.node(); }
  std::string file_directory() const override { return test_.paths.srv() + "/file-storage"; }

 private:
  static void write_noop_os(std::string const& directory) {
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/ganeti_api_version") << "20\n";
    std::ofstream(directory + "/parameters.list") << "";
    for (auto const* script : {"create", "import", "export", "rename", "verify"}) {
      auto const path = directory + "/" + script;
      std::ofstream(path) << "#!/bin/sh\nexit 0\n";
      std::filesystem::permissions(path, std::filesystem::perms(0755));
    }
  }

  sys::SystemProcesses processes_;
  SystemClock clock_;
  TestDaemon test_{
      [this](Paths const& paths) { return machine_machinery(paths, clock_, processes_); }};
  std::unique_ptr<rpc::NodeClient> client_;
};

// Disks are volumes of a volume group.
template <class W>
class OnVolumeGroup final : public W {
 public:
  ~OnVolumeGroup() override {
    if (!std::getenv("FLOTTE_TEST_VG")) return;
    sys::SystemProcesses processes;
    std::ignore = processes.run(
        {.argv = {"lvremove", "-f", "--select", fmt::format("lv_name=~{}$", name_end), group()}});
  }
  model::Disk disk(std::string const& instance) const override {
    model::Disk disk;
    disk.dev_type = model::DiskTemplate::Plain;
    disk.logical_id = {group(), instance + std::string(name_end)};
    return disk;
  }
  std::string device(model::Disk const& disk) const override {
    return fmt::format("/dev/{}/{}", disk.logical_id[0], disk.logical_id[1]);
  }
  std::size_t disks() override {
    auto const list = W::nodes().ask(W::node(), rpc::NodeVolumes{}, {.leader_epoch = 1}, {});
    EXPECT_TRUE(list);
    if (!list) return 0;
    return static_cast<std::size_t>(std::ranges::count_if(
        list->volumes, [](rpc::Volume const& volume) { return volume.name.ends_with(name_end); }));
  }

 private:
  static constexpr std::string_view name_end = "_contract.disk0";
  static std::string group() {
    auto const* named = std::getenv("FLOTTE_TEST_VG");
    return named ? named : "xenvg";
  }
};

template <class W>
std::unique_ptr<World> make() {
  return std::make_unique<W>();
}

struct WorldRow {
  char const* name;
  std::unique_ptr<World> (*make)();
};

class NodeContract : public ::testing::TestWithParam<WorldRow> {
 protected:
  template <class Call>
  Result<typename Call::Reply> ask(Call const& call) {
    ++context_.step;
    ++context_.serial;
    return world_->nodes().ask(world_->node(), call, context_, [this](std::string_view line) {
      said_.emplace_back(line);
      return true;
    });
  }
  template <class Call>
  void must(Call const& call) {
    auto const done = ask(call);
    EXPECT_TRUE(done) << Call::name << ": " << done.error().message;
  }
  // The code of the refusal.
  template <class Call>
  ErrorCode refused(Call const& call) {
    auto const done = ask(call);
    EXPECT_FALSE(done) << Call::name << " was done";
    if (done) return ErrorCode::InternalError;
    EXPECT_NE(done.error().error_class, ErrorClass::Unreachable) << done.error().message;
    return done.error().code;
  }

  rpc::InstanceSpec instance(std::string const& name) const {
    rpc::DiskSpec disk;
    disk.disk = world_->disk(name);
    disk.disk.uuid = DiskId("0d15c000-0000-4000-8000-000000000000");
    disk.disk.size = {64};
    rpc::InstanceSpec spec;
    spec.name = name;
    spec.uuid = InstanceId("11111111-0000-4000-8000-" + std::string(12 - name.size(), '0') + name);
    spec.hypervisor = model::HypervisorKind::Fake;
    spec.os = "noop";
    spec.beparams = {{"maxmem", 128}, {"minmem", 128}, {"vcpus", 1}};
    spec.disks = {disk};
    spec.epoch = 1;
    return spec;
  }
  std::size_t running() {
    auto const list = ask(rpc::AllInstancesInfo{{model::HypervisorKind::Fake}});
    EXPECT_TRUE(list);
    return list ? list->instances.size() : 0;
  }
  std::unique_ptr<World> world_ = GetParam().make();
  rpc::CallContext context_{.leader_epoch = 1, .job = 1, .step = 0, .timeout = 30s};
  std::vector<std::string> said_;
};

TEST_P(NodeContract, a_disk_lives_from_creation_to_removal) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevCreate{"web1", disk});
  EXPECT_EQ(world_->disks(), 1U);
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  auto const found = ask(rpc::BlockdevFind{"web1", {disk}});
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->devices.at(0));
  EXPECT_EQ(found->devices.at(0)->path, world_->device(disk.disk));
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {64}});
  must(rpc::BlockdevShutdown{"web1", disk});
  must(rpc::BlockdevShutdown{"web1", disk});
  must(rpc::BlockdevRemove{"web1", disk});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0));
}

TEST_P(NodeContract, a_disk_of_another_size_is_not_taken_for_the_same) {
  auto disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  disk.disk.size = {32};
  EXPECT_EQ(refused(rpc::BlockdevCreate{"web1", disk}), ErrorCode::AlreadyExists);
}

TEST_P(NodeContract, a_disk_of_another_instance_is_left_alone) {
  auto const disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web2", disk}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevAssemble{"web2", disk, 1}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevGrow{"web2", disk, MiB{4096}}), ErrorCode::WrongState);
  must(rpc::BlockdevAssemble{"web1", disk, 1});
}

// One writer: neither another instance nor a wipe takes the disk of a guest.
TEST_P(NodeContract, a_disk_in_use_and_another_s_are_not_overwritten) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  refused(rpc::BlockdevWipe{"web2", spec.disks[0]});
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web2", {spec.disks[0]}})->devices.at(0));
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::InstanceStart{spec});
  EXPECT_EQ(refused(rpc::BlockdevWipe{"web1", spec.disks[0]}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", spec.disks[0]}), ErrorCode::WrongState);
  EXPECT_EQ(world_->disks(), 1U);
}

TEST_P(NodeContract, a_missing_disk_is_refused) {
  auto const spec = instance("web1");
  refused(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  refused(rpc::BlockdevGrow{"web1", spec.disks[0], {128}});
  refused(rpc::InstanceStart{spec});
  EXPECT_EQ(running(), 0U);
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_lower_epoch_does_not_get_the_disk) {
  auto const disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 5});
  EXPECT_EQ(refused(rpc::BlockdevAssemble{"web1", disk, 4}), ErrorCode::WrongState);
}

TEST_P(NodeContract, a_guest_starts_once_and_stops) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::OsCreate{spec});
  must(rpc::InstanceStart{spec});
  must(rpc::InstanceStart{spec});
  auto const list = ask(rpc::AllInstancesInfo{{model::HypervisorKind::Fake}});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->instances.size(), 1U);
  EXPECT_EQ(list->instances[0].name, "web1");
  EXPECT_EQ(list->instances[0].memory.value, 128);
  EXPECT_EQ(list->instances[0].vcpus, 1);
  must(rpc::InstanceSoftReboot{"web1", model::HypervisorKind::Fake});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  EXPECT_EQ(running(), 0U);
  refused(rpc::InstanceSoftReboot{"web1", model::HypervisorKind::Fake});
}

TEST_P(NodeContract, another_instance_of_a_running_name_is_refused) {
  auto twin = instance("web1");
  must(rpc::BlockdevCreate{"web1", twin.disks[0]});
  must(rpc::BlockdevAssemble{"web1", twin.disks[0], 1});
  must(rpc::InstanceStart{twin});
  twin.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
  refused(rpc::InstanceStart{twin});
}

TEST_P(NodeContract, an_os_is_not_installed_under_a_running_guest) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::InstanceStart{spec});
  EXPECT_EQ(refused(rpc::OsCreate{spec}), ErrorCode::WrongState);
}

TEST_P(NodeContract, lines_reach_the_listener) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevWipe{"web1", spec.disks[0]});
  EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("\"progress\"")));
}

TEST_P(NodeContract, an_unknown_os_leaves_nothing) {
  auto spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  spec.os = "nosuch";
  refused(rpc::OsCreate{spec});
  EXPECT_EQ(running(), 0U);
}

TEST_P(NodeContract, a_missing_bridge_is_named) {
  auto const done = ask(rpc::BridgesExist{{"flotte-nosuch"}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("'flotte-nosuch'"));
}

TEST_P(NodeContract, wrong_delays_and_deposed_leaders_are_refused) {
  must(rpc::TestDelay{0});
  EXPECT_EQ(refused(rpc::TestDelay{-1}), ErrorCode::WrongInput);
  context_.leader_epoch = 9;
  must(rpc::TestDelay{0});
  context_.leader_epoch = 8;
  EXPECT_EQ(refused(rpc::TestDelay{0}), ErrorCode::WrongState);
}

// A call that was delayed on its way: its sender gave up on it and has gone on since.
TEST_P(NodeContract, a_call_that_comes_too_late_is_refused) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  ++context_.step;
  auto late = context_;
  late.serial = ++context_.serial;
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  auto const started = world_->nodes().ask(world_->node(), rpc::InstanceStart{spec}, late);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::WrongState);
  EXPECT_EQ(started.error().error_class, ErrorClass::Exec);
  EXPECT_THAT(started.error().message, ::testing::HasSubstr("comes too late"));
  EXPECT_EQ(running(), 0U);
  // The same step sent once more is no late one.
  late.serial = ++context_.serial;
  EXPECT_TRUE(world_->nodes().ask(world_->node(), rpc::InstanceStart{spec}, late));
  EXPECT_EQ(running(), 1U);
  // Other instances have their own order, and reads have none.
  auto const other = instance("web2");
  late.step = ++context_.step;
  late.serial = 1;
  EXPECT_TRUE(
      world_->nodes().ask(world_->node(), rpc::BlockdevCreate{"web2", other.disks[0]}, late));
  late.serial = 0;
  EXPECT_TRUE(world_->nodes().ask(world_->node(), rpc::BlockdevFind{"web1", {disk}}, late));
}

TEST_P(NodeContract, a_later_leader_s_calls_are_later) {
  auto const disk = instance("web1").disks[0];
  context_.serial = 100;
  must(rpc::BlockdevCreate{"web1", disk});
  context_.leader_epoch = 2;
  context_.serial = 0;
  must(rpc::BlockdevAssemble{"web1", disk, 1});
}

TEST_P(NodeContract, root_s_calls_and_unknown_ones_are_refused) {
  refused(TestDaemon::wish());
  refused(rpc::LeaveCluster{});
  auto const unknown = world_->nodes().invoke(world_->node(), "frobnicate", {}, context_, {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, ::testing::HasSubstr("'frobnicate'"));
}

// A real volume group, of which it may remove volumes, is named by FLOTTE_TEST_VG: in the lab.
std::vector<WorldRow> worlds() {
  std::vector<WorldRow> worlds{{"in_memory", make<InMemory>},
                               {"in_memory_volumes", make<OnVolumeGroup<InMemory>>},
                               {"over_the_wire", make<OverTheWire>},
                               {"real_machine", make<RealMachine>}};
  if (std::getenv("FLOTTE_TEST_VG")) {
    worlds = {{"volume_group", make<OnVolumeGroup<RealMachine>>}};
  }
  return worlds;
}

INSTANTIATE_TEST_SUITE_P(Worlds, NodeContract, ::testing::ValuesIn(worlds()),
                         [](auto const& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace flotte::node
