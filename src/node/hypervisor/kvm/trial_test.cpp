#include "node/hypervisor/kvm/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/params.h"

namespace flotte::node {
namespace {

using ::testing::HasSubstr;
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

TEST(KvmTrial, words_that_touch_nothing) {
  EXPECT_TRUE(kvm_is_harmless({}));
  EXPECT_TRUE(kvm_is_harmless({"-cpu", "host,+vmx", "-no-hpet", "-device", "virtio-rng-pci"}));
  EXPECT_TRUE(kvm_is_harmless({"-smbios", "type=1,serial=a b"}));
}

TEST(KvmTrial, words_that_touch_something) {
  using Words = std::vector<std::string>;
  for (auto const& words :
       {Words{"-drive", "file=/srv/x"}, Words{"-device", "vfio-pci,host=01:00.0"},
        Words{"-device", "usb-host,hostbus=1"}, Words{"-device", "ide-hd,drive=x"},
        Words{"-qmp", "tcp::1"}, Words{"-incoming", "defer"}, Words{"disk.img"}, Words{"-cpu"},
        Words{"-smbios", "file=/x"}, Words{"-netdev", "user,id=x"},
        Words{"-fw_cfg", "name=opt/x,file=x"}, Words{"-object", "x"}}) {
    EXPECT_FALSE(kvm_is_harmless(words)) << fmt::format("{}", fmt::join(words, " "));
  }
}

}  // namespace
}  // namespace flotte::node
