#include "node/hypervisor/kvm/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "model/params.h"
#include "node/hypervisor/hypervisor.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

rpc::InstanceSpec guest() {
  rpc::InstanceSpec spec;
  spec.name = "web1";
  spec.uuid = InstanceId("11111111-0000-4000-8000-000000000000");
  spec.hvparams = model::defaults(model::hypervisor_params(model::HypervisorKind::Kvm));
  spec.hvparams["kernel_path"] = "";
  spec.hvparams["vnc_bind_address"] = "192.0.2.7";
  spec.hvparams["vnc_password_file"] = "/etc/secret";
  spec.hvparams["use_guest_agent"] = true;
  spec.hvparams["use_chroot"] = true;
  spec.hvparams["mem_path"] = "/dev/hugepages";
  spec.hvparams["cdrom_image_path"] = "/srv/x.iso";
  spec.hvparams["usb_devices"] = "host:046d:c52b";
  spec.beparams = model::defaults(model::backend_params());
  spec.beparams["maxmem"] = 1 << 20;
  spec.network_port = 11042;
  rpc::DiskSpec disk;
  disk.disk.uuid = DiskId("932df160-7a22-4067-a566-7e0ca8386133");
  spec.disks = {disk};
  rpc::NicSpec nic;
  nic.nic.uuid = NicId("003fc157-66a8-4e6d-8b7e-ec4f69751396");
  nic.nic.mac = "aa:00:00:12:34:56";
  spec.nics = {nic};
  return spec;
}

std::string trial_of(rpc::InstanceSpec const& spec) {
  auto const argv =
      kvm_command_line(spec, {"/srv/precious"}, {{{8}, {}}},
                       {"/run/pid", "/log", "/run/monitor", "/run/serial", "/log/console",
                        "/run/qmp", "/run/kvmd", "/run/agent", "/run/chroot"},
                       {.default_version = "pc"});
  EXPECT_TRUE(argv);
  return fmt::format("{}", fmt::join(kvm_harmless(*argv), " "));
}

TEST(KvmTrial, nothing_of_the_node_is_behind_its_devices) {
  auto const words = trial_of(guest());
  for (auto const* touched : {"/srv/", "/run/", "/log", "192.0.2.7", "fd=8", "-daemonize",
                              "hugepages", "046d", "host_device", "-chroot", "prealloc"}) {
    EXPECT_THAT(words, Not(HasSubstr(touched)));
  }
}

TEST(KvmTrial, the_devices_are_as_they_will_be) {
  auto const words = trial_of(guest());
  EXPECT_THAT(words, HasSubstr(" -vnc none,password=on "));
  EXPECT_THAT(words, HasSubstr(" -serial null "));
  EXPECT_THAT(words, HasSubstr(" -device virtio-blk-pci,drive=cdrom1 "));
  EXPECT_THAT(words, HasSubstr("driver=raw,node-name=cdrom1,read-only=on,file.driver=null-co"));
  EXPECT_THAT(words, HasSubstr(" -chardev null,id=qga0 "));
  EXPECT_THAT(words, HasSubstr(" -netdev hubport,hubid=0,id=nic-003fc157-66a8-4e6d "));
  EXPECT_THAT(words, HasSubstr(" -device usb-host,vendorid=0xffff,productid=0xffff "));
  EXPECT_THAT(words, HasSubstr(",drive=disk-932df160-7a22-4067,write-cache=on,bootindex=1 "));
  EXPECT_THAT(words, HasSubstr(" -S "));
}

TEST(KvmTrial, the_kernel_is_asked_for_its_way_to_read_where_it_may_have_none) {
  auto spec = guest();
  spec.hvparams["disk_aio"] = "io_uring";
  EXPECT_THAT(trial_of(spec),
              HasSubstr("file.filename=/dev/null,file.locking=off,file.aio=io_uring"));
}

TEST(KvmTrial, guests_of_one_shape_are_one) {
  auto one = guest();
  auto other = guest();
  other.name = "web2";
  other.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
  other.network_port = 11043;
  other.nics[0].nic.mac = "aa:00:00:99:99:99";
  other.nics[0].nic.uuid = NicId("99999999-66a8-4e6d-8b7e-ec4f69751396");
  other.disks[0].disk.uuid = DiskId("99999999-7a22-4067-a566-7e0ca8386133");
  other.beparams["maxmem"] = 2 << 20;
  EXPECT_EQ(trial_of(kvm_shape(one)), trial_of(kvm_shape(other)));
  other.beparams["vcpus"] = 2;
  EXPECT_NE(trial_of(kvm_shape(one)), trial_of(kvm_shape(other)));
}

using Words = std::vector<std::string>;

TEST(KvmTrial, words_that_touch_nothing) {
  for (auto const& words :
       {Words{}, Words{"-cpu", "host,+vmx,hv-vendor-id=x,level=0xd", "-no-hpet"},
        Words{"-device", "virtio-rng-pci"}, Words{"-device", "nosuch"},
        Words{"-device", "usb-tablet,id=tablet1,bus=usb.0,port=1"},
        Words{"-device", "virtio-net-pci,mac=aa:00:00:00:00:01,addr=0x5.0x1,mq=on"},
        Words{"-device", "ide-hd,serial=a/b"}, Words{"-smbios", "type=1,serial=a b,,file=/x"},
        Words{"-fw_cfg", "name=opt/org.example/x,string=a=b"},
        Words{"-global", "ICH9-LPC.disable_s3=1"}, Words{"-M", "q35,hpet=off,kernel_irqchip=split"},
        Words{"-rtc", "base=2026-01-01T00:00:00,driftfix=slew"}, Words{"-boot", "order=dc,menu=on"},
        Words{"-name", "guest=x,process=y"}, Words{"-usbdevice", "tablet", "-k", "de"},
        Words{"-sandbox", "on,spawn=deny"}, Words{"-overcommit", "cpu-pm=on"}}) {
    EXPECT_TRUE(kvm_is_harmless(words)) << fmt::format("{}", fmt::join(words, " "));
  }
}

TEST(KvmTrial, words_that_touch_something) {
  for (auto const& words :
       {Words{"-drive", "file=/srv/x"}, Words{"-device", "vfio-pci,host=01:00.0"},
        Words{"-device", "usb-host,hostbus=1"}, Words{"-device", "ide-hd,drive=x"},
        Words{"-qmp", "tcp::1"}, Words{"-incoming", "defer"}, Words{"disk.img"}, Words{"-cpu"},
        Words{"-smbios", "file=/x"}, Words{"-netdev", "user,id=x"},
        Words{"-fw_cfg", "name=opt/x,file=x"}, Words{"-object", "x"}}) {
    EXPECT_FALSE(kvm_is_harmless(words)) << fmt::format("{}", fmt::join(words, " "));
  }
}

TEST(KvmTrial, words_that_touch_something_in_another_syntax) {
  for (auto const& words :
       {Words{"-device", R"({"driver":"vhost-vsock-pci","guest-cid":3})"},
        Words{"-device", R"({"driver":"vfio-pci","host":"01:00.0"})"},
        Words{"-device", R"({"driver":"virtio-rng-pci"})"},
        Words{"-blockdev", R"({"driver":"file","filename":"x","node-name":"x"})"},
        Words{"-object", R"({"qom-type":"rng-random","id":"x"})"},
        Words{"-netdev", R"({"type":"tap","id":"x"})"}, Words{"-chardev", "socket,id=x,port=1"},
        Words{"--device", "vfio-pci,host=01:00.0"}, Words{"-device=usb-host,hostbus=1"},
        // The driver need not come first, nor stand alone.
        Words{"-device", "driver=usb-host,hostbus=1"},
        Words{"-device", "guest-cid=3,driver=vhost-vsock-pci"},
        Words{"-device", "virtio-rng-pci,driver=vhost-vsock-pci"},
        // What opens something unless it is told what.
        Words{"-device", "AC97"}, Words{"-device", "hda-duplex"}, Words{"-device", "u2f-passthru"},
        Words{"-device", "virtio-vga-gl"}, Words{"-usbdevice", "braille"},
        // Files without a slash: they are looked for in the directory that QEMU is started in.
        Words{"-device", "usb-tablet,pcap=x"}, Words{"-device", "usb-tablet,pcap=1"},
        Words{"-device", "cxl-upstream,cdat=x"}, Words{"-device", "usb-mtp,rootdir=srv"},
        Words{"-machine", "pc,dumpdtb=x"}, Words{"-machine", "pc,kernel=vmlinuz"},
        Words{"-machine", "pc,memory-backend=m"}, Words{"-boot", "splash=x"},
        Words{"-smbios", "type=11,path=x"}, Words{"-global", "usb-tablet.pcap=x"},
        Words{"-global", "driver=usb-tablet,property=pcap,value=x"},
        Words{"-icount", "shift=7,rr=record,rrfile=x"}, Words{"-icount", "shift=7,rrfile=1"},
        Words{"-device", "x-pci-proxy-dev,fd=3"}, Words{"-fw_cfg", "opt/x,gen_id=y"},
        // Memory that a trial would hold.
        Words{"-overcommit", "mem-lock=on"}, Words{"-overcommit", "mem-lock"},
        // What looks like an option is none, and not ours to leave out.
        Words{"-name", "-qmp"}}) {
    EXPECT_FALSE(kvm_is_harmless(words)) << fmt::format("{}", fmt::join(words, " "));
  }
}

TEST(KvmTrial, a_name_with_commas_is_no_address) {
  auto spec = guest();
  spec.hvparams["cdrom_image_path"] = "/srv/x,file.url=http://192.0.2.9/x";
  EXPECT_THAT(trial_of(spec), Not(HasSubstr("192.0.2.9")));
}

TEST(KvmTrial, a_braille_display_is_the_nodes) {
  auto spec = guest();
  spec.hvparams["usb_devices"] = "braille mouse";
  EXPECT_THAT(trial_of(spec), HasSubstr(" -usbdevice mouse "));
  EXPECT_THAT(trial_of(spec), Not(HasSubstr("braille")));
}

// --- A QEMU that takes its time

// Goes on when it is told to.
class HandClock final : public SystemClock {
 public:
  Instant now() override { return now_.load(); }
  void sleep_until(Instant when) override { now_ = when; }

 private:
  std::atomic<Instant> now_ = Instant(1h);
};

bool has(sys::Command const& command, std::string_view word) {
  return std::ranges::find(command.argv, word) != command.argv.end();
}

// Answers as QEMU does, after as long as a test says that each program takes.
class SlowQemu final : public sys::Processes {
 public:
  explicit SlowQemu(Clock& clock) : clock_(clock) {}

  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    if (on_run) on_run(command);
    auto const takes = has(command, "help")          ? version_takes
                       : has(command, "-flotte-end") ? words_take
                                                     : trial_takes;
    {
      std::lock_guard const guard(mutex_);
      given.push_back(command.timeout);
    }
    clock_.sleep_for(std::min<Duration>(takes, command.timeout));
    if (takes > command.timeout) return sys::Finished{.exit_status = 143, .timed_out = true};
    if (has(command, "help")) return sys::Finished{.output = "pc-i440fx-7.2  A PC (default)\n"};
    if (has(command, "-flotte-end")) {
      return sys::Finished{.exit_status = 1, .errors = "kvm: -flotte-end: invalid option"};
    }
    constexpr std::string_view greeting = "{\"QMP\": {\"version\": {}}}\n";
    EXPECT_EQ(::send(command.keep_fds.back(), greeting.data(), greeting.size(), 0),
              std::ssize(greeting));
    return sys::Finished{};
  }

  Duration version_takes{};
  Duration words_take{};
  Duration trial_takes{};
  std::vector<std::chrono::seconds> given;
  std::function<void(sys::Command const&)> on_run;

 private:
  Clock& clock_;
  std::mutex mutex_;
};

class KvmTrialTime : public ::testing::Test {
 protected:
  KvmTrialTime() {
    std::filesystem::create_directories(paths_.etc());
    std::ofstream(paths_.allowed_programs_file()) << "/bin/true\n/bin/false\n";
  }
  ~KvmTrialTime() override { std::filesystem::remove_all(paths_.root()); }

  static std::string new_directory() {
    auto pattern = ::testing::TempDir() + "/flotte-trial-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  // One whose trial is three programs.
  static rpc::InstanceSpec with_words() {
    rpc::InstanceSpec spec;
    spec.name = "web1";
    spec.hvparams = model::defaults(model::hypervisor_params(model::HypervisorKind::Kvm));
    spec.hvparams["kernel_path"] = "";
    spec.hvparams["kvm_path"] = "/bin/true";
    spec.hvparams["kvm_extra"] = "-drive file=/x";
    spec.beparams = model::defaults(model::backend_params());
    return spec;
  }
  // What is warned of.
  std::vector<std::string> check(rpc::InstanceSpec const& spec) {
    auto checked = kvm_->check(spec);
    if (checked) return checked->warnings;
    ADD_FAILURE() << checked.error().message;
    return {};
  }

  Paths paths_{new_directory()};
  HandClock clock_;
  SlowQemu qemu_{clock_};
  std::unique_ptr<Hypervisor> kvm_ = make_kvm(paths_, clock_, qemu_);
};

TEST_F(KvmTrialTime, is_one_for_all_programs) {
  qemu_.version_takes = 5s;
  qemu_.words_take = 6s;
  qemu_.trial_takes = 7s;
  EXPECT_THAT(check(with_words()), IsEmpty());
  EXPECT_THAT(qemu_.given, ElementsAre(20s, 15s, 9s));
}

TEST_F(KvmTrialTime, that_is_over_refuses_nothing_and_is_told_of) {
  auto const cannot_tell = ElementsAre(HasSubstr("Can't tell whether it would start: /bin/true"));
  // Whichever of them it is that hangs; none is asked afterwards.
  for (auto* takes : {&qemu_.trial_takes, &qemu_.words_take, &qemu_.version_takes}) {
    *takes = 1h;
    qemu_.given.clear();
    EXPECT_THAT(check(with_words()), cannot_tell);
    *takes = 0s;
    // What can't be told isn't known the next time.
    EXPECT_THAT(check(with_words()), IsEmpty());
    kvm_ = make_kvm(paths_, clock_, qemu_);
  }
  // Together they take too long, each by itself does not.
  qemu_.version_takes = 8s;
  qemu_.words_take = 8s;
  qemu_.trial_takes = 8s;
  qemu_.given.clear();
  EXPECT_THAT(check(with_words()), cannot_tell);
  EXPECT_THAT(qemu_.given, ElementsAre(20s, 12s, 4s));
  kvm_ = make_kvm(paths_, clock_, qemu_);
  qemu_.version_takes = 20s;
  qemu_.given.clear();
  EXPECT_THAT(check(with_words()), cannot_tell);
  EXPECT_THAT(qemu_.given, ElementsAre(20s));
}

TEST_F(KvmTrialTime, of_a_program_that_hangs_is_nobody_elses) {
  std::promise<void> hangs;
  std::promise<void> other_is_told;
  auto told = other_is_told.get_future();
  std::atomic<bool> has_hung = false;
  qemu_.on_run = [&](sys::Command const& command) {
    if (command.argv[0] != "/bin/true" || has_hung.exchange(true)) return;
    hangs.set_value();
    EXPECT_EQ(told.wait_for(10s), std::future_status::ready) << "the other waits for this one";
  };
  std::thread one([&] { EXPECT_THAT(check(with_words()), IsEmpty()); });
  hangs.get_future().wait();
  auto other = with_words();
  other.hvparams["kvm_path"] = "/bin/false";
  EXPECT_THAT(check(other), IsEmpty());
  other_is_told.set_value();
  one.join();
}

}  // namespace
}  // namespace flotte::node
