#include "node/hypervisor/kvm/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/params.h"

namespace flotte::node {
namespace {

namespace json = boost::json;

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view tree = "/var/run/ganeti/kvm-hypervisor";
constexpr std::string_view console_log = "/var/log/ganeti/kvm/vm1.example.org.console";

KvmFiles files() {
  auto const control = [](std::string_view suffix) {
    return fmt::format("{}/ctrl/vm1.example.org.{}", tree, suffix);
  };
  return {.pid = fmt::format("{}/pid/vm1.example.org", tree),
          .log = "/var/log/ganeti/kvm/vm1.example.org.log",
          .monitor = control("monitor"),
          .serial = control("serial"),
          .console_log = std::string(console_log),
          .qmp = control("qmp"),
          .kvmd = control("kvmd"),
          .guest_agent = control("qga"),
          .chroot = fmt::format("{}/chroot/vm1.example.org", tree)};
}

KvmMachine with_kvm() {
  return {.has_kvm = true, .has_default_kvm_path = true, .default_version = "<DEFAULT_MACHINE>"};
}

// The instance of the golden command lines below, which are what Ganeti makes of it.
rpc::InstanceSpec vm1() {
  rpc::InstanceSpec spec;
  spec.name = "vm1.example.org";
  spec.uuid = InstanceId("5f0c1a22-0000-4000-8000-000000000001");
  spec.hvparams = model::defaults(model::hypervisor_params(model::HypervisorKind::Kvm));
  spec.hvparams["kernel_path"] = "";
  spec.hvparams["vnc_bind_address"] = "127.0.0.1";
  spec.hvparams["cpu_type"] = "host";
  spec.hvparams["vhost_net"] = true;
  spec.beparams = model::defaults(model::backend_params());
  spec.beparams["maxmem"] = 500;
  spec.beparams["minmem"] = 500;
  spec.beparams["vcpus"] = 1;
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

std::vector<std::string> disk_links(rpc::InstanceSpec const& spec) {
  std::vector<std::string> links;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    links.push_back(fmt::format("/var/run/ganeti/instance-disks/{}:{}", spec.name, i));
  }
  return links;
}

// A tap and, with vhost_net, its companion for each NIC: 8 and 9, 10 and 11, ...
std::vector<KvmNicFds> descriptors(rpc::InstanceSpec const& spec) {
  std::vector<KvmNicFds> list;
  for (int fd = 8; list.size() < spec.nics.size(); fd += 2) {
    list.push_back({{fd}, {}});
    if (model::is_true(spec.hvparams, "vhost_net")) list.back().vhosts = {fd + 1};
  }
  return list;
}

Result<std::string> line(rpc::InstanceSpec const& spec, KvmMachine const& machine = with_kvm()) {
  auto const argv =
      TRY(kvm_command_line(spec, disk_links(spec), descriptors(spec), files(), machine));
  return fmt::format("{}", fmt::join(argv, " "));
}

std::string with(std::initializer_list<std::pair<std::string_view, json::value>> changes,
                 KvmMachine const& machine = with_kvm()) {
  auto spec = vm1();
  for (auto const& [name, value] : changes) spec.hvparams[name] = value;
  auto const made = line(spec, machine);
  return made ? *made : "ERROR " + made.error().message;
}

// As Ganeti would write it: without our own options at the end and the serial line's record, and
// with the sockets' old form.
std::string as_ganeti_writes(std::string text) {
  text.erase(text.find(" -S ") + 3);
  auto const record = fmt::format(",logfile={},logappend=on", console_log);
  if (auto const at = text.find(record); at != std::string::npos) text.erase(at, record.size());
  constexpr std::string_view ours = ",server=on,wait=off";
  for (auto at = text.find(ours); at != std::string::npos; at = text.find(ours)) {
    text.replace(at, ours.size(), ",server,nowait");
  }
  return text;
}

TEST(KvmCommandLine, equals_ganeti_s_for_a_plain_disk_and_vnc) {
  auto const made = line(vm1());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(
      as_ganeti_writes(*made),
      "/usr/bin/kvm -name vm1.example.org,debug-threads=on -m 500 -smp 1 -pidfile "
      "/var/run/ganeti/kvm-hypervisor/pid/vm1.example.org -device virtio-balloon -daemonize -D "
      "/var/log/ganeti/kvm/vm1.example.org.log -machine <DEFAULT_MACHINE> -monitor "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.monitor,server,nowait -serial "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.serial,server,nowait -usb "
      "-usbdevice tablet -vnc 127.0.0.1:5142 -cpu host -uuid "
      "5f0c1a22-0000-4000-8000-000000000001 -netdev "
      "type=tap,id=nic-003fc157-66a8-4e6d,fd=8,vhostfd=9,vhost=on -device "
      "virtio-net-pci,id=nic-003fc157-66a8-4e6d,bus=pci.0,addr=0xd,netdev=nic-003fc157-66a8-4e6d,"
      "mac=aa:00:00:12:34:56 -qmp "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.qmp,server,nowait -qmp "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.kvmd,server,nowait -device "
      "virtio-blk-pci,id=disk-932df160-7a22-4067,bus=pci.0,addr=0xc,drive=disk-932df160-7a22-4067,"
      "write-cache=on,bootindex=1 -blockdev "
      "driver=raw,node-name=disk-932df160-7a22-4067,discard=ignore,cache.direct=off,"
      "cache.no-flush=off,file.driver=host_device,file.filename=/var/run/ganeti/instance-disks/"
      "vm1.example.org:0,file.aio=threads,auto-read-only=off -S");
}

TEST(KvmCommandLine, equals_ganeti_s_for_scsi_native_and_four_queues) {
  auto spec = vm1();
  spec.hvparams["disk_type"] = "scsi-hd";
  spec.hvparams["disk_cache"] = "none";
  spec.hvparams["disk_aio"] = "native";
  spec.hvparams["disk_discard"] = "unmap";
  spec.hvparams["virtio_net_queues"] = 4;
  spec.disks.push_back(spec.disks[0]);
  spec.nics.push_back(spec.nics[0]);
  spec.nics[1].nic.mac = "aa:00:00:12:34:57";
  auto const made = line(spec);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(*made, HasSubstr(" -device lsi,id=scsi -device virtio-balloon "));
  auto const all = as_ganeti_writes(*made);
  EXPECT_EQ(
      all.substr(all.find("-netdev")),
      "-netdev type=tap,id=nic-003fc157-66a8-4e6d,fd=8,vhostfd=9,vhost=on -device "
      "virtio-net-pci,id=nic-003fc157-66a8-4e6d,bus=pci.0,addr=0xc,netdev=nic-003fc157-66a8-4e6d,"
      "mac=aa:00:00:12:34:56,mq=on,vectors=10 -netdev "
      "type=tap,id=nic-003fc157-66a8-4e6d,fd=10,vhostfd=11,vhost=on -device "
      "virtio-net-pci,id=nic-003fc157-66a8-4e6d,bus=pci.0,addr=0xd,netdev=nic-003fc157-66a8-4e6d,"
      "mac=aa:00:00:12:34:57,mq=on,vectors=10 -qmp "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.qmp,server,nowait -qmp "
      "unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.org.kvmd,server,nowait -device "
      "scsi-hd,id=disk-932df160-7a22-4067,bus=scsi.0,channel=0,scsi-id=0,lun=0,drive="
      "disk-932df160-7a22-4067,write-cache=on,bootindex=1 -blockdev "
      "driver=raw,node-name=disk-932df160-7a22-4067,discard=unmap,cache.direct=on,"
      "cache.no-flush=off,file.driver=host_device,file.filename=/var/run/ganeti/instance-disks/"
      "vm1.example.org:0,file.aio=native,auto-read-only=off -device "
      "scsi-hd,id=disk-932df160-7a22-4067,bus=scsi.0,channel=0,scsi-id=1,lun=0,drive="
      "disk-932df160-7a22-4067,write-cache=on -blockdev "
      "driver=raw,node-name=disk-932df160-7a22-4067,discard=unmap,cache.direct=on,"
      "cache.no-flush=off,file.driver=host_device,file.filename=/var/run/ganeti/instance-disks/"
      "vm1.example.org:1,file.aio=native,auto-read-only=off -S");
}

TEST(KvmCommandLine, a_cdrom_boot_takes_the_boot_index_from_the_disk) {
  auto const made = with({{"boot_order", "cdrom"}, {"cdrom_image_path", "/srv/iso/x.iso"}});
  EXPECT_THAT(made, HasSubstr("-blockdev driver=raw,cache.direct=off,cache.no-flush=on,"
                              "read-only=on,node-name=cdrom1,file.driver=file,file.filename="
                              "/srv/iso/x.iso -device virtio-blk-pci,drive=cdrom1,bootindex=1 "
                              "-monitor"));
  EXPECT_THAT(made, Not(HasSubstr("write-cache=on,bootindex")));
}

TEST(KvmCommandLine, our_own_options_stand_at_the_end) {
  auto machine = with_kvm();
  machine.run_as = "flotte-vm";
  EXPECT_THAT(with({}, machine), ::testing::EndsWith(" -S -runas flotte-vm -sandbox "
                                                     "on,obsolete=deny,resourcecontrol=deny"));
  EXPECT_THAT(with({{"security_model", "user"}, {"security_domain", "vmuser"}}, machine),
              HasSubstr(" -S -runas vmuser -sandbox "));
}

TEST(KvmCommandLine, without_kvm_qemu_itself_is_told_its_accelerator) {
  auto const machine = KvmMachine{.has_default_kvm_path = true};
  EXPECT_THAT(with({}, machine), ::testing::StartsWith("/usr/bin/qemu-system-x86_64 -name "));
  EXPECT_THAT(with({}, machine), HasSubstr("-machine pc,accel=tcg "));
  EXPECT_THAT(with({{"kvm_path", "/opt/qemu"}}, machine), ::testing::StartsWith("/opt/qemu "));
  EXPECT_THAT(with({{"kvm_path", "/opt/qemu"}}, machine), HasSubstr("-machine pc -"));
}

using Changes = std::vector<std::pair<std::string_view, json::value>>;

// What a parameter does to the command line: each stands in the table, so that none is ignored in
// silence.
struct Variant {
  std::string_view parameter;
  json::value value;
  std::string_view expected;  // a part of the command line, or of the error
  Changes with = {};          // what it needs to have an effect
};

std::string made_with(Changes changes) {
  auto spec = vm1();
  for (auto const& [name, value] : changes) spec.hvparams[name] = value;
  auto const made = line(spec);
  return made ? *made : "ERROR " + made.error().message;
}

Changes const kernel{{"kernel_path", "/boot/vmlinuz"}};
Changes const scsi{{"disk_type", "scsi-hd"}};
Changes const tls{{"vnc_tls", true}};
Changes const certificates{{"vnc_tls", true}, {"vnc_x509_path", "/etc/x509"}};
Changes const no_cache{{"disk_cache", "none"}};

Variant const variants[] = {
    {"acpi", false, "-machine <DEFAULT_MACHINE>,acpi=off "},
    {"boot_order", "network", "mac=aa:00:00:12:34:56,bootindex=1 "},
    {"boot_order", "cdrom", "drive=cdrom1,bootindex=1 ", {{"cdrom_image_path", "/x.iso"}}},
    {"boot_order",
     "floppy",
     " -device floppy,drive=floppy1 -global isa-fdc.bootindexA=1 ",
     {{"floppy_image_path", "/f.img"}}},
    {"cdrom2_image_path", "/y.iso", "node-name=cdrom2,file.driver=file,file.filename=/y.iso "},
    {"cdrom_disk_type", "ide", " -device ide-cd,drive=cdrom1 ", {{"cdrom_image_path", "/x.iso"}}},
    {"cdrom_disk_type",
     "scsi-cd",
     " -device scsi-cd,bus=scsi.0,scsi-id=6,drive=cdrom1 ",
     {{"cdrom_image_path", "/x.iso"}}},
    {"cdrom_disk_type", "scsi-cd", " -device lsi,id=scsi ", {{"cdrom_image_path", "/x.iso"}}},
    {"cdrom_image_path", "/x.iso", " -device scsi-cd,bus=scsi.0,scsi-id=6,drive=cdrom1 ", scsi},
    {"cdrom_image_path", "https://x.example/a,b.iso",
     "file.driver=https,file.url=https://x.example/a,,b.iso "},
    {"cdrom_image_path", "/srv/a,b://c", "file.driver=file,file.filename=/srv/a,,b://c "},
    {"cpu_cores", 2, " -smp 1,cores=2 "},
    {"cpu_sockets", 3, " -smp 1,sockets=3 "},
    {"cpu_threads", 4, " -smp 1,threads=4 "},
    {"cpu_type", "Haswell", " -cpu Haswell "},
    {"disk_aio", "native", ",file.aio=native,", no_cache},
    {"disk_aio", "io_uring", ",file.aio=io_uring,"},
    {"disk_cache", "writethrough", ",write-cache=off,bootindex=1 "},
    {"disk_cache", "none", ",cache.direct=on,cache.no-flush=off,"},
    {"disk_discard", "unmap", ",discard=unmap,"},
    {"disk_type", "ide", " -device ide-hd,id=disk-932df160-7a22-4067,drive="},
    {"floppy_image_path", "/f.img", " -device floppy,drive=floppy1 "},
    {"initrd_path", "/boot/initrd", " -initrd /boot/initrd ", kernel},
    {"kernel_args", "quiet", " -append root=/dev/vda1 quiet console=ttyS0,38400 ", kernel},
    {"kernel_path", "/boot/vmlinuz", " -kernel /boot/vmlinuz "},
    {"keymap", "de", " -k de -netdev "},
    {"kvm_extra", "-smbios 'type=1,serial=a b'", " -smbios type=1,serial=a b "},
    {"kvm_flag", "enabled", "-machine <DEFAULT_MACHINE>,accel=kvm "},
    {"kvm_flag", "disabled", "-machine <DEFAULT_MACHINE>,accel=tcg "},
    {"kvm_path", "/opt/qemu", "/opt/qemu -name "},
    {"kvm_pci_reservations", 20, "bus=pci.0,addr=0x14,drive="},
    {"machine_version", "pc-q35-7.2", "-machine pc-q35-7.2 -device pcie-pci-bridge,id=pci.0 "},
    {"machine_version", "q35", " -device isa-fdc ", {{"floppy_image_path", "/f.img"}}},
    {"mem_path", "/hugepages", " -mem-path /hugepages -mem-prealloc "},
    {"nic_type", "e1000", " -device e1000,netdev=netdev0,mac=aa:00:00:12:34:56 "},
    {"reboot_behavior", "exit", " -no-reboot "},
    {"root_path", "/dev/sda1", " -append root=/dev/sda1 ro ", kernel},
    {"scsi_controller_type", "virtio-scsi-pci", " -device virtio-scsi-pci,id=scsi ", scsi},
    {"security_domain", "vmuser", " -runas vmuser ", {{"security_model", "user"}}},
    {"security_model", "user", " -runas vmuser ", {{"security_domain", "vmuser"}}},
    {"serial_console", false, " -serial none "},
    {"serial_speed", 115200, " console=ttyS0,115200 ", kernel},
    {"soundhw", "hda", " -audio driver=none,model=hda,id=soundhw "},
    {"usb_devices", "host:1.4 tablet",
     " -device usb-host,hostbus=1,hostaddr=4 -usbdevice tablet -uuid "},
    {"usb_devices", "host:046d:c52b", " -device usb-host,vendorid=0x046d,productid=0xc52b -uuid "},
    {"usb_devices", "mouse,tablet", " -usbdevice mouse -usbdevice tablet -uuid "},
    {"usb_mouse", "mouse", " -usbdevice mouse "},
    {"use_chroot", true, " -chroot /var/run/ganeti/kvm-hypervisor/chroot/vm1.example.org "},
    {"use_guest_agent", true,
     "ctrl/vm1.example.org.qga,server=on,wait=off,id=qga0 -device "
     "virtio-serial,id=qga0,bus=pci.0,addr=0xc "},
    {"usb_devices", "disk:/a", "ERROR usb_devices: 'disk:/a' is none of tablet, mouse"},
    {"usb_devices", "host:1.4.2", "ERROR usb_devices: 'host:1.4.2' is none of"},
    {"usb_devices", "host:046d", "ERROR usb_devices: 'host:046d' is none of"},
    {"use_localtime", true, " -rtc base=localtime "},
    {"vga", "std", " -cpu host -vga std -uuid "},
    {"vnc_bind_address", "0.0.0.0", " -vnc :5142 "},
    {"vnc_bind_address", "::1", " -vnc [::1]:5142 "},
    {"vnc_bind_address", "/run/vnc", " -vnc unix:/run/vnc/vm1.example.org.vnc "},
    {"vnc_bind_address", "", " -usb -display none "},
    {"vnc_password_file", "/etc/secret", " -vnc 127.0.0.1:5142,password=on "},
    {"vnc_tls", true,
     " -object tls-creds-anon,id=vnctls0,endpoint=server -vnc 127.0.0.1:5142,tls-creds=vnctls0 "},
    {"vnc_x509_path", "/etc/x509",
     " -object tls-creds-x509,id=vnctls0,endpoint=server,dir=/etc/x509,verify-peer=no -vnc ", tls},
    {"vnc_x509_verify", true, ",dir=/etc/x509,verify-peer=yes -vnc ", certificates},
    // Refused by name.
    {"cdrom_disk_type", "lsi", "ERROR Hypervisor parameter 'cdrom_disk_type=lsi' is not built yet"},
    {"cpu_mask", "0:1:2", "ERROR Number of vCPUs [1] does not match the CPU mask [0:1:2]"},
    {"cpu_mask", "0-x",
     "ERROR Parameter 'cpu_mask' fails syntax check: Multiple CPU mask definition is not"},
    {"disk_type", "mtd", "ERROR Hypervisor parameter 'disk_type=mtd' is not built yet"},
    {"migration_caps", "xbzrle", "ERROR Hypervisor parameter 'migration_caps' is not built yet"},
    {"security_domain", "me", "ERROR Cannot have a security domain when"},
    {"security_model", "pool", "ERROR Hypervisor parameter 'security_model=pool' is not built yet"},
    {"serial_speed", 12345, "ERROR Invalid serial console speed, must be one of: 75, 110"},
    {"spice_bind", "127.0.0.1", "ERROR Hypervisor parameter 'spice_bind' (SPICE) is not built yet"},
    {"spice_image_compression", "off", "ERROR SPICE: spice_image_compression requires spice_bind"},
    {"spice_ip_version", 4, "ERROR SPICE: spice_ip_version requires spice_bind"},
    {"spice_jpeg_wan_compression", "auto", "ERROR SPICE: spice_jpeg_wan_compression requires"},
    {"spice_password_file", "/x", "ERROR SPICE: spice_password_file requires spice_bind"},
    {"spice_streaming_video", "all", "ERROR SPICE: spice_streaming_video requires spice_bind"},
    {"spice_use_tls", true, "ERROR SPICE: spice_use_tls requires spice_bind"},
    {"spice_zlib_glz_wan_compression", "auto", "ERROR SPICE: spice_zlib_glz_wan_compression re"},
    {"user_shutdown", true, "-no-shutdown"},
    {"vnc_x509_verify", true, "ERROR vnc_x509_path must be defined, if vnc_x509_verify is", tls},
};

// Those whose effect is elsewhere, and where.
std::pair<std::string_view, std::string_view> const elsewhere[] = {
    {"cpu_mask", "the affinity of QEMU's threads, once it runs"},
    {"migration_bandwidth", "a migration"},
    {"migration_downtime", "a migration"},
    {"migration_mode", "a migration"},
    {"migration_port", "a migration"},
    {"spice_playback_compression", "SPICE, which spice_bind asks for"},
    {"spice_tls_ciphers", "SPICE, which spice_bind asks for"},
    {"spice_use_vdagent", "SPICE, which spice_bind asks for"},
    {"vhost_net", "the descriptors that come with the taps"},
    {"virtio_net_queues", "the number of descriptors that come with the taps"},
    {"vnet_hdr", "a flag of the taps"},
};

TEST(KvmCommandLine, has_what_each_parameter_asks_for) {
  for (auto const& variant : variants) {
    auto changes = variant.with;
    auto const without = made_with(changes);
    changes.emplace_back(variant.parameter, variant.value);
    auto const made = made_with(std::move(changes));
    EXPECT_THAT(made, HasSubstr(variant.expected)) << variant.parameter;
    EXPECT_NE(made, without) << variant.parameter;
  }
}

TEST(KvmCommandLine, every_parameter_stands_in_a_table) {
  for (auto const& param : model::hypervisor_params(model::HypervisorKind::Kvm)) {
    EXPECT_TRUE(std::ranges::find(variants, param.name, &Variant::parameter) !=
                    std::end(variants) ||
                std::ranges::any_of(elsewhere,
                                    [&](auto const& other) { return other.first == param.name; }))
        << param.name;
  }
}

TEST(KvmCommandLine, vhost_net_and_queues_are_descriptors) {
  EXPECT_THAT(with({{"vhost_net", false}}), HasSubstr(",fd=8 -device virtio-net-pci"));
}

TEST(KvmCommandLine, a_kernel_gets_root_arguments_and_console) {
  EXPECT_THAT(with({{"kernel_path", "/boot/vmlinuz"}, {"initrd_path", "/boot/initrd"}}),
              HasSubstr("-kernel /boot/vmlinuz -initrd /boot/initrd -append root=/dev/vda1 ro "
                        "console=ttyS0,38400 -monitor"));
  EXPECT_THAT(with({{"kernel_path", "/boot/vmlinuz"}}), Not(HasSubstr("bootindex")));
}

TEST(KvmCommandLine, refuses_what_makes_no_sense) {
  EXPECT_EQ(with({{"kvm_extra", "-x 'open"}}), "ERROR kvm_extra: a quote ' is not closed");
  EXPECT_THAT(with({{"disk_aio", "native"}}), HasSubstr("When 'disk_aio' is set to 'native'"));
  EXPECT_EQ(with({{"boot_order", "cdrom"}}),
            "ERROR Cannot boot from cdrom without an ISO path; set cdrom_image_path");
  EXPECT_EQ(with({{"kvm_extra", "-x \\"}}), "ERROR kvm_extra: it ends with a backslash");
  EXPECT_THAT(with({{"kvm_pci_reservations", 32}}),
              HasSubstr("of which kvm_pci_reservations keeps 32"));
  EXPECT_THAT(with({{"kvm_pci_reservations", 31}}), HasSubstr("ERROR 1 disks and 1 NICs need"));
  EXPECT_THAT(with({{"kernel_path", "/boot/vmlinuz"}, {"root_path", ""}}),
              HasSubstr("ERROR Need a root partition"));
}

TEST(KvmCommandLine, scsi_disks_leave_the_drives_of_cds_their_numbers) {
  auto spec = vm1();
  spec.hvparams["disk_type"] = "scsi-hd";
  spec.hvparams["cdrom_image_path"] = "/x.iso";
  spec.disks.resize(7, spec.disks[0]);
  auto const devices = kvm_devices(spec);
  ASSERT_TRUE(devices) << devices.error().message;
  std::vector<std::int64_t> ids;
  for (auto const& place : devices->disks) ids.push_back(place.at("scsi-id").as_int64());
  EXPECT_THAT(ids, testing::ElementsAre(0, 1, 2, 3, 4, 7, 8));
}

TEST(KvmCommandLine, a_guest_without_disks_and_nics_has_none) {
  auto spec = vm1();
  spec.disks.clear();
  spec.nics.clear();
  auto const made = line(spec);
  ASSERT_TRUE(made);
  EXPECT_THAT(*made, HasSubstr(" -net none "));
  EXPECT_THAT(*made, Not(HasSubstr("-blockdev")));
}

}  // namespace
}  // namespace flotte::node
