#include "node/hypervisor/kvm/command_line.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

#include "model/disk_templates.h"
#include "model/hypervisor_rules.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using model::is_true;
using model::number_of;
using model::text_of;

constexpr std::string_view default_kvm_path = "/usr/bin/kvm";
constexpr std::string_view qemu_path = "/usr/bin/qemu-system-x86_64";

bool is_scsi(std::string_view disk_type) {
  return disk_type.starts_with("scsi-");
}

// Of CD drives; without a word of its own that of the disks.
std::string cdrom_type(json::object const& hv) {
  auto const type = text_of(hv, "cdrom_disk_type");
  if (!type.empty()) return type;
  auto const of_disks = text_of(hv, "disk_type");
  return of_disks == "scsi-hd" ? "scsi-cd" : of_disks;
}

bool has_scsi_cdrom(json::object const& hv) {
  auto const has_image =
      !text_of(hv, "cdrom_image_path").empty() || !text_of(hv, "cdrom2_image_path").empty();
  return has_image && cdrom_type(hv) == "scsi-cd";
}

bool is_q35(std::string_view machine_version) {
  return machine_version.starts_with("q35") || machine_version.starts_with("pc-q35");
}

// "virtio-blk-pci,id=...,bus=pci.0,addr=0xc"
std::string rendered(json::object const& device) {
  std::string text;
  for (auto const& [name, value] : device) {
    auto const plain = value.is_string() ? std::string(std::string_view(value.get_string()))
                                         : json::serialize(value);
    text += name == "driver" ? plain : fmt::format(",{}={}", std::string_view(name), plain);
  }
  return text;
}

std::string joined(std::string_view one, std::string_view many, std::vector<int> const& fds) {
  return fmt::format("{}={}", fds.size() > 1 ? many : one, fmt::join(fds, ":"));
}

// A comma in a QEMU option's value is doubled.
std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    out += c;
    if (c == ',') out += ',';
  }
  return out;
}

std::string unix_socket(std::string const& path) {
  return fmt::format("unix:{},server=on,wait=off", escaped(path));
}

class CommandLine {
 public:
  CommandLine(rpc::InstanceSpec const& spec, KvmFiles const& files, KvmMachine const& machine)
      : spec_(spec), hv_(spec.hvparams), files_(files), machine_(machine) {}

  Result<std::vector<std::string>> make(std::vector<std::string> const& disk_paths,
                                        std::vector<KvmNicFds> const& nic_fds) {
    TRY(model::check_start(model::HypervisorKind::Kvm, hv_, spec_.beparams));
    devices_ = TRY(kvm_devices(spec_));
    TRY(head());
    TRY(cdroms());
    floppy();
    TRY(kernel());
    if (auto const path = text_of(hv_, "mem_path"); !path.empty()) {
      add("-mem-path", path, "-mem-prealloc");
    }
    consoles();
    TRY(display());
    TRY(identity());
    if (is_true(hv_, "use_guest_agent")) guest_agent();
    for (auto const& word : TRY(model::parse_kvm_extra(text_of(hv_, "kvm_extra")))) add(word);
    if (auto const keymap = text_of(hv_, "keymap"); !keymap.empty()) add("-k", keymap);
    nics(nic_fds);
    add("-qmp", unix_socket(files_.qmp));
    add("-qmp", unix_socket(files_.kvmd));
    disks(disk_paths);
    add("-S");
    own();
    return std::move(argv_);
  }

 private:
  template <class... Args>
  void add(Args&&... args) {
    (argv_.push_back(std::string(std::forward<Args>(args))), ...);
  }

  Result<void> head() {
    auto const binary = kvm_binary(hv_, machine_);
    auto const is_upstream = binary != qemu_path;
    add(binary);
    add("-name", spec_.name + ",debug-threads=on");
    add("-m", std::to_string(number_of(spec_.beparams, "maxmem")));
    add("-smp", smp());
    add("-pidfile", files_.pid);
    if (is_scsi(text_of(hv_, "disk_type")) || has_scsi_cdrom(hv_)) {
      add("-device", text_of(hv_, "scsi_controller_type") + ",id=scsi");
    }
    add("-device", "virtio-balloon");
    add("-daemonize");
    add("-D", files_.log);
    auto machine = text_of(hv_, "machine_version");
    if (machine.empty()) machine = machine_.default_version;
    auto const has_pcie = is_q35(machine);
    if (!is_true(hv_, "acpi")) machine += ",acpi=off";
    auto const flag = text_of(hv_, "kvm_flag");
    if (flag == "enabled" || (flag.empty() && !is_upstream && machine_.has_kvm)) {
      machine += ",accel=kvm";
    } else if (flag == "disabled" || !is_upstream) {
      machine += ",accel=tcg";
    }
    add("-machine", machine);
    // Nothing can be plugged into the root of PCI Express: devices are where they are on a PC, on a
    // bus of that name.
    if (has_pcie) add("-device", fmt::format("pcie-pci-bridge,id={}", kvm_pci_bus));
    has_floppy_controller_ = !has_pcie;
    if (text_of(hv_, "reboot_behavior") == "exit") add("-no-reboot");
    if (is_true(hv_, "user_shutdown")) add("-no-shutdown");
    return {};
  }

  std::string smp() const {
    auto smp = std::to_string(number_of(spec_.beparams, "vcpus"));
    for (auto const& [name, option] :
         {std::pair{"cpu_cores", "cores"}, std::pair{"cpu_threads", "threads"},
          std::pair{"cpu_sockets", "sockets"}}) {
      if (auto const count = number_of(hv_, name); count > 0) {
        smp += fmt::format(",{}={}", option, count);
      }
    }
    return smp;
  }

  bool boots_from(std::string_view what) const {
    return text_of(hv_, "kernel_path").empty() && text_of(hv_, "boot_order") == what;
  }

  Result<void> cdroms() {
    auto const type = cdrom_type(hv_);
    int number = 0;
    for (auto const* name : {"cdrom_image_path", "cdrom2_image_path"}) {
      ++number;
      auto const image = text_of(hv_, name);
      if (image.empty()) continue;
      auto const node = fmt::format("cdrom{}", number);
      auto const file = kvm_is_url(image)
                            ? fmt::format("file.driver={},file.url={}",
                                          image.substr(0, image.find(':')), escaped(image))
                            : fmt::format("file.driver=file,file.filename={}", escaped(image));
      add("-blockdev", fmt::format("driver=raw,cache.direct=off,cache.no-flush=on,read-only=on,"
                                   "node-name={},{}",
                                   node, file));
      auto const device =
          type == "paravirtual" ? std::string("virtio-blk-pci")
          : type == "ide"       ? "ide-cd"
          : type == "scsi-cd"
              ? fmt::format("scsi-cd,bus=scsi.0,scsi-id={}",
                            kvm_cdrom_scsi_ids[static_cast<std::size_t>(number - 1)])
              : "";
      if (device.empty()) {
        return fail(ErrorCode::WrongInput, "CD drives of type '{}' are not built yet", type);
      }
      add("-device", fmt::format("{},drive={}{}", device, node,
                                 boots_from("cdrom") && number == 1 ? ",bootindex=1" : ""));
    }
    return {};
  }

  // It is its controller that has a place in the order.
  void floppy() {
    auto const image = text_of(hv_, "floppy_image_path");
    if (image.empty()) return;
    if (!has_floppy_controller_) add("-device", "isa-fdc");
    add("-blockdev", fmt::format("driver=raw,node-name=floppy1,file.driver=file,file.filename={}",
                                 escaped(image)));
    add("-device", "floppy,drive=floppy1");
    if (boots_from("floppy")) add("-global", "isa-fdc.bootindexA=1");
  }

  Result<void> kernel() {
    auto const path = text_of(hv_, "kernel_path");
    if (path.empty()) return {};
    add("-kernel", path);
    if (auto const initrd = text_of(hv_, "initrd_path"); !initrd.empty()) add("-initrd", initrd);
    auto append = fmt::format("root={} {}", text_of(hv_, "root_path"), text_of(hv_, "kernel_args"));
    if (is_true(hv_, "serial_console")) {
      append += fmt::format(" console=ttyS0,{}", number_of(hv_, "serial_speed"));
    }
    add("-append", append);
    return {};
  }

  void consoles() {
    add("-monitor", unix_socket(files_.monitor));
    add("-serial", is_true(hv_, "serial_console")
                       ? fmt::format("{},logfile={},logappend=on", unix_socket(files_.serial),
                                     escaped(files_.console_log))
                       : "none");
    add("-usb");
  }

  Result<void> display() {
    auto const mouse = text_of(hv_, "usb_mouse");
    auto const address = text_of(hv_, "vnc_bind_address");
    if (!mouse.empty()) {
      add("-usbdevice", mouse);
    } else if (!address.empty()) {
      add("-usbdevice", "tablet");
    }
    if (address.empty()) {
      add("-display", "none");
    } else if (address.front() == '/') {
      add("-vnc",
          fmt::format("unix:{}{}", escaped(kvm_vnc_socket(address, spec_.name)), vnc_options()));
    } else {
      if (!spec_.network_port) {
        return fail(ErrorCode::WrongState, "Instance {} has no network port for VNC", spec_.name);
      }
      constexpr std::int64_t vnc_base_port = 5900;
      auto const is_any = address == "0.0.0.0";
      auto const is_v6 = address.find(':') != std::string::npos;
      add("-vnc", fmt::format("{}:{}",
                              is_any  ? ""
                              : is_v6 ? "[" + address + "]"
                                      : address,
                              *spec_.network_port - vnc_base_port) +
                      vnc_options());
    }
    return {};
  }

  // How VNC's clients are let in. Their password comes by QMP: it must not stand here.
  std::string vnc_options() {
    std::string options;
    if (is_true(hv_, "vnc_tls")) {
      auto const certificates = text_of(hv_, "vnc_x509_path");
      add("-object",
          certificates.empty()
              ? "tls-creds-anon,id=vnctls0,endpoint=server"
              : fmt::format("tls-creds-x509,id=vnctls0,endpoint=server,dir={},verify-peer={}",
                            escaped(certificates), is_true(hv_, "vnc_x509_verify") ? "yes" : "no"));
      options += ",tls-creds=vnctls0";
    }
    if (!text_of(hv_, "vnc_password_file").empty()) options += ",password=on";
    return options;
  }

  Result<void> identity() {
    if (is_true(hv_, "use_localtime")) add("-rtc", "base=localtime");
    if (is_true(hv_, "use_chroot")) add("-chroot", files_.chroot);
    if (auto const cpu = text_of(hv_, "cpu_type"); !cpu.empty()) add("-cpu", cpu);
    if (auto const vga = text_of(hv_, "vga"); !vga.empty()) add("-vga", vga);
    if (auto const sound = text_of(hv_, "soundhw"); !sound.empty()) {
      add("-audio", fmt::format("driver=none,model={},id=soundhw", escaped(sound)));
    }
    for (auto const& device : TRY(model::parse_usb_devices(text_of(hv_, "usb_devices")))) {
      if (device.of_host.empty()) {
        add("-usbdevice", device.emulated);
      } else {
        add("-device", "usb-host," + device.of_host);
      }
    }
    add("-uuid", spec_.uuid.text());
    return {};
  }

  void guest_agent() {
    add("-chardev",
        fmt::format("socket,path={},server=on,wait=off,id=qga0", escaped(files_.guest_agent)));
    add("-device", fmt::format("virtio-serial,id=qga0,bus={},addr={:#x}", kvm_pci_bus,
                               number_of(hv_, "kvm_pci_reservations")));
    add("-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0");
  }

  void nics(std::vector<KvmNicFds> const& nic_fds) {
    auto const queues = number_of(hv_, "virtio_net_queues");
    auto const type = text_of(hv_, "nic_type");
    for (std::size_t i = 0; i < spec_.nics.size(); ++i) {
      auto const& hvinfo = devices_.nics[i];
      auto const has_place = !hvinfo.empty();
      auto const id = has_place ? text_of(hvinfo, "id") : fmt::format("netdev{}", i);
      auto const& fds = nic_fds[i];
      add("-netdev",
          fmt::format("type=tap,id={},{}{}", id, joined("fd", "fds", fds.taps),
                      fds.vhosts.empty()
                          ? ""
                          : "," + joined("vhostfd", "vhostfds", fds.vhosts) + ",vhost=on"));
      add("-device",
          fmt::format("{},netdev={},mac={}{}{}", has_place ? rendered(hvinfo) : type, id,
                      spec_.nics[i].nic.mac,
                      has_place && queues > 1 ? fmt::format(",mq=on,vectors={}", 2 * queues + 2)
                                              : std::string(),
                      boots_from("network") && i == 0 ? ",bootindex=1" : ""));
    }
    if (spec_.nics.empty()) add("-net", "none");
  }

  void disks(std::vector<std::string> const& paths) {
    auto const discard = text_of(hv_, "disk_discard") == "unmap" ? "unmap" : "ignore";
    for (std::size_t i = 0; i < paths.size(); ++i) {
      auto const& disk = spec_.disks[i].disk;
      auto const id = kvm_device_id("disk", disk.uuid.text());
      auto cache = text_of(hv_, "disk_cache");
      // What another host may open too must not stay in this one's page cache.
      if (model::traits_of(disk.dev_type).is_shared) cache = "none";
      auto const aio = text_of(hv_, "disk_aio");
      add("-device", fmt::format("{},drive={},write-cache={}{}", rendered(devices_.disks[i]), id,
                                 cache == "writethrough" ? "off" : "on",
                                 boots_from("disk") && i == 0 ? ",bootindex=1" : ""));
      auto const is_file = model::is_file(disk.dev_type);
      add("-blockdev",
          fmt::format("driver=raw,node-name={},discard={},cache.direct={},cache.no-flush=off,"
                      "file.driver={},file.filename={},file.aio={},auto-read-only=off{}",
                      id, discard, cache == "none" ? "on" : "off", is_file ? "file" : "host_device",
                      escaped(paths[i]), aio,
                      disk.mode == model::DiskMode::ReadOnly ? ",read-only=on" : ""));
    }
  }

  // Ours, beyond Ganeti: a QEMU that a guest has taken over is an unprivileged process. Measured
  // with QEMU 7.2: spawn=deny kills -daemonize's own fork, and elevateprivileges forbids -runas;
  // the rest goes together with both.
  void own() {
    auto const user = text_of(hv_, "security_model") == "user" ? text_of(hv_, "security_domain")
                                                               : machine_.run_as;
    if (!user.empty()) add("-runas", user);
    add("-sandbox", "on,obsolete=deny,resourcecontrol=deny");
  }

  rpc::InstanceSpec const& spec_;
  json::object const& hv_;
  KvmFiles const& files_;
  KvmMachine const& machine_;
  std::vector<std::string> argv_;
  KvmDevices devices_;
  bool has_floppy_controller_ = true;
};

}  // namespace

Result<std::vector<std::string>> kvm_command_line(rpc::InstanceSpec const& spec,
                                                  std::vector<std::string> const& disk_paths,
                                                  std::vector<KvmNicFds> const& nic_fds,
                                                  KvmFiles const& files,
                                                  KvmMachine const& machine) {
  CHECK(disk_paths.size() == spec.disks.size() && nic_fds.size() == spec.nics.size());
  return CommandLine(spec, files, machine).make(disk_paths, nic_fds);
}

// Without KVM the default path would be asked for what it can't give: QEMU itself is started and
// told its accelerator.
std::string kvm_binary(json::object const& hvparams, KvmMachine const& machine) {
  auto const path = text_of(hvparams, "kvm_path");
  if (!path.empty() && path != default_kvm_path) return path;
  return std::string(machine.has_kvm && machine.has_default_kvm_path ? default_kvm_path
                                                                     : qemu_path);
}

Result<KvmDevices> kvm_devices(rpc::InstanceSpec const& spec) {
  auto const& hv = spec.hvparams;
  constexpr std::int64_t slots = 32;
  auto next_slot = number_of(hv, "kvm_pci_reservations") + (is_true(hv, "use_guest_agent") ? 1 : 0);
  auto const place_on_pci = [&](json::object& device) {
    device["bus"] = kvm_pci_bus;
    device["addr"] = fmt::format("{:#x}", next_slot++);
  };
  KvmDevices devices;
  auto const disk_type = text_of(hv, "disk_type");
  std::set<std::int64_t> scsi_ids;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    auto& device = devices.disks.emplace_back();
    auto const is_virtio = disk_type == "paravirtual";
    if (!is_virtio && disk_type != "ide" && disk_type != "scsi-hd") {
      return fail(ErrorCode::WrongInput, "Disk type '{}' is not built yet", disk_type);
    }
    device["driver"] = is_virtio ? "virtio-blk-pci" : disk_type == "ide" ? "ide-hd" : "scsi-hd";
    device["id"] = kvm_device_id("disk", spec.disks[i].disk.uuid.text());
    if (is_virtio) place_on_pci(device);
    if (disk_type != "scsi-hd") continue;
    device["bus"] = "scsi.0";
    device["channel"] = 0;
    device["scsi-id"] = *scsi_ids.insert(kvm_free_scsi_id(hv, scsi_ids)).first;
    device["lun"] = 0;
  }
  for (auto const& nic : spec.nics) {
    auto& device = devices.nics.emplace_back();
    if (text_of(hv, "nic_type") != "paravirtual") continue;
    device["driver"] = "virtio-net-pci";
    device["id"] = kvm_device_id("nic", nic.nic.uuid.text());
    place_on_pci(device);
  }
  if (next_slot <= slots) return devices;
  return fail(ErrorCode::InsufficientResources,
              "{} disks and {} NICs{} need more PCI slots than the {} there are, of which "
              "kvm_pci_reservations keeps {}; lower it or use disk_type=scsi-hd",
              spec.disks.size(), spec.nics.size(),
              is_true(hv, "use_guest_agent") ? " and the guest agent" : "", slots,
              number_of(hv, "kvm_pci_reservations"));
}

std::int64_t kvm_free_scsi_id(json::object const& hvparams, std::set<std::int64_t> const& taken) {
  auto const has_cdroms = has_scsi_cdrom(hvparams);
  for (std::int64_t id = 0;; ++id) {
    auto const is_of_cdrom = std::ranges::find(kvm_cdrom_scsi_ids, id) != kvm_cdrom_scsi_ids.end();
    if (!taken.contains(id) && !(has_cdroms && is_of_cdrom)) return id;
  }
}

bool kvm_is_url(std::string_view image) {
  return !image.starts_with('/') && image.find("://") != std::string_view::npos;
}

std::string kvm_vnc_socket(std::string_view directory, std::string_view name) {
  return fmt::format("{}/{}.vnc", directory, name);
}

std::string kvm_device_id(std::string_view kind, std::string_view uuid) {
  std::size_t end = 0;
  for (int dashes = 0; end < uuid.size(); ++end) {
    if (uuid[end] == '-' && ++dashes == 3) break;
  }
  return fmt::format("{}-{}", kind, uuid.substr(0, end));
}

}  // namespace flotte::node
