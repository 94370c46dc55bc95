#include "node/hypervisor/kvm/command_line.h"

#include <algorithm>
#include <sstream>

#include "model/params.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using model::is_true;
using model::number_of;
using model::text_of;

constexpr std::string_view default_kvm_path = "/usr/bin/kvm";
constexpr std::string_view qemu_path = "/usr/bin/qemu-system-x86_64";

// Parameters with an effect that is not built yet, and the value that has none.
struct NotBuilt {
  std::string_view name;
  json::value harmless;
};

Result<void> refuse_what_is_not_built(json::object const& hv) {
  NotBuilt const table[] = {
      {"floppy_image_path", ""}, {"mem_path", ""},
      {"migration_caps", ""},    {"security_model", "none"},
      {"soundhw", ""},           {"spice_bind", ""},
      {"use_chroot", false},     {"usb_devices", ""},
      {"vhost_net", false},      {"virtio_net_queues", 1},
      {"vnc_tls", false},        {"vnc_password_file", ""},
      {"vnc_x509_path", ""},     {"vnc_x509_verify", false},
      {"cpu_mask", "all"},
  };
  for (auto const& row : table) {
    auto const* value = hv.if_contains(row.name);
    if (value && *value != row.harmless) {
      return fail(ErrorCode::WrongInput, "Hypervisor parameter '{}' is not built yet", row.name);
    }
  }
  return {};
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
                                        std::vector<int> const& tap_fds) {
    TRY(refuse_what_is_not_built(hv_));
    TRY(head());
    TRY(cdroms());
    TRY(kernel());
    consoles();
    TRY(display());
    if (auto const cpu = text_of(hv_, "cpu_type"); !cpu.empty()) add("-cpu", cpu);
    add("-uuid", spec_.uuid.text());
    extras();
    // Slots as Ganeti gives them out: disks first, then NICs, from the first that is not reserved.
    for (std::size_t i = 0; i < disk_paths.size(); ++i) disk_slots_.push_back(next_slot_++);
    TRY(nics(tap_fds));
    add("-qmp", unix_socket(files_.qmp));
    add("-qmp", unix_socket(files_.kvmd));
    TRY(disks(disk_paths));
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
    auto const path = text_of(hv_, "kvm_path");
    // Without KVM, and where the path is the default, QEMU itself is started and told its
    // accelerator.
    auto const is_default = path.empty() || path == default_kvm_path;
    auto const flag = text_of(hv_, "kvm_flag");
    add(is_default ? std::string(qemu_path) : path);
    add("-name", spec_.name + ",debug-threads=on");
    add("-m", std::to_string(number_of(spec_.beparams, "maxmem")));
    add("-smp", smp());
    add("-pidfile", files_.pid);
    add("-device", "virtio-balloon");
    add("-daemonize");
    add("-D", files_.log);
    auto machine = text_of(hv_, "machine_version");
    if (machine.empty()) machine = "pc";
    if (!is_true(hv_, "acpi")) machine += ",acpi=off";
    if (flag == "enabled") {
      machine += ",accel=kvm";
    } else if (flag == "disabled") {
      machine += ",accel=tcg";
    } else if (is_default) {
      machine += machine_.has_kvm ? ",accel=kvm" : ",accel=tcg";
    }
    add("-machine", machine);
    if (text_of(hv_, "reboot_behavior") == "exit") add("-no-reboot");
    next_slot_ = number_of(hv_, "kvm_pci_reservations");
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
    auto type = text_of(hv_, "cdrom_disk_type");
    if (type.empty()) type = text_of(hv_, "disk_type");
    if (boots_from("cdrom") && text_of(hv_, "cdrom_image_path").empty()) {
      return fail(ErrorCode::WrongInput,
                  "Cannot boot from cdrom without a CDROM image; set cdrom_image_path");
    }
    int number = 0;
    for (auto const* name : {"cdrom_image_path", "cdrom2_image_path"}) {
      ++number;
      auto const image = text_of(hv_, name);
      if (image.empty()) continue;
      auto const node = fmt::format("cdrom{}", number);
      auto const scheme = image.find("://");
      auto const file =
          scheme == std::string::npos
              ? fmt::format("file.driver=file,file.filename={}", escaped(image))
              : fmt::format("file.driver={},file.url={}", image.substr(0, scheme), escaped(image));
      add("-blockdev", fmt::format("driver=raw,cache.direct=off,cache.no-flush=on,read-only=on,"
                                   "node-name={},{}",
                                   node, file));
      auto const device = type == "paravirtual" ? "virtio-blk-pci"
                          : type == "ide"       ? "ide-cd"
                          : type == "scsi-cd"   ? "scsi-cd"
                                                : "";
      if (std::string_view(device).empty()) {
        return fail(ErrorCode::WrongInput, "CD drives of type '{}' are not built yet", type);
      }
      add("-device", fmt::format("{},drive={}{}", device, node,
                                 boots_from("cdrom") && number == 1 ? ",bootindex=1" : ""));
    }
    return {};
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
    add("-serial", is_true(hv_, "serial_console") ? unix_socket(files_.serial) : "none");
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
    if (auto const keymap = text_of(hv_, "keymap"); !keymap.empty()) add("-k", keymap);
    if (address.empty()) {
      add("-display", "none");
    } else if (address.front() == '/') {
      add("-vnc", fmt::format("unix:{}/{}.vnc", escaped(address), spec_.name));
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
                              *spec_.network_port - vnc_base_port));
    }
    if (auto const vga = text_of(hv_, "vga"); !vga.empty()) add("-vga", vga);
    return {};
  }

  void extras() {
    if (is_true(hv_, "use_localtime")) add("-rtc", "base=localtime");
    if (is_true(hv_, "use_guest_agent")) {
      add("-device", "virtio-serial-pci,id=virtio-serial0", "-chardev",
          fmt::format("socket,path={},server=on,wait=off,id=qga0", escaped(files_.guest_agent)),
          "-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0");
    }
    std::istringstream words(text_of(hv_, "kvm_extra"));
    for (std::string word; words >> word;) add(word);
  }

  Result<void> nics(std::vector<int> const& tap_fds) {
    auto const type = text_of(hv_, "nic_type");
    auto const model = type == "paravirtual" ? "virtio-net-pci" : type;
    for (std::size_t i = 0; i < spec_.nics.size(); ++i) {
      auto const& nic = spec_.nics[i].nic;
      auto const id = kvm_device_id("nic", nic.uuid.text());
      add("-netdev", fmt::format("type=tap,id={},fd={}", id, tap_fds.at(i)));
      add("-device",
          fmt::format("{},id={},bus=pci.0,addr={:#x},netdev={},mac={}{}", model, id, next_slot_++,
                      id, nic.mac, boots_from("network") && i == 0 ? ",bootindex=1" : ""));
    }
    if (spec_.nics.empty()) add("-net", "none");
    return {};
  }

  Result<void> disks(std::vector<std::string> const& paths) {
    auto const type = text_of(hv_, "disk_type");
    if (type != "paravirtual" && type != "ide" && type != "scsi-hd") {
      if (!paths.empty()) {
        return fail(ErrorCode::WrongInput, "Disk type '{}' is not built yet", type);
      }
    }
    if (type == "scsi-hd" && !paths.empty()) {
      add("-device", text_of(hv_, "scsi_controller_type") + ",id=scsi");
    }
    auto const discard = text_of(hv_, "disk_discard") == "unmap" ? "unmap" : "ignore";
    for (std::size_t i = 0; i < paths.size(); ++i) {
      auto const& disk = spec_.disks[i].disk;
      auto const id = kvm_device_id("disk", disk.uuid.text());
      auto cache = text_of(hv_, "disk_cache");
      // What another host may open too must not stay in this one's page cache.
      if (disk.dev_type == model::DiskTemplate::SharedFile) cache = "none";
      auto const aio = text_of(hv_, "disk_aio");
      if (aio == "native" && cache != "none") {
        return fail(ErrorCode::WrongInput, "disk_aio=native needs disk_cache=none");
      }
      auto const where =
          type == "paravirtual"
              ? fmt::format("virtio-blk-pci,id={},bus=pci.0,addr={:#x}", id, disk_slots_[i])
          : type == "ide"
              ? fmt::format("ide-hd,id={}", id)
              : fmt::format("scsi-hd,id={},bus=scsi.0,channel=0,scsi-id={},lun=0", id, i);
      add("-device", fmt::format("{},drive={},write-cache={}{}", where, id,
                                 cache == "writethrough" ? "off" : "on",
                                 boots_from("disk") && i == 0 ? ",bootindex=1" : ""));
      auto const is_file = disk.dev_type == model::DiskTemplate::File ||
                           disk.dev_type == model::DiskTemplate::SharedFile;
      add("-blockdev",
          fmt::format("driver=raw,node-name={},discard={},cache.direct={},cache.no-flush=off,"
                      "file.driver={},file.filename={},file.aio={},auto-read-only=off{}",
                      id, discard, cache == "none" ? "on" : "off", is_file ? "file" : "host_device",
                      escaped(paths[i]), aio,
                      disk.mode == model::DiskMode::ReadOnly ? ",read-only=on" : ""));
    }
    return {};
  }

  // Ours, beyond Ganeti: a QEMU that a guest has taken over is an unprivileged process. Measured
  // with QEMU 7.2: spawn=deny kills -daemonize's own fork, and elevateprivileges forbids -runas;
  // the rest goes together with both.
  void own() {
    if (!machine_.run_as.empty()) add("-runas", machine_.run_as);
    add("-sandbox", "on,obsolete=deny,resourcecontrol=deny");
  }

  rpc::InstanceSpec const& spec_;
  json::object const& hv_;
  KvmFiles const& files_;
  KvmMachine const& machine_;
  std::vector<std::string> argv_;
  std::vector<std::int64_t> disk_slots_;
  std::int64_t next_slot_ = 12;
};

}  // namespace

Result<std::vector<std::string>> kvm_command_line(rpc::InstanceSpec const& spec,
                                                  std::vector<std::string> const& disk_paths,
                                                  std::vector<int> const& tap_fds,
                                                  KvmFiles const& files,
                                                  KvmMachine const& machine) {
  CHECK(disk_paths.size() == spec.disks.size() && tap_fds.size() == spec.nics.size());
  return CommandLine(spec, files, machine).make(disk_paths, tap_fds);
}

std::string kvm_device_id(std::string_view kind, std::string_view uuid) {
  std::size_t end = 0;
  for (int dashes = 0; end < uuid.size(); ++end) {
    if (uuid[end] == '-' && ++dashes == 3) break;
  }
  return fmt::format("{}-{}", kind, uuid.substr(0, end));
}

}  // namespace flotte::node
