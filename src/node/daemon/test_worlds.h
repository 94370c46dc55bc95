// For the contract tests of the node daemon only: ways to have one node, in memory, over the wire
// and for real, which may go wrong.
#pragma once

#include <gmock/gmock.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "node/daemon/machine.h"
#include "node/daemon/test_daemon.h"
#include "rpc/fake_node.h"

namespace flotte::node {

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
  // A silent guest has heard. Returns how many devices it let go of late, once it has back what it
  // should have.
  virtual std::size_t answer(std::string const& instance) = 0;
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
  std::size_t answer(std::string const& instance) override {
    fake_.answer(node().uuid, instance);
    auto const state = fake_.state(node().uuid);
    auto const guest = state.guests.find(instance);
    auto const gone = guest == state.guests.end() ? 0 : guest->second.gone.size();
    fake_.give_back(node().uuid, instance);
    EXPECT_TRUE(fake_.lacking(node().uuid).empty());
    return gone;
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

inline Machinery machinery_of(rpc::FakeNode& fake) {
  model::Node node;
  node.uuid = NodeId(test_uuid);
  node.name = "node1.example.com";
  Machinery machinery;
  machinery.add_calls = [&fake, node](rpc::Dispatcher& dispatcher) {
    forward<rpc::NodeInfo, rpc::NodeVerify, rpc::BlockdevCreate, rpc::BlockdevCreateUnwiped,
            rpc::BlockdevAdopt, rpc::BlockdevRelease, rpc::BlockdevRename, rpc::BlockdevConvert,
            rpc::OsRename, rpc::ResolveName, rpc::BlockdevRemove, rpc::BlockdevGrow,
            rpc::BlockdevGrowUnwiped, rpc::BlockdevAssemble, rpc::BlockdevShutdown,
            rpc::BlockdevFind, rpc::BlockdevWipe, rpc::NodeVolumes, rpc::FileStorageList,
            rpc::OsDiagnose, rpc::OsCreate, rpc::InstanceStart, rpc::InstanceShutdown,
            rpc::InstanceSoftReboot, rpc::InstanceResizeDisk, rpc::InstanceAdjust,
            rpc::InstanceBalloon, rpc::AllInstancesInfo, rpc::NicsValidate, rpc::MasterAddress,
            rpc::SsconfWrite, rpc::HooksRun, rpc::HypervisorValidate>(dispatcher, fake, node);
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
    set("silent", trouble.is_silent, "");
  }
  std::size_t answer(std::string const& instance) override {
    auto const leaving = [&]() -> std::size_t {
      auto const guest = schema::parse(contents_of(guests() + "/guest:" + instance));
      return guest ? guest->at("leaving").as_array().size() : 0;
    };
    auto const late = leaving();
    std::filesystem::remove(guests() + "/" + instance + ".silent");
    while (leaving() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return late;
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

inline rpc::InstanceSpec instance_in(World const& world, std::string const& name, MiB size) {
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

}  // namespace flotte::node
