// One contract for every hypervisor, and what is kvm's own. kvm is a real QEMU with nothing to
// boot: its BIOS is guest enough.
#include "node/hypervisor/hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "model/params.h"
#include "node/hypervisor/kvm/qmp.h"
#include "node/hypervisor/kvm/runtime.h"
#include "schema/schema.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto qemu = "/usr/bin/qemu-system-x86_64";

class Root {
 public:
  Root() {
    // Not below $TMPDIR: it may be too long for sockets.
    char pattern[] = "/tmp/flotte-hv-XXXXXX";
    path = ::mkdtemp(pattern);
  }
  ~Root() { std::filesystem::remove_all(path); }
  std::string path;
};

// A guest of 64 MiB without disks and NICs that would wait in its BIOS for ever.
rpc::InstanceSpec guest(model::HypervisorKind kind, std::string const& name = "web1") {
  rpc::InstanceSpec spec;
  spec.name = name;
  spec.uuid = InstanceId("11111111-0000-4000-8000-000000000000");
  spec.hypervisor = kind;
  spec.hvparams = model::defaults(model::hypervisor_params(kind));
  if (kind == model::HypervisorKind::Kvm) spec.hvparams["kernel_path"] = "";
  spec.beparams = model::defaults(model::backend_params());
  spec.beparams["maxmem"] = 64;
  spec.beparams["vcpus"] = 2;
  spec.epoch = 7;
  return spec;
}

class HypervisorContract : public ::testing::TestWithParam<model::HypervisorKind> {
 protected:
  void SetUp() override {
    if (GetParam() == model::HypervisorKind::Kvm && ::access(qemu, X_OK) != 0) {
      GTEST_SKIP() << qemu << " is not installed";
    }
    restart_daemon();
  }
  void TearDown() override {
    if (!hypervisor_) return;
    auto const running = hypervisor_->list();
    if (!running) return;
    for (auto const& one : *running) (void)hypervisor_->stop(one.name, 0s);
  }

  // What the daemon remembers is gone; what it has started goes on.
  void restart_daemon() {
    hypervisor_ = GetParam() == model::HypervisorKind::Kvm ? make_kvm(paths_, clock_, processes_)
                                                           : make_fake(paths_);
  }

  void start(rpc::InstanceSpec const& spec, bool paused = false) {
    auto const started = hypervisor_->start(spec, disk_paths_, paused);
    ASSERT_TRUE(started) << started.error().message;
  }
  void stop(std::string const& name, std::chrono::seconds timeout = 0s) {
    auto const stopped = hypervisor_->stop(name, timeout);
    ASSERT_TRUE(stopped) << stopped.error().message;
  }
  std::vector<rpc::RunningInstance> list() {
    auto found = hypervisor_->list();
    if (found) return *found;
    ADD_FAILURE() << found.error().message;
    return {};
  }
  rpc::InstanceSpec spec() const { return guest(GetParam()); }

  Root root_;
  Paths paths_{root_.path};
  SystemClock clock_;
  sys::SystemProcesses processes_;
  std::vector<std::string> disk_paths_;
  std::unique_ptr<Hypervisor> hypervisor_;
};

TEST_P(HypervisorContract, a_guest_starts_is_listed_and_stops) {
  EXPECT_TRUE(list().empty());
  start(spec());
  auto const running = list();
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].name, "web1");
  EXPECT_EQ(running[0].hypervisor, GetParam());
  EXPECT_EQ(running[0].state, rpc::RunState::Running);
  EXPECT_EQ(running[0].memory.value, 64);
  EXPECT_EQ(running[0].vcpus, 2);
  EXPECT_EQ(running[0].hvparams, spec().hvparams);
  stop("web1");
  EXPECT_TRUE(list().empty());
}

TEST_P(HypervisorContract, starting_twice_starts_once) {
  start(spec());
  auto const first = list();
  restart_daemon();
  start(spec());
  auto const second = list();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].pid, first.at(0).pid);
}

TEST_P(HypervisorContract, a_twin_of_a_running_guest_is_refused) {
  start(spec());
  auto twin = spec();
  twin.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
  auto const started = hypervisor_->start(twin, {}, false);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::WrongState);
  EXPECT_EQ(list().size(), 1U);
}

TEST_P(HypervisorContract, stopping_what_does_not_run_succeeds) {
  stop("web1");
  stop("web1", 5s);
}

TEST_P(HypervisorContract, a_paused_guest_is_listed_as_such) {
  start(spec(), true);
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].state, rpc::RunState::Paused);
}

TEST_P(HypervisorContract, a_soft_reboot_keeps_the_guest) {
  start(spec());
  auto const before = list();
  auto const rebooted = hypervisor_->soft_reboot("web1");
  ASSERT_TRUE(rebooted) << rebooted.error().message;
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].pid, before.at(0).pid);
}

TEST_P(HypervisorContract, what_does_not_run_is_neither_reset_nor_resized) {
  EXPECT_EQ(hypervisor_->soft_reboot("web1").error().code, ErrorCode::WrongState);
  EXPECT_EQ(hypervisor_->resize_disk("web1", {}, MiB{10}).error().code, ErrorCode::WrongState);
}

TEST_P(HypervisorContract, two_guests_know_nothing_of_each_other) {
  start(spec());
  start(guest(GetParam(), "web10"));
  EXPECT_EQ(list().size(), 2U);
  stop("web1");
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0].name, "web10");
}

TEST_P(HypervisorContract, many_starts_at_once_start_one) {
  std::vector<std::thread> threads;
  std::atomic<int> succeeded = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (hypervisor_->start(spec(), {}, false)) ++succeeded;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(succeeded, 4);
  EXPECT_EQ(list().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Hypervisors, HypervisorContract,
                         ::testing::Values(model::HypervisorKind::Fake, model::HypervisorKind::Kvm),
                         [](auto const& row) { return std::string(schema::name_of(row.param)); });

// --- kvm's own

class KvmTest : public HypervisorContract {
 protected:
  KvmRuntime runtime() const { return KvmRuntime(paths_); }

  // Files below <run>/kvm-hypervisor that belong to a guest.
  std::vector<std::string> leftovers() const {
    std::vector<std::string> found;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(paths_.kvm())) {
      if (!entry.is_directory()) found.push_back(entry.path().string());
    }
    return found;
  }
  rpc::InstanceSpec with_disk() {
    auto spec = guest(model::HypervisorKind::Kvm);
    rpc::DiskSpec disk;
    disk.disk.uuid = DiskId("932df160-7a22-4067-a566-7e0ca8386133");
    disk.disk.dev_type = model::DiskTemplate::File;
    spec.disks = {disk};
    auto const path = root_.path + "/disk0";
    std::ofstream(path).close();
    std::filesystem::resize_file(path, 4 << 20);
    disk_paths_ = {path};
    return spec;
  }
};

TEST_P(KvmTest, leaves_nothing_behind) {
  start(spec());
  EXPECT_FALSE(leftovers().empty());
  stop("web1");
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_P(KvmTest, a_guest_that_was_killed_is_not_listed_and_starts_again) {
  start(spec());
  auto const process = runtime().find("web1");
  ASSERT_TRUE(process);
  process->send(SIGKILL);
  ASSERT_TRUE(process->wait_for_end(5s));
  EXPECT_TRUE(list().empty());
  start(spec());
  EXPECT_EQ(list().size(), 1U);
}

TEST_P(KvmTest, a_foreign_process_in_the_pid_file_is_not_believed) {
  ASSERT_TRUE(runtime().make_directories("web1"));
  std::ofstream(runtime().files("web1").pid) << ::getpid() << '\n';
  EXPECT_TRUE(list().empty());
  stop("web1");
  start(spec());
  EXPECT_EQ(list().size(), 1U);
}

TEST(KvmScope, tells_a_guest_from_another_one_that_takes_its_name) {
  InstanceId const uuid("11111111-0000-4000-8000-000000000000");
  auto const in = [](std::string const& scope) {
    return fmt::format("0::/machine.slice/{}.scope\n", scope);
  };
  for (std::string const& name :
       {std::string("web1"), std::string("web1-2"), std::string(240, 'n')}) {
    EXPECT_FALSE(is_in_scope_of_another(in(kvm_scope(name, uuid, 7)), name, uuid)) << name;
    EXPECT_LE(kvm_scope(name, uuid, 7'000'000).size() + 6, 255U);
    EXPECT_TRUE(is_in_scope_of_another(in(kvm_scope("web", uuid, 7)), name, uuid)) << name;
  }
  EXPECT_TRUE(is_in_scope_of_another(in("flotte-guest-web1-2-7-99"), "web1", uuid));
  auto const long_name = std::string(210, 'n');
  EXPECT_FALSE(is_in_scope_of_another(in("flotte-guest-" + long_name + "-7-99"), long_name, uuid));
  EXPECT_TRUE(is_in_scope_of_another(in("flotte-guest-web1-7"), "web1-7", uuid));
  EXPECT_FALSE(
      is_in_scope_of_another(in("flotte-guest-x-7-99"), std::string(240, 'n'), InstanceId("")));
  // Where there is no systemd, or a guest was started without it, nothing can be told.
  EXPECT_FALSE(is_in_scope_of_another("0::/init.scope\n", "web1", uuid));
  EXPECT_FALSE(is_in_scope_of_another("", "web1", uuid));
}

// Anybody can give a process such a command line: it must neither keep a guest from starting nor be
// taken for it.
TEST_P(KvmTest, an_imitation_by_another_user_is_no_guest) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  ASSERT_TRUE(runtime().make_directories("web1"));
  auto const pid_file = runtime().files("web1").pid;
  auto const imitation = ::fork();
  if (imitation == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
    ::execl("/bin/sh", "kvm", "-c", "kill -STOP $$; :", "-name", "web1", "-pidfile",
            pid_file.c_str(), "-uuid", "22222222-0000-4000-8000-000000000000", nullptr);
    ::_exit(1);
  }
  auto const shown = fmt::format("/proc/{}/cmdline", imitation);
  while (sys::read_file(shown).value_or("").find("-pidfile") == std::string::npos) {
    std::this_thread::sleep_for(1ms);
  }
  std::ofstream(pid_file) << imitation << '\n';
  EXPECT_TRUE(list().empty());
  EXPECT_TRUE(runtime().find_all("web1").empty());
  start(spec());
  ASSERT_EQ(list().size(), 1U);
  EXPECT_NE(list()[0].pid, imitation);
  stop("web1");
  EXPECT_EQ(::kill(imitation, 0), 0) << "what isn't ours is not ended";
  ::kill(imitation, SIGKILL);
  ::waitpid(imitation, nullptr, 0);
}

TEST_P(KvmTest, a_guest_left_between_its_start_and_its_first_instruction_is_let_go) {
  start(spec(), true);
  restart_daemon();
  start(spec());
  EXPECT_EQ(list().at(0).state, rpc::RunState::Running);
  auto qmp = Qmp::connect(runtime().files("web1").qmp, 5s);
  ASSERT_TRUE(qmp) << qmp.error().message;
  auto const status = qmp->run("query-status");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->at("status"), "running");
}

TEST_P(KvmTest, a_qemu_without_its_pid_file_is_no_second_writer) {
  start(spec());
  auto const first = list().at(0).pid;
  std::filesystem::remove(runtime().files("web1").pid);
  start(spec());
  ASSERT_EQ(runtime().find_all("web1").size(), 1U);
  EXPECT_NE(list().at(0).pid, first);
}

TEST_P(KvmTest, a_guest_that_does_not_listen_is_stopped_at_the_timeout) {
  start(spec());
  auto const before = std::chrono::steady_clock::now();
  stop("web1", 1s);
  auto const took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, 1s);
  EXPECT_LT(took, 5s);
  EXPECT_TRUE(list().empty());
}

TEST_P(KvmTest, a_guest_that_missed_the_button_hears_it_the_next_time) {
  auto const machine = with_disk();
  // Enables the button, says "R", waits for it, takes it for none (as if it had been booting), and
  // goes off at the next.
  unsigned char const program[] = {
      0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef,              // PM1 enable (0x602) := button
      0xba, 0xf8, 0x03, 0xb0, 'R',  0xee,                    // COM1 := 'R'
      0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xfa,  // until PM1 status (0x600) has it
      0xb8, 0x00, 0x01, 0xef,                                // it has been seen
      0xed, 0xf6, 0xc4, 0x01, 0x74, 0xfa,                    // until it has it again
      0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4};       // PM1 control (0x604) := off
  std::string sector(std::begin(program), std::end(program));
  constexpr std::size_t signature_at = 510;
  sector.resize(signature_at);
  sector += "\x55\xaa";
  std::fstream(disk_paths_[0], std::ios::in | std::ios::out | std::ios::binary) << sector;
  start(machine);
  auto const heard = [&] {
    auto const said = sys::read_file(runtime().files("web1").console_log).value_or("");
    return said.find('R') != std::string::npos;
  };
  for (int look = 0; look < 600 && !heard(); ++look) std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(heard());
  auto const before = std::chrono::steady_clock::now();
  stop("web1", 60s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
}

TEST_P(KvmTest, a_paused_guest_is_not_waited_for) {
  start(spec(), true);
  auto const before = std::chrono::steady_clock::now();
  stop("web1", 60s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
}

TEST_P(KvmTest, a_start_that_fails_says_what_qemu_said_and_leaves_nothing) {
  auto wrong = spec();
  wrong.hvparams["machine_version"] = "nosuch";
  auto const started = hypervisor_->start(wrong, {}, false);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("unsupported machine type"));
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
  EXPECT_TRUE(runtime().find_all("web1").empty());
}

TEST_P(KvmTest, a_missing_bridge_is_named_and_leaves_nothing) {
  auto wrong = spec();
  rpc::NicSpec nic;
  nic.nic.mac = "aa:00:00:11:22:33";
  nic.params = {{"mode", "bridged"}, {"link", "flotte-nosuch"}, {"vlan", ""}};
  wrong.nics = {nic};
  auto const started = hypervisor_->start(wrong, {}, false);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("flotte-nosuch"));
  EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

TEST_P(KvmTest, qemu_is_confined) {
  start(spec());
  auto const status = sys::read_file(fmt::format("/proc/{}/status", list().at(0).pid));
  ASSERT_TRUE(status);
  EXPECT_THAT(*status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(*status, HasSubstr("Seccomp:\t2"));
}

TEST_P(KvmTest, its_runtime_file_is_as_ganeti_s) {
  start(with_disk());
  auto const text = sys::read_file(paths_.kvm() + "/conf/web1.runtime");
  ASSERT_TRUE(text);
  auto const runtime = schema::parse(*text);
  ASSERT_TRUE(runtime);
  auto const& array = runtime->get_array();
  ASSERT_EQ(array.size(), 5U);
  EXPECT_EQ(array[0].at(0), qemu);
  EXPECT_EQ(array[2], list().at(0).hvparams);
  auto const& disk = array[3].at(0);
  EXPECT_EQ(disk.at(0).at("hvinfo").at("addr"), "0xc");
  EXPECT_EQ(disk.at(1), boost::json::value(disk_paths_[0]));
  EXPECT_EQ(array[4].at("epoch"), 7);
}

TEST_P(KvmTest, a_grown_disk_is_told_to_the_guest) {
  auto const spec = with_disk();
  start(spec);
  std::filesystem::resize_file(disk_paths_[0], 8 << 20);
  auto const resized = hypervisor_->resize_disk("web1", spec.disks[0], MiB{8});
  EXPECT_TRUE(resized) << resized.error().message;
}

TEST_P(KvmTest, a_disk_that_another_qemu_writes_is_refused) {
  auto spec = with_disk();
  start(spec);
  spec.name = "web2";
  auto const started = hypervisor_->start(spec, disk_paths_, false);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("lock"));
}

TEST_P(KvmTest, a_guest_that_ends_at_a_reset_is_not_reset) {
  auto exits = spec();
  exits.hvparams["reboot_behavior"] = "exit";
  start(exits);
  auto const rebooted = hypervisor_->soft_reboot("web1");
  ASSERT_FALSE(rebooted);
  EXPECT_THAT(rebooted.error().message, HasSubstr("--type=hard"));
}

TEST_P(KvmTest, a_long_name_gets_short_sockets) {
  auto const spec = guest(model::HypervisorKind::Kvm, std::string(120, 'a'));
  start(spec);
  EXPECT_EQ(list().size(), 1U);
  auto const rebooted = hypervisor_->soft_reboot(spec.name);
  EXPECT_TRUE(rebooted) << rebooted.error().message;
}

// --- What a guest is asked to let go of

class KvmHotplug : public KvmTest {
 protected:
  // It boots from its first disk, says "R", and lets go of whatever it is asked for, by the ports
  // of its machine (QEMU's docs/specs/acpi_pci_hotplug.txt).
  static std::string program_that_lets_go(bool is_q35) {
    unsigned char const high = is_q35 ? 0x0c : 0xae;
    unsigned char const low = is_q35 ? 0xc0 : 0x00;
    auto const port = [&](int offset) { return static_cast<unsigned char>(low + offset); };
    unsigned char const program[] = {
        0xba, 0xf8,       0x03, 0xb0, 'R',        0xee,              // COM1 := 'R'
        0x66, 0x31,       0xc0, 0xba, port(0x10), high, 0x66, 0xef,  // the first bus
        0xba, port(0x04), high, 0x66, 0xed,                          // which are asked for?
        0x66, 0x85,       0xc0, 0x74, 0xf6,                          // none: look again
        0xba, port(0x08), high, 0x66, 0xef,       0xeb, 0xef};       // those may go
    std::string sector(std::begin(program), std::end(program));
    constexpr std::size_t signature_at = 510;
    sector.resize(signature_at);
    return sector + "\x55\xaa";
  }
  rpc::InstanceSpec with_two_disks(std::string_view machine = "") {
    auto spec = with_disk();
    spec.hvparams["machine_version"] = boost::json::string_view(machine);
    std::fstream(disk_paths_[0], std::ios::in | std::ios::out | std::ios::binary)
        << program_that_lets_go(machine == "q35");
    auto second = spec.disks[0];
    second.index = 1;
    second.disk.uuid = DiskId("aaaaaaaa-7a22-4067-a566-7e0ca8386133");
    spec.disks.push_back(second);
    disk_paths_.push_back(root_.path + "/disk1");
    std::filesystem::copy(disk_paths_[0], disk_paths_[1]);
    return spec;
  }
  std::vector<std::string> links(rpc::InstanceSpec const& spec) const {
    return {disk_paths_.begin(), disk_paths_.begin() + std::ssize(spec.disks)};
  }
  void start_with_links(rpc::InstanceSpec const& spec) {
    auto const started = hypervisor_->start(spec, links(spec), false);
    ASSERT_TRUE(started) << started.error().message;
  }
  void start_and_wait(rpc::InstanceSpec const& spec) {
    start_with_links(spec);
    auto const has_booted = [&] {
      auto const said = sys::read_file(runtime().files("web1").console_log).value_or("");
      return said.find('R') != std::string::npos;
    };
    for (int look = 0; look < 1200 && !has_booted(); ++look) std::this_thread::sleep_for(50ms);
    ASSERT_TRUE(has_booted());
  }
  boost::json::value qmp(std::string_view command, boost::json::object arguments = {}) {
    auto monitor = Qmp::connect(runtime().files("web1").qmp, 10s);
    EXPECT_TRUE(monitor);
    auto const said = monitor->run(command, std::move(arguments));
    EXPECT_TRUE(said);
    return said.value_or(boost::json::value());
  }
  bool has_device(rpc::DiskSpec const& disk) {
    auto const listed = boost::json::serialize(qmp("qom-list", {{"path", "/machine/peripheral"}}));
    return listed.find(kvm_device_id("disk", disk.disk.uuid.text())) != std::string::npos;
  }
  rpc::InstanceSpec without_second(rpc::InstanceSpec spec) {
    spec.disks.pop_back();
    return spec;
  }
  static constexpr auto never = [] { return false; };
  static constexpr auto always = [] { return true; };
};

TEST_P(KvmHotplug, a_disk_goes_when_the_guest_lets_go_of_it) {
  auto const both = with_two_disks();
  start_and_wait(both);
  auto const adjusted = hypervisor_->adjust(without_second(both), {disk_paths_[0]}, always);
  ASSERT_TRUE(adjusted) << adjusted.error().message;
  EXPECT_FALSE(has_device(both.disks[1]));
  EXPECT_FALSE(hypervisor_->uses("web1", both.disks[1].disk.uuid));
  EXPECT_THAT(runtime().leaving("web1"), ::testing::IsEmpty());
}

TEST_P(KvmHotplug, what_it_lets_go_of_too_late_it_lacks_and_gets_back) {
  auto const both = with_two_disks();
  start_and_wait(both);
  qmp("stop");
  auto const ended = hypervisor_->adjust(without_second(both), {disk_paths_[0]}, never);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message, HasSubstr("gets it back"));
  ASSERT_TRUE(hypervisor_->adjust(both, disk_paths_, always));  // it is undone
  EXPECT_THAT(hypervisor_->asked(), ::testing::ElementsAre("web1"));
  EXPECT_FALSE(hypervisor_->lacking("web1"));
  EXPECT_TRUE(has_device(both.disks[1]));
  qmp("cont");
  restart_daemon();
  std::optional<rpc::InstanceSpec> lacking;
  for (int look = 0; look < 1200 && !lacking; ++look) {
    lacking = hypervisor_->lacking("web1");
    std::this_thread::sleep_for(50ms);
  }
  ASSERT_TRUE(lacking);
  EXPECT_EQ(lacking->name, "web1");
  EXPECT_EQ(lacking->epoch, both.epoch);
  ASSERT_EQ(lacking->disks.size(), 2U);
  EXPECT_EQ(lacking->disks[1].disk.uuid, both.disks[1].disk.uuid);
  EXPECT_TRUE(hypervisor_->uses("web1", both.disks[1].disk.uuid));
  auto const given = hypervisor_->adjust(*lacking, disk_paths_, always);
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_TRUE(has_device(both.disks[1]));
  EXPECT_TRUE(hypervisor_->asked().empty());
  EXPECT_THAT(runtime().leaving("web1"), ::testing::IsEmpty());
}

TEST_P(KvmHotplug, what_it_was_asked_for_twice_goes) {
  auto const both = with_two_disks();
  start_and_wait(both);
  qmp("stop");
  ASSERT_FALSE(hypervisor_->adjust(without_second(both), {disk_paths_[0]}, never));
  qmp("cont");
  ASSERT_TRUE(hypervisor_->adjust(without_second(both), {disk_paths_[0]}, always));
  EXPECT_TRUE(hypervisor_->asked().empty());
  EXPECT_FALSE(has_device(both.disks[1]));
}

TEST_P(KvmHotplug, a_q35_takes_a_disk_and_lets_go_of_it) {
  auto const both = with_two_disks("q35");
  start_and_wait(without_second(both));
  for (auto const& wanted : {both, without_second(both)}) {
    auto const adjusted = hypervisor_->adjust(wanted, links(wanted), always);
    ASSERT_TRUE(adjusted) << adjusted.error().message;
    EXPECT_EQ(has_device(both.disks[1]), wanted.disks.size() == 2);
  }
}

TEST_P(KvmHotplug, a_disk_that_the_guest_does_not_have_yet_is_not_resized_in_it) {
  auto const both = with_two_disks();
  start_with_links(without_second(both));
  EXPECT_TRUE(hypervisor_->resize_disk("web1", both.disks[1], MiB{8}));
}

INSTANTIATE_TEST_SUITE_P(Kvm, KvmHotplug, ::testing::Values(model::HypervisorKind::Kvm),
                         [](auto const&) { return std::string("qemu"); });

// --- What would start, and what would not

struct Parameters {
  std::vector<std::pair<std::string, boost::json::value>> hv;
  std::string_view refusal;  // empty: it starts
};

class KvmStarts : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    auto const list = paths_.allowed_programs_file();
    std::filesystem::create_directories(std::filesystem::path(list).parent_path());
    std::ofstream(list) << "/bin/true\n/nosuch\n" << root_.path << "/kvm\n";
  }
  rpc::InstanceSpec with(Parameters const& parameters) {
    auto spec = with_disk();
    for (auto const& [name, value] : parameters.hv) spec.hvparams[name] = value;
    return spec;
  }
};

TEST_P(KvmStarts, what_would_not_start_is_found_beside_the_running_guest) {
  Parameters const refused[] = {
      {{{"cpu_cores", 3}}, "Invalid CPU topology"},
      {{{"vga", "nosuch"}}, "unknown vga type: nosuch"},
      {{{"cpu_type", "nosuch"}}, "unable to find CPU model 'nosuch'"},
      {{{"soundhw", "nosuch"}}, "Unknown sound card name `nosuch'"},
      {{{"machine_version", "nosuch"}}, "unsupported machine type"},
      {{{"machine_version", "isapc"}}, "isapc"},
      {{{"kvm_path", "/nosuch"}}, "/nosuch"},
      {{{"kvm_path", "/bin/false"}}, "Root does not run /bin/false"},
      {{{"kvm_path", "/bin/true"}}, "kvm_path: /bin/true is no QEMU"},
      {{{"kvm_path", "/bin/true"}, {"machine_version", "pc"}}, "kvm_path: /bin/true is no QEMU"},
      {{{"kvm_pci_reservations", 32}}, "need more PCI slots"},
      {{{"kvm_extra", "-nosuch"}}, "-nosuch: invalid option"},
      {{{"kvm_extra", "-drive file=/x -nosuch"}}, "-nosuch: invalid option"},
      {{{"kvm_extra", "-drive"}}, "a value is missing behind -drive"},
      {{{"kvm_extra", "-device nosuch"}}, "'nosuch' is not a valid device model name"},
      {{{"kvm_extra", "-qmp 'open"}}, "a quote ' is not closed"},
      {{{"usb_devices", "nosuch"}}, "could not add USB device 'nosuch'"},
      {{{"usb_devices", "disk:/x"}}, "usb_devices"},
      {{{"disk_aio", "native"}}, "disk_cache"},
      {{{"vnc_bind_address", "127.0.0.1"}, {"keymap", "nosuch"}}, "could not read keymap file"},
      {{{"vnc_bind_address", "192.0.2.250"}}, "192.0.2.250 is no address of this node"},
      {{{"kernel_path", "/etc/passwd"}}, "invalid kernel header"},
      {{{"kernel_path", "/nosuch"}}, "not found or not a file (current value: '/nosuch')"},
      {{{"mem_path", "/nosuch"}}, "not found or not a directory (current value: '/nosuch')"},
      {{{"security_model", "user"}, {"security_domain", "nosuch"}}, "nosuch"},
      {{{"cpu_mask", "4000"}}, "none of the CPUs 4000"},
  };
  start(with_disk());
  for (auto const& parameters : refused) {
    auto const checked = hypervisor_->check(with(parameters));
    ASSERT_FALSE(checked) << parameters.refusal;
    EXPECT_THAT(checked.error().message, HasSubstr(parameters.refusal));
  }
  EXPECT_TRUE(hypervisor_->check(with_disk()));
  EXPECT_EQ(list().at(0).state, rpc::RunState::Running);
}

TEST_P(KvmStarts, what_would_start_does) {
  auto const image = root_.path + "/image";
  std::ofstream(image).close();
  std::filesystem::resize_file(image, 1474560);
  boost::json::value const path(boost::json::string_view{image});
  Parameters const started[] = {
      {{{"boot_order", "floppy"}, {"floppy_image_path", path}}, ""},
      {{{"boot_order", "floppy"}, {"floppy_image_path", path}, {"machine_version", "q35"}}, ""},
      {{{"boot_order", "cdrom"}, {"cdrom_image_path", path}, {"cdrom_disk_type", "scsi-cd"}}, ""},
      {{{"disk_type", "scsi-hd"}, {"cdrom_image_path", path}, {"cdrom2_image_path", path}}, ""},
      {{{"disk_type", "ide"}, {"cdrom_image_path", path}}, ""},
      {{{"machine_version", "q35"}}, ""},
      {{{"machine_version", "q35"}, {"disk_type", "ide"}}, ""},
      {{{"machine_version", "q35"}, {"use_guest_agent", true}}, ""},
      {{{"usb_devices", "host:ffff:ffff tablet"}}, ""},
      {{{"kvm_extra", "-device virtio-rng-pci -smbios 'type=1,serial=a b'"}}, ""},
      {{{"cpu_cores", 2}}, ""},
      {{{"disk_aio", "io_uring"}}, ""},
  };
  for (auto const& parameters : started) {
    auto const spec = with(parameters);
    auto const checked = hypervisor_->check(spec);
    EXPECT_TRUE(checked) << checked.error().message;
    auto const done = hypervisor_->start(spec, disk_paths_, false);
    EXPECT_TRUE(done) << done.error().message;
    stop("web1");
  }
}

TEST_P(KvmStarts, a_trial_leaves_no_file_and_no_process) {
  auto spec = with_disk();
  spec.hvparams["use_chroot"] = true;
  EXPECT_TRUE(hypervisor_->check(spec));
  EXPECT_FALSE(std::filesystem::exists(paths_.kvm()));
}

TEST_P(KvmStarts, a_long_vnc_password_is_told_of) {
  auto spec = with_disk();
  auto const file = root_.path + "/password";
  std::ofstream(file) << "12345678\n";
  spec.hvparams["vnc_bind_address"] = "127.0.0.1";
  spec.hvparams["vnc_password_file"] = boost::json::string_view(file);
  auto checked = hypervisor_->check(spec);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_THAT(checked->warnings, ::testing::IsEmpty());
  std::ofstream(file) << "123456789\n";
  checked = hypervisor_->check(spec);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_THAT(checked->warnings, ::testing::ElementsAre(HasSubstr("has 9 characters, of which")));
}

// A program that counts how often it is started.
TEST_P(KvmStarts, what_was_tried_once_is_not_tried_again_until_the_program_changes) {
  auto spec = with_disk();
  auto const program = root_.path + "/kvm";
  auto const count = root_.path + "/count";
  auto const install = [&](std::string const& more) {
    auto const text = fmt::format("#!/bin/sh\necho >> {}\n{}\nexec {} \"$@\"\n", count, more, qemu);
    ASSERT_TRUE(sys::write_file(program, text, 0755));
  };
  auto const starts = [&] { return std::ranges::count(sys::read_file(count).value_or(""), '\n'); };
  install("");
  spec.hvparams["kvm_path"] = boost::json::string_view(program);
  spec.hvparams["machine_version"] = "pc";
  ASSERT_TRUE(hypervisor_->check(spec));
  auto const once = starts();
  spec.name = "web2";
  spec.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
  ASSERT_TRUE(hypervisor_->check(spec));
  EXPECT_EQ(starts(), once);
  spec.disks.push_back(spec.disks[0]);
  spec.disks[1].disk.uuid = DiskId("aaaaaaaa-7a22-4067-a566-7e0ca8386133");
  ASSERT_TRUE(hypervisor_->check(spec));
  EXPECT_EQ(starts(), once + 1);
  install("echo it is broken now >&2; exit 1");
  auto const broken = hypervisor_->check(spec);
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("it is broken now"));
}

TEST_P(KvmStarts, why_a_start_failed_is_told_whole_and_each_time) {
  auto wrong = spec();
  wrong.hvparams["soundhw"] = "nosuch";
  auto const first = hypervisor_->start(wrong, {}, false);
  auto const second = hypervisor_->start(wrong, {}, false);
  ASSERT_FALSE(first);
  ASSERT_FALSE(second);
  EXPECT_THAT(first.error().message, HasSubstr("Unknown sound card name `nosuch'"));
  EXPECT_EQ(first.error().message, second.error().message);
}

// What QEMU says after it has become a daemon stands in its log.
TEST_P(KvmStarts, a_reason_in_the_log_is_told_each_time) {
  auto const program = root_.path + "/kvm";
  auto const script = fmt::format(
      "#!/bin/sh\ncase $* in *help*) exec {} \"$@\";; esac\n"
      "while [ \"$1\" != -D ]; do shift; done\n"
      "echo the disk is on fire > $2\nfor i in 1 2 3 4 5 6 7 8 9; do echo line $i >> $2; done\n"
      "echo a warning >&2\nexit 1\n",
      qemu);
  ASSERT_TRUE(sys::write_file(program, script, 0755));
  auto wrong = spec();
  wrong.hvparams["kvm_path"] = boost::json::string_view(program);
  for (int time = 0; time < 2; ++time) {
    auto const started = hypervisor_->start(wrong, {}, false);
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().message, HasSubstr("a warning"));
    EXPECT_THAT(started.error().message, HasSubstr("the disk is on fire"));
    EXPECT_THAT(started.error().message, HasSubstr("line 9"));
  }
}

INSTANTIATE_TEST_SUITE_P(Kvm, KvmStarts, ::testing::Values(model::HypervisorKind::Kvm),
                         [](auto const&) { return std::string("qemu"); });

INSTANTIATE_TEST_SUITE_P(Kvm, KvmTest, ::testing::Values(model::HypervisorKind::Kvm),
                         [](auto const&) { return std::string("qemu"); });

// --- The fake's misbehaviour

TEST(FakeHypervisor, misbehaves_as_it_is_told) {
  Root const root;
  Paths const paths(root.path);
  auto const fake = make_fake(paths);
  auto const spec = guest(model::HypervisorKind::Fake);
  auto const wish = paths.run() + "/fake-hypervisor/web1.";
  std::filesystem::create_directories(paths.run() + "/fake-hypervisor");
  std::ofstream(wish + "fail") << "the moon is full";
  EXPECT_EQ(fake->start(spec, {}, false).error().message, "the moon is full");
  std::filesystem::remove(wish + "fail");
  std::ofstream(wish + "die").close();
  EXPECT_TRUE(fake->start(spec, {}, false));
  EXPECT_TRUE(fake->list()->empty());
}

TEST(FakeHypervisor, a_silent_guest_lets_go_of_its_devices_later) {
  Root const root;
  Paths const paths(root.path);
  auto fake = make_fake(paths);
  auto const goes_on = [] { return true; };
  auto spec = guest(model::HypervisorKind::Fake);
  rpc::DiskSpec disk;
  disk.disk.uuid = DiskId("0d15c000-0000-4000-8000-000000000000");
  spec.disks = {disk};
  ASSERT_TRUE(fake->start(spec, {"/dev/null"}, false));
  auto without = spec;
  without.disks.clear();
  auto const silent = paths.run() + "/fake-hypervisor/web1.silent";
  std::ofstream(silent).close();
  EXPECT_THAT(fake->adjust(without, {}, goes_on).error().message,
              HasSubstr("web1 does not let go of disk 0"));
  ASSERT_TRUE(fake->adjust(spec, {"/dev/null"}, goes_on));  // it is undone
  EXPECT_FALSE(fake->lacking("web1"));
  EXPECT_THAT(fake->asked(), ::testing::ElementsAre("web1"));
  EXPECT_TRUE(fake->uses("web1", disk.disk.uuid));
  std::filesystem::remove(silent);
  fake = make_fake(paths);
  auto const lacking = fake->lacking("web1");
  ASSERT_TRUE(lacking);
  EXPECT_EQ(lacking->epoch, spec.epoch);
  ASSERT_EQ(lacking->disks.size(), 1U);
  EXPECT_TRUE(fake->uses("web1", disk.disk.uuid));
  ASSERT_TRUE(fake->adjust(*lacking, {"/dev/null"}, goes_on));
  EXPECT_TRUE(fake->asked().empty());
}

}  // namespace
}  // namespace flotte::node
