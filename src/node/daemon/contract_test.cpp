// One contract for whatever stands behind the seam Node: the same operations, the same answers,
// the same leftovers.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <tuple>
#include <utility>

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
  // A volume that is no instance's disk, as a disk would name it; null where there are none.
  virtual std::optional<rpc::DiskSpec> other_volume(std::string const& /*name*/, MiB /*size*/) {
    return {};
  }
  virtual void add_hook(std::string const& script, rpc::FakeHook const& hook) = 0;
  // How many disks there are.
  virtual std::size_t disks() {
    auto const list =
        nodes().ask(node(), rpc::FileStorageList{file_directory()}, {.leader_epoch = 1}, {});
    EXPECT_TRUE(list);
    return list ? list->files.size() : 0;
  }
};

enum class Storage { Fine, Full, ReadOnly };
constexpr std::int64_t storage_mib = 16;

// A world where something may go wrong, and where one can look behind the calls.
class FaultyWorld : public World {
 public:
  // The next call of that name is carried out, but its answer doesn't arrive.
  virtual void lose_next_answer(std::string const& call) = 0;
  // The daemon is killed between two calls and started again.
  virtual void restart() = 0;
  virtual void power_off(std::string const& instance) = 0;
  virtual void set_trouble(std::string const& instance, rpc::FakeGuestTrouble const& trouble) = 0;
  // For all file disks; false where it can't be had.
  virtual bool set_storage(Storage storage) = 0;
  virtual bool is_active(std::string const& instance) = 0;
  virtual std::int64_t epoch(model::Disk const& disk) = 0;
};

class InMemory : public FaultyWorld {
 public:
  void add_volume(std::string const& vg, std::string const& name, MiB size) {
    fake_.change(node().uuid, [&](rpc::FakeNodeState& state) {
      state.other_volumes[fmt::format("{}/{}", vg, name)] = {.size = size};
    });
  }
  void add_hook(std::string const& script, rpc::FakeHook const& hook) override {
    fake_.change(node().uuid, [&](rpc::FakeNodeState& state) { state.hooks[script] = hook; });
  }
  void lose_next_answer(std::string const& call) override { fake_.lose_next_answer(call); }
  void restart() override { fake_.restart_daemon(node().uuid); }
  void power_off(std::string const& instance) override { fake_.power_off(node().uuid, instance); }
  void set_trouble(std::string const& instance, rpc::FakeGuestTrouble const& trouble) override {
    if (!trouble.hangs) fake_.unhang(node().uuid, instance);
    fake_.change(node().uuid,
                 [&](rpc::FakeNodeState& state) { state.troubles[instance] = trouble; });
  }
  bool set_storage(Storage storage) override {
    fake_.change(node().uuid, [&](rpc::FakeNodeState& state) {
      state.facts.file_total = {storage_mib};
      state.facts.file_free = {storage == Storage::Full ? 0 : storage_mib};
      state.file_storage = storage == Storage::ReadOnly ? rpc::FakeFileStorage::ReadOnly
                                                        : rpc::FakeFileStorage::Fine;
    });
    return true;
  }
  bool is_active(std::string const& instance) override {
    auto const state = fake_.state(node().uuid);
    return std::ranges::any_of(state.disks, [&](auto const& entry) {
      return entry.second.instance == instance && entry.second.is_assembled;
    });
  }
  std::int64_t epoch(model::Disk const& disk) override {
    auto const state = fake_.state(node().uuid);
    auto const known = state.disks.find(rpc::fake_disk_key(disk));
    return known == state.disks.end() ? -1 : known->second.epoch;
  }
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
    forward<rpc::NodeInfo, rpc::NodeVerify, rpc::BlockdevCreate, rpc::BlockdevAdopt,
            rpc::BlockdevRelease, rpc::BlockdevRemove, rpc::BlockdevGrow, rpc::BlockdevAssemble,
            rpc::BlockdevShutdown, rpc::BlockdevFind, rpc::BlockdevWipe, rpc::NodeVolumes,
            rpc::FileStorageList, rpc::OsDiagnose, rpc::OsCreate, rpc::InstanceStart,
            rpc::InstanceShutdown, rpc::InstanceSoftReboot, rpc::InstanceResizeDisk,
            rpc::InstanceAdjust, rpc::InstanceBalloon, rpc::AllInstancesInfo, rpc::NicsValidate,
            rpc::MasterAddress, rpc::HooksRun, rpc::HypervisorValidate>(dispatcher, fake, node);
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
  void add_hook(std::string const& script, rpc::FakeHook const& hook) override {
    fake_.change(node().uuid, [&](rpc::FakeNodeState& state) { state.hooks[script] = hook; });
  }
  rpc::Node& nodes() override { return *client_; }
  model::Node node() const override { return test_.node(); }
  std::string file_directory() const override { return "/srv/ganeti/file-storage"; }

 private:
  rpc::FakeNode fake_;
  TestDaemon test_{machinery_of(fake_)};
  std::unique_ptr<rpc::NodeClient> client_;
};

// Answers may get lost on the way.
class LossyClient final : public rpc::Node {
 public:
  explicit LossyClient(Paths const& paths) : client_(paths) {}

  Result<json::value> invoke(model::Node const& node, std::string_view call,
                             json::object const& arguments, rpc::CallContext const& context,
                             rpc::Progress const& progress) override {
    auto answer = client_.invoke(node, call, arguments, context, progress);
    if (std::exchange(lost_, call == lost_ ? "" : lost_) != call) return answer;
    return Failure(rpc::fake_unreachable(node.name, "the answer was lost"));
  }
  void lose_next_answer(std::string const& call) { lost_ = call; }

 private:
  rpc::NodeClient client_;
  std::string lost_;
};

// What flotte-noded is: real files, the fake hypervisor.
class RealMachine : public FaultyWorld {
 public:
  ~RealMachine() override {
    if (has_own_storage_) ::umount2(file_directory().c_str(), MNT_DETACH);
  }
  void add_hook(std::string const& script, rpc::FakeHook const& hook) override {
    auto const path = test_.paths.hooks() + "/" + script;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "#!/bin/sh\nsleep " << hook.takes_s << "\necho '" << hook.output
                        << "'\nexit " << (hook.outcome == rpc::HookOutcome::Failed ? 1 : 0) << "\n";
    auto const is_executable = hook.outcome != rpc::HookOutcome::Skipped;
    std::filesystem::permissions(path, std::filesystem::perms(is_executable ? 0755 : 0644));
  }
  void lose_next_answer(std::string const& call) override { client_->lose_next_answer(call); }
  void restart() override {
    test_.stop();
    test_.start();
    client_ = std::make_unique<LossyClient>(test_.paths);
  }
  void power_off(std::string const& instance) override {
    std::filesystem::remove(guests() + "/guest:" + instance);
  }
  void set_trouble(std::string const& instance, rpc::FakeGuestTrouble const& trouble) override {
    std::filesystem::create_directories(guests());
    auto const set = [&](std::string_view what, bool is_on, std::string_view text) {
      auto const path = fmt::format("{}/{}.{}", guests(), instance, what);
      if (is_on) {
        std::ofstream(path) << text;
      } else {
        std::filesystem::remove(path);
      }
    };
    set("fail", !trouble.fails.empty(), trouble.fails);
    set("die", trouble.dies_at_start, "");
    set("hang", trouble.hangs, "");
  }
  bool set_storage(Storage storage) override {
    auto const at = file_directory();
    auto const size = fmt::format("size={}m", storage_mib);
    if (!has_own_storage_) {
      has_own_storage_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, size.c_str()) == 0;
    }
    if (!has_own_storage_) return false;
    unsigned long const flags = storage == Storage::ReadOnly ? MS_REMOUNT | MS_RDONLY : MS_REMOUNT;
    if (::mount("tmpfs", at.c_str(), "tmpfs", flags, size.c_str()) != 0) return false;
    auto const ballast = at + "/ballast";
    if (storage == Storage::Fine) std::filesystem::remove(ballast);
    if (storage == Storage::Full) {
      std::ofstream file(ballast, std::ios::binary);
      std::string const block(4096, 'x');
      while (file << block << std::flush) {
      }
    }
    return true;
  }
  bool is_active(std::string const& instance) override {
    return std::filesystem::is_symlink(test_.paths.instance_disks() + "/" + instance + ":0");
  }
  std::int64_t epoch(model::Disk const& disk) override {
    auto const mark = contents_of(device(disk) + ".flotte");
    return mark.empty() ? -1 : std::stoll(mark.substr(mark.find(' ')));
  }

  RealMachine() {
    auto wish = TestDaemon::wish();
    wish.file_storage_dirs = {file_directory()};
    auto const made = test_.bootstrap(wish);
    if (!made) throw std::runtime_error(made.error().message);
    client_ = std::make_unique<LossyClient>(test_.paths);
    write_noop_os(test_.paths.srv() + "/os/noop");
  }
  rpc::Node& nodes() override { return *client_; }
  model::Node node() const override { return test_.node(); }
  std::string file_directory() const override { return test_.paths.srv() + "/file-storage"; }

 private:
  std::string guests() const { return test_.paths.run() + "/fake-hypervisor"; }
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
  std::unique_ptr<LossyClient> client_;
  bool has_own_storage_ = false;
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
  std::optional<rpc::DiskSpec> other_volume(std::string const& name, MiB size) override {
    rpc::DiskSpec spec;
    spec.disk = disk(name);
    spec.disk.size = size;
    if constexpr (std::is_base_of_v<InMemory, W>) {
      W::add_volume(group(), spec.disk.logical_id[1], size);
    } else {
      sys::SystemProcesses processes;
      auto const made =
          sys::run_checked(processes, {.argv = {"lvcreate", "-Wn", fmt::format("-L{}m", size.value),
                                                "-n", spec.disk.logical_id[1], group()}});
      EXPECT_TRUE(made);
    }
    return spec;
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

rpc::InstanceSpec instance_in(World const& world, std::string const& name, MiB size) {
  rpc::DiskSpec disk;
  disk.disk = world.disk(name);
  disk.disk.uuid = DiskId("0d15c000-0000-4000-8000-000000000000");
  disk.disk.size = size;
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
    return instance_in(*world_, name, MiB{64});
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
  EXPECT_EQ(found->devices.at(0)->size, MiB{64});
  EXPECT_TRUE(found->devices.at(0)->is_active);
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {64}});
  must(rpc::BlockdevShutdown{"web1", disk});
  must(rpc::BlockdevShutdown{"web1", disk});
  auto const at_rest = ask(rpc::BlockdevFind{"web1", {disk}});
  ASSERT_TRUE(at_rest && at_rest->devices.at(0));
  EXPECT_EQ(at_rest->devices.at(0)->size, MiB{128});
  EXPECT_FALSE(at_rest->devices.at(0)->is_active);
  must(rpc::BlockdevRemove{"web1", disk});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0));
}

TEST_P(NodeContract, what_is_wrong_and_whose_the_run_files_are) {
  auto const disk = instance("web1").disks[0];
  auto const look = [&] {
    return *ask(rpc::NodeVerify{{"nosuchbridge"}, {world_->file_directory()}, "192.0.2.250"});
  };
  auto const files_of = [](rpc::NodeFindings const& found, std::string const& name) {
    return std::ranges::count(found.run_files, name, &rpc::RunFile::instance);
  };
  auto found = look();
  EXPECT_THAT(found.missing_bridges, ::testing::ElementsAre("nosuchbridge"));
  EXPECT_FALSE(found.has_master_ip);
  EXPECT_TRUE(found.file_faults.empty());
  EXPECT_TRUE(found.storage_faults.empty());
  EXPECT_TRUE(found.forbidden_storage_paths.empty());
  EXPECT_EQ(files_of(found, "web1"), 0);
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  EXPECT_EQ(files_of(look(), "web1"), 1);
  must(rpc::BlockdevShutdown{"web1", disk});
  EXPECT_EQ(files_of(look(), "web1"), 0);
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

TEST_P(NodeContract, a_volume_is_adopted_and_given_back) {
  auto const old = world_->other_volume("old", {8});
  auto const mine = instance("web1").disks[0];
  if (!old) {
    EXPECT_EQ(refused(rpc::BlockdevAdopt{"web1", mine, "old", ""}), ErrorCode::WrongInput);
    EXPECT_EQ(refused(rpc::BlockdevRelease{"web1", mine, "old", ""}), ErrorCode::WrongInput);
    return;
  }
  auto disk = mine;
  disk.disk.size = {8};
  auto const name = old->disk.logical_id[1];
  refused(rpc::BlockdevAdopt{"web1", disk, "nosuch", ""});
  refused(rpc::BlockdevAdopt{"web1", mine, name, ""});  // of another size
  refused(rpc::BlockdevAdopt{"web1", disk, name, "somebody"});
  for (int i = 0; i < 2; ++i) {
    must(rpc::BlockdevAdopt{"web1", disk, name, ""});
    must(rpc::BlockdevAdopt{"web1", disk, name, ""});
    must(rpc::BlockdevAssemble{"web1", disk, 1});
    refused(rpc::BlockdevRelease{"web2", disk, name, ""});
    must(rpc::BlockdevRelease{"web1", disk, name, ""});
    must(rpc::BlockdevRelease{"web1", disk, name, ""});
    refused(rpc::BlockdevAssemble{"web1", disk, 1});
  }
  auto const volumes = ask(rpc::NodeVolumes{});
  ASSERT_TRUE(volumes);
  auto const found = std::ranges::find(volumes->volumes, name, &rpc::Volume::name);
  ASSERT_NE(found, volumes->volumes.end());
  EXPECT_EQ(found->owner, "");
  EXPECT_FALSE(found->is_open);
  must(rpc::BlockdevAdopt{"web1", disk, name, ""});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_running_guest_gets_and_loses_disks) {
  auto const one = instance("web1");
  auto two = one;
  two.disks.push_back(one.disks[0]);
  auto& second = two.disks[1];
  second.index = 1;
  second.disk.uuid = DiskId("0d15c001-0000-4000-8000-000000000000");
  second.disk.logical_id.back() += "1";
  // One that doesn't run is left alone.
  must(rpc::InstanceAdjust{two});
  for (auto const& disk : two.disks) must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", one.disks[0], 1});
  must(rpc::InstanceStart{one});
  must(rpc::InstanceAdjust{two});
  must(rpc::InstanceAdjust{two});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", second}), ErrorCode::WrongState);
  // The first goes, the second moves up.
  auto rest = two;
  rest.disks.erase(rest.disks.begin());
  rest.disks[0].index = 0;
  must(rpc::InstanceAdjust{rest});
  must(rpc::BlockdevRemove{"web1", one.disks[0]});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", second}), ErrorCode::WrongState);
  auto const found = ask(rpc::BlockdevFind{"web1", {rest.disks[0]}});
  ASSERT_TRUE(found && found->devices.at(0));
  EXPECT_TRUE(found->devices.at(0)->is_active);
  must(rpc::InstanceBalloon{"web1", model::HypervisorKind::Fake, {64}});
  EXPECT_EQ(ask(rpc::AllInstancesInfo{})->instances.at(0).memory, MiB{64});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  must(rpc::InstanceBalloon{"web1", model::HypervisorKind::Fake, {64}});
  // Also what was activated as another index.
  must(rpc::BlockdevShutdown{"web1", second});
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {rest.disks[0]}})->devices.at(0)->is_active);
  must(rpc::BlockdevRemove{"web1", second});
  EXPECT_EQ(world_->disks(), 0U);
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
  rpc::NicSpec nic;
  nic.params = {{"mode", "bridged"}, {"link", "flotte-nosuch"}, {"vlan", ""}};
  auto const done = ask(rpc::NicsValidate{{nic}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("'flotte-nosuch'"));
}

TEST_P(NodeContract, nics_that_can_not_be_connected_are_told_beforehand) {
  rpc::NicSpec nic;
  nic.nic.ip = "192.0.2.5";
  for (auto const& [mode, link, vlan, is_fine] :
       {std::tuple{"routed", "", "", true}, std::tuple{"bridged", "flotte-nosuch", ".5", false},
        std::tuple{"openvswitch", "-nosuch", "", false}, std::tuple{"ext", "", "", false},
        std::tuple{"routed", "", ".x", false}, std::tuple{"tunnelled", "", "", false}}) {
    nic.params = {{"mode", mode}, {"link", link}, {"vlan", vlan}};
    EXPECT_EQ(ask(rpc::NicsValidate{{nic}}).has_value(), is_fine) << mode;
    rpc::NodeVerify look;
    look.nics = {nic, nic};
    auto const found = ask(look);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->nic_faults.size(), is_fine ? 0U : 1U) << mode;
  }
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

TEST_P(NodeContract, hooks_run_in_order_and_one_that_fails_is_a_result) {
  using rpc::HookOutcome;
  world_->add_hook("instance-stop-pre.d/20-no", {HookOutcome::Failed, "not before noon"});
  world_->add_hook("instance-stop-pre.d/10-yes", {});
  world_->add_hook("instance-stop-pre.d/30-silent", {HookOutcome::Failed});
  world_->add_hook("instance-stop-pre.d/40-not-executable", {HookOutcome::Skipped});
  world_->add_hook("instance-stop-post.d/10-yes", {});
  auto const done = ask(rpc::HooksRun{.directory = "instance-stop-pre.d",
                                      .environment = {{"GANETI_INSTANCE_NAME", "web1"}},
                                      .later = {"instance-stop-post.d", "config-update-post.d"}});
  ASSERT_TRUE(done) << done.error().message;
  std::vector<std::string> said;
  for (auto const& [script, outcome, output] : done->results) {
    said.push_back(fmt::format("{} {} '{}'", script, schema::name_of(outcome), output));
  }
  EXPECT_THAT(said, ::testing::ElementsAre("instance-stop-pre.d/10-yes succeeded ''",
                                           "instance-stop-pre.d/20-no failed 'not before noon'",
                                           "instance-stop-pre.d/30-silent failed ''",
                                           "instance-stop-pre.d/40-not-executable skipped ''"));
  EXPECT_THAT(done->later, ::testing::ElementsAre("instance-stop-post.d"));
  EXPECT_TRUE(ask(rpc::HooksRun{.directory = "instance-start-pre.d"})->results.empty());
  EXPECT_EQ(refused(rpc::HooksRun{.directory = "../os"}), ErrorCode::WrongInput);
}

TEST_P(NodeContract, a_hook_that_does_not_end_is_ended) {
  world_->add_hook("instance-stop-pre.d/10-slow", {.takes_s = 30});
  auto const done = ask(rpc::HooksRun{.directory = "instance-stop-pre.d", .timeout_s = 1});
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->results.size(), 1U);
  EXPECT_EQ(done->results[0].outcome, rpc::HookOutcome::Failed);
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

// --- The node in memory is as honest as a real one: the same operations with the same faults,
// played
// --- in both, are answered alike and leave the same.

struct Operation {
  char const* name;
  std::string call;
  json::object arguments;
};

template <class Call>
Operation operation(char const* name, Call const& call) {
  return {name, std::string(Call::name), schema::encode(call)};
}

enum class Before { Nothing, DiskMade, DiskActive, Running, DiskIsForeign };
enum class Fault {
  None,
  AnswerLost,
  KilledBefore,
  KilledAfter,
  Repeated,
  Late,
  DiskFull,
  ReadOnlyDisk,
  GuestDies,
  GuestFails,
  GuestHangs,
  GuestIsOff
};

constexpr Before befores[] = {Before::Nothing, Before::DiskMade, Before::DiskActive,
                              Before::Running, Before::DiskIsForeign};
constexpr char const* before_names[] = {"nothing", "a disk", "an active disk", "a guest",
                                        "another's disk"};
constexpr Fault faults[] = {Fault::None,        Fault::AnswerLost,   Fault::KilledBefore,
                            Fault::KilledAfter, Fault::Repeated,     Fault::Late,
                            Fault::DiskFull,    Fault::ReadOnlyDisk, Fault::GuestDies,
                            Fault::GuestFails,  Fault::GuestHangs,   Fault::GuestIsOff};
constexpr char const* fault_names[] = {
    "no fault",  "answer lost",    "killed before", "killed after", "repeated",    "late",
    "disk full", "read-only disk", "guest dies",    "guest fails",  "guest hangs", "guest is off"};

// One play of one operation in one world; the lines say what was answered and what is there.
class Play {
 public:
  Play(FaultyWorld& world, int number)
      : world_(world),
        name_(fmt::format("i{}", number)),
        other_(fmt::format("o{}", number)),
        spec_(instance_in(world, name_, MiB{2})),
        context_{.leader_epoch = 1, .job = number + 1, .timeout = 30s} {}

  std::vector<Operation> operations() const {
    auto later = spec_;
    later.epoch = 2;
    auto huge = spec_.disks[0];
    huge.disk.size = {2 * storage_mib};
    auto const& disk = spec_.disks[0];
    auto unknown_os = later;
    unknown_os.os = "nosuch";
    auto other = later;
    other.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
    auto earlier = spec_;
    earlier.epoch = 0;
    auto diskless = spec_;
    diskless.disks.clear();
    return {
        operation("create", rpc::BlockdevCreate{name_, disk}),
        operation("create a huge disk", rpc::BlockdevCreate{name_, huge}),
        operation("create without a name", rpc::BlockdevCreate{"", disk}),
        operation("remove", rpc::BlockdevRemove{name_, disk}),
        operation("grow", rpc::BlockdevGrow{name_, disk, {4}}),
        operation("grow less", rpc::BlockdevGrow{name_, disk, {1}}),
        operation("activate", rpc::BlockdevAssemble{name_, disk, 2}),
        operation("activate too early", rpc::BlockdevAssemble{name_, disk, 0}),
        operation("deactivate", rpc::BlockdevShutdown{name_, disk}),
        operation("wipe", rpc::BlockdevWipe{name_, disk}),
        operation("install", rpc::OsCreate{later}),
        operation("install an unknown OS", rpc::OsCreate{unknown_os}),
        operation("start", rpc::InstanceStart{later}),
        operation("start too early", rpc::InstanceStart{earlier}),
        operation("start another", rpc::InstanceStart{other}),
        operation("stop", stop()),
        operation("reset", rpc::InstanceSoftReboot{name_, model::HypervisorKind::Fake}),
        operation("resize", rpc::InstanceResizeDisk{name_, model::HypervisorKind::Fake, disk, {4}}),
        operation("plug its disk", rpc::InstanceAdjust{later}),
        operation("unplug its disk", rpc::InstanceAdjust{diskless}),
        operation("balloon", rpc::InstanceBalloon{name_, model::HypervisorKind::Fake, {64}})};
  }

  std::vector<std::string> lines(Before before, Operation const& deed, Fault fault) {
    prepare(before);
    auto late = context_;
    late.step = ++context_.step;
    late.serial = ++context_.serial;
    if (fault == Fault::Late) say(operation("stop", stop()));
    begin(fault, deed);
    if (fault == Fault::Late) {
      ask(deed, late);
    } else if (fault == Fault::KilledBefore) {
      last_ = ErrorClass::Unreachable;
    } else {
      say(deed);
    }
    if (fault == Fault::KilledAfter) world_.restart();
    if (fault != Fault::GuestHangs) look();
    end(fault);
    // A call without an answer is asked again.
    if (last_ == ErrorClass::Unreachable || fault == Fault::Repeated) {
      ++context_.serial;
      ask(deed, context_);
    }
    look();
    say(operation("stop", stop()));
    say(operation("deactivate", rpc::BlockdevShutdown{name_, spec_.disks[0]}));
    say(operation("remove", rpc::BlockdevRemove{name_, spec_.disks[0]}));
    say(operation("remove another's", rpc::BlockdevRemove{other_, spec_.disks[0]}));
    look();
    return std::move(lines_);
  }

 private:
  rpc::InstanceShutdown stop() const { return {name_, model::HypervisorKind::Fake, 0}; }

  void prepare(Before before) {
    auto const& disk = spec_.disks[0];
    if (before == Before::Nothing) return;
    auto const owner = before == Before::DiskIsForeign ? other_ : name_;
    say(operation("create", rpc::BlockdevCreate{owner, disk}));
    if (before == Before::DiskMade || before == Before::DiskIsForeign) return;
    say(operation("activate", rpc::BlockdevAssemble{name_, disk, 1}));
    if (before == Before::Running) say(operation("start", rpc::InstanceStart{spec_}));
  }

  void begin(Fault fault, Operation const& deed) {
    switch (fault) {
      case Fault::AnswerLost:
      case Fault::KilledAfter:
        return world_.lose_next_answer(deed.call);
      case Fault::KilledBefore:
        return world_.restart();
      case Fault::DiskFull:
        EXPECT_TRUE(world_.set_storage(Storage::Full));
        return;
      case Fault::ReadOnlyDisk:
        EXPECT_TRUE(world_.set_storage(Storage::ReadOnly));
        return;
      case Fault::GuestDies:
        return world_.set_trouble(name_, {.dies_at_start = true});
      case Fault::GuestFails:
        return world_.set_trouble(name_, {.fails = "the moon is full"});
      case Fault::GuestHangs:
        context_.timeout = 1s;
        return world_.set_trouble(name_, {.hangs = true});
      case Fault::GuestIsOff:
        return world_.power_off(name_);
      case Fault::None:
      case Fault::Repeated:
      case Fault::Late:
        return;
    }
  }
  void end(Fault fault) {
    context_.timeout = 30s;
    if (fault == Fault::DiskFull || fault == Fault::ReadOnlyDisk) {
      EXPECT_TRUE(world_.set_storage(Storage::Fine));
    }
    if (fault >= Fault::GuestDies && fault <= Fault::GuestHangs) world_.set_trouble(name_, {});
  }

  void say(Operation const& what) {
    ++context_.step;
    ++context_.serial;
    ask(what, context_);
  }
  void ask(Operation const& what, rpc::CallContext const& context) {
    auto const answer =
        world_.nodes().invoke(world_.node(), what.call, what.arguments, context, {});
    last_.reset();
    if (answer) return lines_.push_back(fmt::format("{}: done", what.name));
    last_ = answer.error().error_class;
    lines_.push_back(
        fmt::format("{}: {}, {}", what.name, schema_class(*last_), to_string(answer.error().code)));
  }
  static std::string schema_class(ErrorClass error_class) {
    if (error_class == ErrorClass::ByStage) return "as the stage decides";
    return std::string(python_class(error_class));
  }

  void look() {
    rpc::CallContext const reading{.leader_epoch = 1};
    auto const& disk = spec_.disks[0];
    std::string line = "there is:";
    auto const files =
        world_.nodes().ask(world_.node(), rpc::FileStorageList{world_.file_directory()}, reading);
    ASSERT_TRUE(files);
    for (auto const& file : files->files) {
      if (file.path == disk.disk.logical_id[1]) line += fmt::format(" {} MiB", file.size.value);
    }
    for (auto const& owner : {name_, other_}) {
      auto const found =
          world_.nodes().ask(world_.node(), rpc::BlockdevFind{owner, {disk}}, reading);
      if (found && found->devices.at(0)) line += owner == name_ ? " ours" : " another's";
    }
    line += fmt::format(", epoch {}", world_.epoch(disk.disk));
    if (world_.is_active(name_)) line += ", active";
    auto const guests = world_.nodes().ask(
        world_.node(), rpc::AllInstancesInfo{{model::HypervisorKind::Fake}}, reading);
    ASSERT_TRUE(guests);
    for (auto const& guest : guests->instances) {
      if (guest.name == name_) {
        line += fmt::format(", {} with {} MiB", schema::name_of(guest.state), guest.memory.value);
      }
    }
    lines_.push_back(std::move(line));
  }

  FaultyWorld& world_;
  std::string name_;
  std::string other_;  // who has the disk in its stead
  rpc::InstanceSpec spec_;
  rpc::CallContext context_;
  std::optional<ErrorClass> last_;
  std::vector<std::string> lines_;
};

TEST(NodeHonesty, the_node_in_memory_answers_and_leaves_what_a_real_one_does) {
  InMemory memory;
  RealMachine machine;
  memory.set_storage(Storage::Fine);
  auto const has_storage = machine.set_storage(Storage::Fine);
  auto const count = Play(memory, 0).operations().size();
  int number = 0;
  int wrong = 0;
  for (auto const before : befores) {
    for (std::size_t i = 0; i < count; ++i) {
      for (auto const fault : faults) {
        auto const needs_storage = fault == Fault::DiskFull || fault == Fault::ReadOnlyDisk;
        if (needs_storage && !has_storage) continue;
        ++number;
        Play in_memory(memory, number);
        Play in_machine(machine, number);
        auto const deed = in_memory.operations()[i];
        auto const is_of_guest = deed.call == "instance_start" || deed.call == "instance_shutdown";
        // What hangs takes a second, in which nothing is learned about other calls.
        if (fault == Fault::GuestHangs && !is_of_guest) continue;
        auto const expected = in_machine.lines(before, in_machine.operations()[i], fault);
        auto const found = in_memory.lines(before, deed, fault);
        if (expected == found) continue;
        ++wrong;
        ADD_FAILURE() << fmt::format("{} with {}, {}\nreal:\n  {}\nin memory:\n  {}", deed.name,
                                     before_names[static_cast<int>(before)],
                                     fault_names[static_cast<int>(fault)],
                                     fmt::join(expected, "\n  "), fmt::join(found, "\n  "));
      }
    }
  }
  std::printf("honesty: %d plays, %d differ%s\n", number, wrong,
              has_storage ? "" : " (no file system of its own: none with a full disk)");
}

}  // namespace
}  // namespace flotte::node
