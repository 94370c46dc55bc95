#include "model/params.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/text.h"
#include "model/disk_templates.h"

namespace flotte::model {
namespace {

std::string_view view(json::value const& value) {
  return std::string_view(value.get_string());
}

template <std::size_t N>
Result<void> one_of(json::value const& value, std::array<std::string_view, N> const& allowed) {
  if (std::ranges::find(allowed, view(value)) != allowed.end()) return {};
  std::vector<std::string_view> sorted(allowed.begin(), allowed.end());
  std::erase(sorted, "");
  std::ranges::sort(sorted);
  return fail(ErrorCode::WrongInput, "The value must be one of: {}", fmt::join(sorted, ", "));
}

Result<void> check_absolute_or_empty(json::value const& value) {
  if (value.is_null() || view(value).empty() || view(value).front() == '/') return {};
  return fail(ErrorCode::WrongInput, "must be an absolute normalized path");
}
Result<void> check_image(json::value const& value) {
  auto const text = view(value);
  for (auto const* scheme : {"http://", "https://", "ftp://"}) {
    if (text.starts_with(scheme)) return {};
  }
  if (check_absolute_or_empty(value)) return {};
  return fail(ErrorCode::WrongInput, "must be an absolute normalized path or a URL");
}
Result<void> check_positive(json::value const& value) {
  if (value.get_int64() >= 1) return {};
  return fail(ErrorCode::WrongInput, "must be at least 1");
}
Result<void> check_not_negative(json::value const& value) {
  if (value.get_int64() >= 0) return {};
  return fail(ErrorCode::WrongInput, "cannot be negative");
}
Result<void> check_pci_slots(json::value const& value) {
  if (value.get_int64() >= 0 && value.get_int64() <= 32) return {};
  return fail(ErrorCode::WrongInput, "The number of PCI slots managed by QEMU (max: 32)");
}
Result<void> check_port(json::value const& value) {
  if (value.get_int64() >= 1 && value.get_int64() <= 65535) return {};
  return fail(ErrorCode::WrongInput, "invalid port number");
}
Result<void> check_boot_order(json::value const& v) {
  return one_of<4>(v, {"floppy", "cdrom", "disk", "network"});
}
Result<void> check_disk_type(json::value const& v) {
  return one_of<10>(v, {"paravirtual", "ide", "scsi", "sd", "mtd", "pflash", "scsi-block",
                        "scsi-generic", "scsi-hd", "scsi-cd"});
}
Result<void> check_cdrom_type(json::value const& v) {
  return one_of<12>(v, {"", "paravirtual", "ide", "scsi", "sd", "mtd", "pflash", "scsi-block",
                        "scsi-generic", "scsi-hd", "scsi-cd", "lsi"});
}
Result<void> check_cache(json::value const& v) {
  return one_of<4>(v, {"default", "none", "writethrough", "writeback"});
}
Result<void> check_aio(json::value const& v) {
  return one_of<3>(v, {"threads", "native", "io_uring"});
}
Result<void> check_discard(json::value const& v) {
  return one_of<3>(v, {"default", "ignore", "unmap"});
}
Result<void> check_nic_type(json::value const& v) {
  return one_of<9>(v, {"rtl8139", "ne2k_isa", "ne2k_pci", "i82551", "i82557b", "i82559er", "pcnet",
                       "e1000", "paravirtual"});
}
Result<void> check_security(json::value const& v) {
  return one_of<3>(v, {"none", "user", "pool"});
}
Result<void> check_reboot(json::value const& v) {
  return one_of<2>(v, {"reboot", "exit"});
}
Result<void> check_migration_mode(json::value const& v) {
  if (one_of<2>(v, {"live", "non-live"})) return {};
  return fail(ErrorCode::WrongInput, "invalid migration mode");
}
Result<void> check_mouse(json::value const& v) {
  return one_of<3>(v, {"", "mouse", "tablet"});
}
Result<void> check_kvm_flag(json::value const& v) {
  return one_of<3>(v, {"", "enabled", "disabled"});
}
Result<void> check_scsi_controller(json::value const& v) {
  return one_of<4>(v, {"lsi", "virtio-scsi-pci", "megasas", "dc390"});
}
Result<void> check_queues(json::value const& v) {
  if (v.get_int64() >= 1 && v.get_int64() <= 32) return {};
  return fail(ErrorCode::WrongInput, "invalid number of queues");
}

using enum ParamType;

constexpr Param kvm_params[] = {
    {"acpi", Bool, "true", "Whether the guest has ACPI; needed for a soft shutdown."},
    {"boot_order", String, "\"disk\"", "disk, cdrom, network or floppy.", check_boot_order},
    {"cdrom2_image_path", String, "\"\"", "Image of the second CD drive.", check_image},
    {"cdrom_disk_type", String, "\"\"", "Type of the CD drives.", check_cdrom_type},
    {"cdrom_image_path", String, "\"\"", "Image of the CD drive: a file or a URL.", check_image},
    {"cpu_cores", Int, "0", "Cores a socket.", check_not_negative},
    {"cpu_mask", String, "\"all\"", "Host CPUs to run on."},
    {"cpu_sockets", Int, "0", "Sockets.", check_not_negative},
    {"cpu_threads", Int, "0", "Threads a core.", check_not_negative},
    {"cpu_type", String, "\"\"", "CPU model, e.g. host."},
    {"disk_aio", String, "\"threads\"", "threads, native or io_uring.", check_aio},
    {"disk_cache", String, "\"default\"", "default, none, writethrough or writeback.", check_cache},
    {"disk_discard", String, "\"default\"", "default, ignore or unmap.", check_discard},
    {"disk_type", String, "\"paravirtual\"", "What the disks look like.", check_disk_type},
    {"floppy_image_path", String, "\"\"", "Image of the floppy drive.", check_absolute_or_empty},
    {"initrd_path", String, "\"\"", "Initial RAM disk on the node.", check_absolute_or_empty},
    {"kernel_args", String, "\"ro\"", "Arguments of the kernel on the node."},
    {"kernel_path", String, "\"/boot/vmlinuz-3-kvmU\"",
     "Kernel on the node; empty boots from the guest's own disk.", check_absolute_or_empty},
    {"keymap", String, "\"\"", "Keyboard layout of VNC."},
    {"kvm_extra", String, "\"\"", "More arguments for QEMU."},
    {"kvm_flag", String, "\"\"", "enabled or disabled: acceleration.", check_kvm_flag},
    {"kvm_path", String, "\"/usr/bin/kvm\"", "QEMU's binary.", check_absolute_or_empty},
    {"kvm_pci_reservations", Int, "12", "PCI slots that disks and NICs leave free.",
     check_pci_slots},
    {"machine_version", String, "\"\"", "QEMU machine type."},
    {"mem_path", String, "\"\"", "Directory of huge pages.", check_absolute_or_empty},
    {"migration_bandwidth", Int, "32", "MiB/s.", check_not_negative},
    {"migration_caps", String, "\"\"", "Migration capabilities, separated by colons."},
    {"migration_downtime", Int, "30", "Milliseconds.", check_not_negative},
    {"migration_mode", String, "\"live\"", "live or non-live.", check_migration_mode},
    {"migration_port", Int, "8102", "TCP port of incoming migrations.", check_port},
    {"nic_type", String, "\"paravirtual\"", "What the NICs look like.", check_nic_type},
    {"reboot_behavior", String, "\"reboot\"", "reboot or exit.", check_reboot},
    {"root_path", MaybeString, "\"/dev/vda1\"", "Root file system, with a kernel on the node."},
    {"scsi_controller_type", String, "\"lsi\"", "SCSI controller.", check_scsi_controller},
    {"security_domain", String, "\"\"", "User to run QEMU as, with security_model user."},
    {"security_model", String, "\"none\"", "none, user or pool.", check_security},
    {"serial_console", Bool, "true", "Whether there is a serial console."},
    {"serial_speed", Int, "38400", "Its speed."},
    {"soundhw", String, "\"\"", "Sound card."},
    {"spice_bind", String, "\"\"", "Address or interface of SPICE."},
    {"spice_image_compression", String, "\"\"", "SPICE."},
    {"spice_ip_version", Int, "0", "SPICE: 0, 4 or 6."},
    {"spice_jpeg_wan_compression", String, "\"\"", "SPICE."},
    {"spice_password_file", String, "\"\"", "SPICE.", check_absolute_or_empty},
    {"spice_playback_compression", Bool, "true", "SPICE."},
    {"spice_streaming_video", String, "\"\"", "SPICE."},
    {"spice_tls_ciphers", String, "\"HIGH:-DES:-3DES:-EXPORT:-DH\"", "SPICE."},
    {"spice_use_tls", Bool, "false", "SPICE."},
    {"spice_use_vdagent", Bool, "true", "SPICE."},
    {"spice_zlib_glz_wan_compression", String, "\"\"", "SPICE."},
    {"usb_devices", String, "\"\"", "USB devices, separated by commas."},
    {"usb_mouse", String, "\"\"", "mouse or tablet.", check_mouse},
    {"use_chroot", Bool, "false", "Whether QEMU runs in an empty chroot."},
    {"use_guest_agent", Bool, "false", "Whether there is a channel to qemu-guest-agent."},
    {"use_localtime", Bool, "false", "Whether the clock is local time."},
    {"user_shutdown", Bool, "false", "Whether the guest may switch itself off for good."},
    {"vga", String, "\"\"", "Graphics card."},
    {"vhost_net", Bool, "false", "Whether the kernel moves the packets."},
    {"virtio_net_queues", Int, "1", "Queues a NIC.", check_queues},
    {"vnc_bind_address", String, "\"\"", "Address of VNC; empty: none."},
    {"vnc_password_file", String, "\"\"", "File with VNC's password.", check_absolute_or_empty},
    {"vnc_tls", Bool, "false", "Whether VNC speaks TLS."},
    {"vnc_x509_path", String, "\"\"", "Directory of VNC's certificates.", check_absolute_or_empty},
    {"vnc_x509_verify", Bool, "false", "Whether VNC's clients need a certificate."},
    {"vnet_hdr", Bool, "true", "Whether taps carry virtio headers."},
};

// Of Ganeti's other hypervisors: known by name and type.
constexpr Param foreign_params[] = {
    {"blockdev_prefix", String, "", "Xen."},
    {"bootloader_args", String, "", "Xen."},
    {"bootloader_path", String, "", "Xen."},
    {"cpu_cap", Int, "", "Xen."},
    {"cpu_weight", Int, "", "Xen."},
    {"cpuid", String, "", "Xen."},
    {"device_model", String, "", "Xen."},
    {"devices", String, "", "LXC."},
    {"drop_capabilities", String, "", "LXC."},
    {"extra_cgroups", String, "", "LXC."},
    {"extra_config", String, "", "LXC."},
    {"init_script", String, "", "chroot."},
    {"num_ttys", Int, "", "LXC."},
    {"pae", Bool, "", "Xen."},
    {"pci_pass", String, "", "Xen."},
    {"startup_timeout", Int, "", "LXC."},
    {"use_bootloader", Bool, "", "Xen."},
    {"vif_script", String, "", "Xen."},
    {"vif_type", String, "", "Xen."},
    {"viridian", Bool, "", "Xen."},
    {"xen_cmd", String, "", "Xen."},
};

// Ganeti's other hypervisors, with all that each has.
constexpr std::string_view chroot_names[] = {"init_script"};
constexpr std::string_view lxc_names[] = {"cpu_mask",       "devices",      "drop_capabilities",
                                          "extra_cgroups",  "extra_config", "num_ttys",
                                          "startup_timeout"};
constexpr std::string_view xen_hvm_names[] = {"acpi",
                                              "blockdev_prefix",
                                              "boot_order",
                                              "cdrom_image_path",
                                              "cpu_cap",
                                              "cpu_mask",
                                              "cpu_weight",
                                              "cpuid",
                                              "device_model",
                                              "disk_type",
                                              "kernel_path",
                                              "migration_mode",
                                              "migration_port",
                                              "nic_type",
                                              "pae",
                                              "pci_pass",
                                              "reboot_behavior",
                                              "soundhw",
                                              "use_localtime",
                                              "vif_script",
                                              "vif_type",
                                              "viridian",
                                              "vnc_bind_address",
                                              "vnc_password_file",
                                              "xen_cmd"};
constexpr std::string_view xen_pvm_names[] = {
    "blockdev_prefix", "bootloader_args", "bootloader_path", "cpu_cap",     "cpu_mask",
    "cpu_weight",      "cpuid",           "initrd_path",     "kernel_args", "kernel_path",
    "migration_mode",  "migration_port",  "reboot_behavior", "root_path",   "soundhw",
    "use_bootloader",  "vif_script",      "xen_cmd"};
struct ForeignHypervisor {
  std::string_view name;
  std::span<std::string_view const> params;
};
constexpr ForeignHypervisor foreign_hypervisors[] = {{"chroot", chroot_names},
                                                     {"lxc", lxc_names},
                                                     {"xen-hvm", xen_hvm_names},
                                                     {"xen-pvm", xen_pvm_names}};

// Of a cluster as a whole.
constexpr std::string_view global_params[] = {"migration_bandwidth", "migration_mode",
                                              "migration_port"};

constexpr Param fake_params[] = {
    {"migration_mode", String, "\"live\"", "live or non-live.", check_migration_mode},
};

constexpr Param be_params[] = {
    {"always_failover", Bool, "false", "Whether migrating means failing over."},
    {"auto_balance", Bool, "true", "Whether the balancer may move it."},
    {"maxmem", Size, "128", "Memory at most."},
    {"minmem", Size, "128", "Memory at least."},
    {"spindle_use", Int, "1", "Spindles it counts for."},
    {"vcpus", Int, "1", "Virtual CPUs.", check_positive},
};

// What people type: both of them.
constexpr Param memory_param{"memory", Size, "128", "Memory."};

constexpr Param nic_param_table[] = {
    {"antispoof", Bool, "false", "Whether frames that are not the NIC's own are dropped."},
    {"link", String, "\"xen-br0\"", "Bridge, switch or routing table."},
    {"mode", String, "\"bridged\"", "bridged, routed, openvswitch or ext."},
    {"vlan", String, "\"\"", "VLAN: .N, :N:M or .N:M."},
};

constexpr Param nd_params[] = {
    {"cpu_speed", Float, "1.0", "Relative speed of its CPUs."},
    {"exclusive_storage", Bool, "false", "Whether instances share no physical volume."},
    {"oob_program", String, "\"\"", "Out-of-band control program."},
    {"ovs", Bool, "false", "Whether Open vSwitch is set up."},
    {"ovs_link", String, "\"\"", "Its uplink."},
    {"ovs_name", String, "\"switch1\"", "Its name."},
    {"spindle_count", Int, "1", "Spindles."},
    {"ssh_port", Int, "22", "Port of sshd.", check_port},
};

constexpr Param plain_params[] = {{"stripes", Int, "1", "LVM stripes.", check_positive}};
constexpr Param drbd_params[] = {
    {"c-delay-target", Int, "1", "DRBD."},       {"c-fill-target", Int, "0", "DRBD."},
    {"c-max-rate", Int, "61440", "DRBD."},       {"c-min-rate", Int, "4096", "DRBD."},
    {"c-plan-ahead", Int, "20", "DRBD."},        {"data-stripes", Int, "1", "DRBD."},
    {"disk-barriers", String, "\"n\"", "DRBD."}, {"disk-custom", String, "\"\"", "DRBD."},
    {"dynamic-resync", Bool, "false", "DRBD."},  {"meta-barriers", Bool, "false", "DRBD."},
    {"meta-stripes", Int, "1", "DRBD."},         {"metavg", String, "\"xenvg\"", "DRBD."},
    {"net-custom", String, "\"\"", "DRBD."},     {"protocol", String, "\"C\"", "DRBD."},
    {"resync-rate", Int, "61440", "DRBD."},
};
constexpr Param access_params[] = {{"access", String, "\"kernelspace\"", "How QEMU opens it."}};
constexpr Param gluster_params[] = {
    {"access", String, "\"kernelspace\"", "How QEMU opens it."},
    {"host", String, "\"127.0.0.1\"", "Gluster server."},
    {"port", Int, "24007", "Its port."},
    {"volume", String, "\"gv0\"", "Its volume."},
};
constexpr Param rbd_params[] = {
    {"access", String, "\"kernelspace\"", "How QEMU opens it."},
    {"pool", String, "\"rbd\"", "Ceph pool."},
};

Param const* find(ParamTable table, std::string_view name) {
  for (auto const& param : table) {
    if (param.name == name) return &param;
  }
  return nullptr;
}

Failure wrong_value(Param const& param, json::value const& given, std::string_view wanted) {
  return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "'{}' (value {}) is not a valid {}",
                 param.name, python_text(given), wanted);
}

Result<json::value> to_bool(Param const& param, json::value const& given) {
  if (given.is_bool()) return given;
  if (given.is_string()) {
    auto const said = lower_case(std::string(view(given)));
    if (said == "true" || said == "yes") return json::value(true);
    if (said == "false" || said == "no" || said.empty()) return json::value(false);
  }
  return wrong_value(param, given, "boolean");
}

Result<json::value> to_int(Param const& param, json::value const& given) {
  if (given.is_int64()) return given;
  if (given.is_string()) {
    auto const text = view(given);
    std::int64_t number = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status == std::errc() && end == text.data() + text.size()) return json::value(number);
  }
  return wrong_value(param, given, "integer");
}

Result<json::value> to_float(Param const& param, json::value const& given) {
  if (given.is_number()) return json::value(given.to_number<double>());
  if (given.is_string()) {
    auto const text = view(given);
    double number = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status == std::errc() && end == text.data() + text.size()) return json::value(number);
  }
  return wrong_value(param, given, "float");
}

Result<json::value> to_size(Param const& param, json::value const& given) {
  if (given.is_int64()) return given;
  if (given.is_string()) {
    if (auto const size = parse_size(view(given))) return json::value(size->value);
  }
  return wrong_value(param, given, "size. error: Invalid format");
}

Result<json::value> convert(Param const& param, json::value const& given) {
  switch (param.type) {
    case Bool:
      return to_bool(param, given);
    case Int:
      return to_int(param, given);
    case Float:
      return to_float(param, given);
    case Size:
      return to_size(param, given);
    case String:
    case MaybeString:
      break;
  }
  if (given.is_string()) return given;
  if (given.is_bool() && !given.get_bool()) return json::value("");
  return wrong_value(param, given, "string");
}

bool is_default(std::string_view text) {
  return lower_case(std::string(text)) == "default";
}

bool is_inherited(json::value const& given) {
  return given.is_null() || (given.is_string() && is_default(view(given)));
}

Result<json::value> enforce_one(Param const& param, json::value const& given,
                                ErrorClass if_wrong = ErrorClass::ByStage) {
  if (is_inherited(given)) {
    // "default" is also a real value of some parameters (disk_cache); inheriting it gives the same.
    return json::value(nullptr);
  }
  auto value = TRY(convert(param, given));
  if (param.check) {
    auto const checked = param.check(value);
    if (!checked) {
      return fail_as(if_wrong, ErrorCode::WrongInput,
                     "Parameter '{}' fails syntax check: {} (current value: '{}')", param.name,
                     checked.error().message, python_text(value));
    }
  }
  return value;
}

json::object member_object(json::object const& object, std::string_view name) {
  auto const* found = object.if_contains(name);
  return found && found->is_object() ? found->get_object() : json::object();
}

json::object ispec(std::array<std::int64_t, 6> const& values) {
  constexpr std::array<std::string_view, 6> names{"memory-size", "cpu-count", "disk-count",
                                                  "disk-size",   "nic-count", "spindle-use"};
  json::object spec;
  for (std::size_t i = 0; i < names.size(); ++i) spec[names[i]] = values[i];
  return spec;
}

}  // namespace

ParamTable hypervisor_params(HypervisorKind kind) {
  if (kind == HypervisorKind::Kvm) return kvm_params;
  return fake_params;
}
ParamTable foreign_hypervisor_params() {
  return foreign_params;
}
ParamTable backend_params() {
  return be_params;
}
ParamTable nic_params() {
  return nic_param_table;
}
ParamTable node_params() {
  return nd_params;
}
ParamTable disk_params(DiskTemplate disk_template) {
  switch (disk_template) {
    case DiskTemplate::Plain:
      return plain_params;
    case DiskTemplate::Drbd:
      return drbd_params;
    case DiskTemplate::Rbd:
      return rbd_params;
    case DiskTemplate::Ext:
      return access_params;
    case DiskTemplate::Gluster:
      return gluster_params;
    case DiskTemplate::Diskless:
    case DiskTemplate::File:
    case DiskTemplate::SharedFile:
    case DiskTemplate::Blockdev:
      break;
  }
  return {};
}

json::object defaults(ParamTable table) {
  json::object out;
  for (auto const& param : table) {
    out[param.name] = json::parse(json::string_view(param.default_json));
  }
  return out;
}

namespace {

Failure unknown_parameter(std::string_view name) {
  return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Unknown parameter '{}'", name);
}

Failure unsupported_parameter(std::string_view name) {
  return fail_as(ErrorClass::Hypervisor, ErrorCode::WrongInput, "Parameter '{}' is not supported",
                 name);
}

Param const* find_hypervisor_param(std::string_view name) {
  // What the fake one has, KVM has too.
  auto const* param = find(kvm_params, name);
  return param ? param : find(foreign_params, name);
}

}  // namespace

Result<json::object> enforce(ParamTable table, json::object const& given) {
  json::object out;
  for (auto const& [name, value] : given) {
    auto const* param = find(table, name);
    if (!param) return unknown_parameter(name);
    out[name] = TRY(enforce_one(*param, value));
  }
  return out;
}

Result<json::object> enforce_hypervisor(HypervisorKind kind, json::object const& given) {
  auto const table = hypervisor_params(kind);
  json::object out;
  for (auto const& [name, value] : given) {
    auto const* param = find(table, name);
    // What another hypervisor has is inherited by leaving it as it is.
    if (!param && is_inherited(value) && find_hypervisor_param(name)) continue;
    if (!param) return unsupported_parameter(name);
    out[name] = TRY(enforce_one(*param, value, ErrorClass::Hypervisor));
  }
  return out;
}

Result<json::object> enforce_hypervisor(std::string_view kind, json::object const& given) {
  if (auto const own = schema::enum_from<HypervisorKind>(kind)) {
    return enforce_hypervisor(*own, given);
  }
  auto const foreign = std::ranges::find(foreign_hypervisors, kind, &ForeignHypervisor::name);
  if (foreign == std::ranges::end(foreign_hypervisors)) {
    return fail_as(ErrorClass::Hypervisor, ErrorCode::WrongInput,
                   "Unknown hypervisor type '{}'; there are fake and kvm", kind);
  }
  json::object out;
  for (auto const& [name, value] : given) {
    auto const* param = find_hypervisor_param(name);
    if (!param ||
        std::ranges::find(foreign->params, std::string_view(name)) == foreign->params.end()) {
      return unsupported_parameter(name);
    }
    // What is sensible there that hypervisor would know.
    out[name] = is_inherited(value) ? json::value(nullptr) : TRY(convert(*param, value));
  }
  return out;
}

json::object without_globals(json::object hvparams) {
  for (auto const name : global_params) hvparams.erase(name);
  return hvparams;
}

Result<void> check_not_global(json::object const& hvparams) {
  std::vector<std::string_view> global;
  for (auto const name : global_params) {
    if (hvparams.contains(name)) global.push_back(name);
  }
  if (global.empty()) return {};
  return fail(ErrorCode::WrongInput,
              "The following hypervisor parameters are global and cannot be customized at instance "
              "level, please modify them at cluster level: {}",
              fmt::join(global, ", "));
}

Result<void> check_hypervisor_types(json::object const& given) {
  for (auto const& [name, value] : given) {
    auto const* param = find_hypervisor_param(name);
    if (!param) return unknown_parameter(name);
    if (is_inherited(value)) continue;
    TRY(convert(*param, value));
  }
  return {};
}

Result<json::object> enforce_backend(json::object const& given) {
  auto expanded = given;
  if (auto const* memory = given.if_contains("memory")) {
    // Checked under the name that was typed.
    auto const both = TRY(enforce_one(memory_param, *memory));
    expanded.erase("memory");
    for (auto const* name : {"maxmem", "minmem"}) {
      if (!expanded.contains(name)) expanded[name] = both;
    }
  }
  return enforce(be_params, expanded);
}

Result<json::object> enforce_backend_of_start(json::object given) {
  if (auto const* memory = given.if_contains("memory")) {
    auto const both = *memory;
    given.erase("memory");
    for (auto const* name : {"maxmem", "minmem"}) given[name] = both;
  }
  return enforce(be_params, given);
}

json::object overlay(json::object base, json::object const& changes) {
  for (auto const& [name, value] : changes) {
    if (value.is_null()) {
      base.erase(name);
    } else {
      base[name] = value;
    }
  }
  return base;
}

json::object filled_hvparams(Settings const& settings, HypervisorKind kind) {
  return overlay(defaults(hypervisor_params(kind)),
                 member_object(settings.hvparams, schema::name_of(kind)));
}

json::object filled_hvparams(Settings const& settings, Instance const& instance) {
  auto const os = instance.os.substr(0, instance.os.find('+'));
  auto const kind = schema::name_of(instance.hypervisor);
  auto filled = filled_hvparams(settings, instance.hypervisor);
  filled = overlay(std::move(filled), member_object(member_object(settings.os_hvp, os), kind));
  if (os != instance.os) {
    filled = overlay(std::move(filled),
                     member_object(member_object(settings.os_hvp, instance.os), kind));
  }
  return overlay(std::move(filled), instance.hvparams);
}

json::object start_hvparams(Settings const& settings, Instance const& instance) {
  auto params = filled_hvparams(settings, instance);
  if (params.contains("user_shutdown") && !settings.enabled_user_shutdown) {
    params["user_shutdown"] = false;
  }
  return params;
}

json::object filled_osparams(Settings const& settings, Instance const& instance) {
  auto const base = instance.os.substr(0, instance.os.find('+'));
  auto filled = member_object(settings.osparams, base);
  if (base != instance.os) {
    filled = overlay(std::move(filled), member_object(settings.osparams, instance.os));
  }
  return overlay(std::move(filled), instance.osparams);
}

json::object script_osparams(Settings const& settings, Instance const& instance) {
  return overlay(filled_osparams(settings, instance), instance.osparams_private);
}

json::object filled_beparams(Settings const& settings) {
  return overlay(defaults(be_params), settings.beparams);
}
json::object filled_beparams(Settings const& settings, Instance const& instance) {
  return overlay(filled_beparams(settings), instance.beparams);
}
json::object filled_nicparams(Settings const& settings) {
  return filled_nicparams(settings, Nic());
}
json::object filled_nicparams(Settings const& settings, Nic const& nic) {
  auto filled = overlay(overlay(defaults(nic_param_table), settings.nicparams), nic.nicparams);
  // Ganeti doesn't know it: who doesn't use it sees what Ganeti shows.
  if (!is_true(filled, "antispoof")) filled.erase("antispoof");
  return filled;
}
json::object filled_ndparams(Cluster const& cluster) {
  return overlay(defaults(nd_params), cluster.settings().ndparams);
}
json::object filled_ndparams(Cluster const& cluster, Group const& group) {
  return overlay(filled_ndparams(cluster), group.ndparams);
}
json::object filled_ndparams(Cluster const& cluster, Node const& node) {
  auto const group = cluster.groups().find(node.group);
  return overlay(group == cluster.groups().end() ? filled_ndparams(cluster)
                                                 : filled_ndparams(cluster, *group->second),
                 node.ndparams);
}
json::object filled_diskparams(Settings const& settings, DiskTemplate disk_template) {
  return overlay(defaults(disk_params(disk_template)),
                 member_object(settings.diskparams, schema::name_of(disk_template)));
}

json::object filled_diskparams(Settings const& settings, Group const& group,
                               DiskTemplate disk_template) {
  return overlay(filled_diskparams(settings, disk_template),
                 member_object(group.diskparams, schema::name_of(disk_template)));
}
json::object filled_diskparams(Cluster const& cluster, NodeId const& node,
                               DiskTemplate disk_template) {
  auto const group = cluster.group_of(node);
  return group ? filled_diskparams(cluster.settings(), *group, disk_template)
               : filled_diskparams(cluster.settings(), disk_template);
}

bool is_true(json::object const& params, std::string_view name) {
  auto const* value = params.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}
std::int64_t number_of(json::object const& params, std::string_view name) {
  auto const* value = params.if_contains(name);
  return value && value->is_int64() ? value->get_int64() : 0;
}
std::string text_of(json::object const& params, std::string_view name) {
  auto const* value = params.if_contains(name);
  return value && value->is_string() ? std::string(view(*value)) : std::string();
}

std::string python_text(json::value const& value) {
  if (value.is_bool()) return value.get_bool() ? "True" : "False";
  if (value.is_string()) return std::string(view(value));
  if (value.is_null()) return "None";
  if (!value.is_double()) return json::serialize(value);
  auto const text = fmt::format("{}", value.get_double());
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

json::object default_ipolicy() {
  json::object minmax;
  minmax["min"] = ispec({128, 1, 1, 1024, 1, 1});
  minmax["max"] = ispec({32768, 8, 16, 1048576, 8, 12});
  json::object policy;
  policy["minmax"] = json::array{minmax};
  policy["std"] = ispec({128, 1, 1, 1024, 1, 1});
  policy["vcpu-ratio"] = 4.0;
  policy["spindle-ratio"] = 32.0;
  return policy;
}

json::object filled_ipolicy(Settings const& settings) {
  auto policy = overlay(default_ipolicy(), settings.ipolicy);
  if (!policy.contains("disk-templates")) {
    json::array enabled;
    for (auto const kind : settings.enabled_disk_templates) {
      enabled.push_back(json::value(schema::name_of(kind)));
    }
    policy["disk-templates"] = std::move(enabled);
  }
  return policy;
}
json::object filled_ipolicy(Settings const& settings, Group const& group) {
  return overlay(filled_ipolicy(settings), group.ipolicy);
}
json::object filled_ipolicy(Cluster const& cluster, NodeId const& node) {
  auto const group = cluster.group_of(node);
  return group ? filled_ipolicy(cluster.settings(), *group) : filled_ipolicy(cluster.settings());
}

namespace {

constexpr std::array<std::string_view, 6> ispec_names{"memory-size", "cpu-count", "disk-count",
                                                      "disk-size",   "nic-count", "spindle-use"};

Failure bad_policy(std::string const& why) {
  return fail(ErrorCode::WrongInput, "Invalid instance policy: {}", why);
}

bool is_unset(json::value const& value) {
  if (value.is_null()) return true;
  if (value.is_number()) return value.to_number<double>() == 0;
  if (value.is_string()) return value.get_string().empty() || is_default(view(value));
  if (value.is_object()) return value.get_object().empty();
  auto const* list = value.if_array();
  return list && (list->empty() ||
                  (list->size() == 1 && (*list)[0].is_string() && is_default(view((*list)[0]))));
}

// The numbers of one end; `std` may name some only.
Result<json::object> checked_ispec(json::value const& given, std::string_view end, bool is_whole) {
  if (!given.is_object()) return bad_policy(fmt::format("'{}' is no object", end));
  json::object spec;
  for (auto const& [name, value] : given.get_object()) {
    if (std::ranges::find(ispec_names, std::string_view(name)) == ispec_names.end()) {
      return fail_as(ErrorClass::Parameter, ErrorCode::WrongInput, "Unknown parameter '{}'",
                     std::string_view(name));
    }
    spec[name] =
        TRY(to_int(Param{.name = name, .type = Int, .default_json = "0", .doc = ""}, value));
  }
  std::vector<std::string_view> missing;
  for (auto const name : ispec_names) {
    if (!spec.contains(name)) missing.push_back(name);
  }
  if (is_whole && !missing.empty()) {
    std::ranges::sort(missing);
    return bad_policy(
        fmt::format("Missing instance specs parameters for {}: {}", end, fmt::join(missing, ", ")));
  }
  return spec;
}

Result<json::array> checked_minmax(json::value const& given) {
  if (!given.is_array()) return bad_policy("'minmax' is no list");
  json::array out;
  for (auto const& pair : given.get_array()) {
    json::object ends;
    for (std::string_view const end : {"min", "max"}) {
      auto const* spec = pair.is_object() ? pair.get_object().if_contains(end) : nullptr;
      if (!spec) return bad_policy(fmt::format("Missing instance specification: {}", end));
      ends[end] = TRY(checked_ispec(*spec, end, true));
    }
    for (auto const name : ispec_names) {
      auto const low = number_of(ends["min"].get_object(), name);
      auto const high = number_of(ends["max"].get_object(), name);
      if (low <= high) continue;
      return bad_policy(
          fmt::format("Invalid specification of min/max values for {}: {}/{}", name, low, high));
    }
    out.push_back(std::move(ends));
  }
  return out;
}

Result<json::array> checked_templates(json::value const& given) {
  if (!given.is_array()) return bad_policy("'disk-templates' is no list");
  std::vector<std::string> wrong;
  for (auto const& name : given.get_array()) {
    if (name.is_string() && schema::enum_from<DiskTemplate>(view(name))) continue;
    wrong.push_back(name.is_string() ? std::string(view(name)) : json::serialize(name));
  }
  if (wrong.empty()) return given.get_array();
  return bad_policy(fmt::format("Invalid disk template(s) {}", fmt::join(wrong, ", ")));
}

Result<void> check_std(json::object const& policy) {
  auto const std_spec = member_object(policy, "std");
  auto const* all = policy.if_contains("minmax");
  if (!all || !all->is_array()) return {};
  for (auto const& pair : all->get_array()) {
    if (!pair.is_object()) return bad_policy("Each entry of minmax must be a dict");
    auto const min = member_object(pair.get_object(), "min");
    auto const max = member_object(pair.get_object(), "max");
    auto const fits = [&](std::string_view name) {
      auto const value = number_of(std_spec, name);
      return value >= number_of(min, name) && value <= number_of(max, name);
    };
    if (std::ranges::all_of(ispec_names, fits)) return {};
  }
  return bad_policy("Invalid std specifications");
}

Result<json::value> checked_entry(std::string_view key, json::value const& value,
                                  json::object const& policy, PolicyLevel level) {
  if (key == "vcpu-ratio" || key == "spindle-ratio") {
    return to_float(Param{.name = key, .type = Float, .default_json = "0", .doc = ""}, value);
  }
  if (key == "minmax") return TRY(checked_minmax(value));
  if (key == "disk-templates") return TRY(checked_templates(value));
  if (level == PolicyLevel::Group) {
    return fail(ErrorCode::WrongInput, "{} cannot appear in group instance specs", key);
  }
  return overlay(member_object(policy, key), TRY(checked_ispec(value, key, false)));
}

}  // namespace

Result<json::object> changed_ipolicy(json::object policy, json::object const& changes,
                                     PolicyLevel level) {
  constexpr std::array<std::string_view, 5> keys{"minmax", "std", "disk-templates", "vcpu-ratio",
                                                 "spindle-ratio"};
  for (auto const& [name, value] : changes) {
    std::string_view const key = name;
    if (std::ranges::find(keys, key) == keys.end()) {
      return fail(ErrorCode::WrongInput, "Invalid key in new ipolicy: {}", key);
    }
    if (!is_unset(value)) {
      policy[key] = TRY(checked_entry(key, value, policy, level));
    } else if (level == PolicyLevel::Group) {
      policy.erase(key);
    } else {
      return fail(ErrorCode::WrongInput, "Can't unset ipolicy attribute '{}' on the cluster'", key);
    }
  }
  if (level == PolicyLevel::Cluster && (changes.contains("std") || changes.contains("minmax"))) {
    TRY(check_std(policy));
  }
  return policy;
}

namespace {

struct Demand {
  std::string_view name;
  std::int64_t value;
  std::string qualifier;
};

std::vector<std::string> violations_of(json::object const& minmax,
                                       std::vector<Demand> const& demands) {
  std::vector<std::string> found;
  auto const min = member_object(minmax, "min");
  auto const max = member_object(minmax, "max");
  for (auto const& demand : demands) {
    auto const low = number_of(min, demand.name);
    auto const high = number_of(max, demand.name);
    if (max.contains(demand.name) && (demand.value < low || demand.value > high)) {
      found.push_back(fmt::format("{}{} value {} is not in range [{}, {}]", demand.name,
                                  demand.qualifier, demand.value, low, high));
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> policy_violations(json::object const& ipolicy, Instance const& instance,
                                           json::object const& beparams) {
  std::vector<Demand> demands{
      {"memory-size", number_of(beparams, "maxmem"), ""},
      {"cpu-count", number_of(beparams, "vcpus"), ""},
      {"nic-count", static_cast<std::int64_t>(instance.nics.size()), ""},
      {"spindle-use", number_of(beparams, "spindle_use"), ""},
  };
  if (has_disks(instance.disk_template)) {
    demands.push_back({"disk-count", static_cast<std::int64_t>(instance.disks.size()), ""});
    for (std::size_t i = 0; i < instance.disks.size(); ++i) {
      demands.push_back({"disk-size", instance.disks[i].size.value, fmt::format("/{}", i)});
    }
  }
  std::vector<std::string> forbidden;
  if (auto const* allowed = ipolicy.if_contains("disk-templates");
      allowed && allowed->is_array() && !allowed->get_array().empty()) {
    auto const kind = schema::name_of(instance.disk_template);
    std::vector<std::string> names;
    for (auto const& name : allowed->get_array()) {
      if (name.is_string()) names.emplace_back(view(name));
    }
    if (std::ranges::find(names, kind) == names.end()) {
      forbidden.push_back(fmt::format("Disk template {} is not allowed (allowed templates: {})",
                                      kind, fmt::join(names, ", ")));
    }
  }
  std::vector<std::string> fewest;
  auto const* all = ipolicy.if_contains("minmax");
  if (!all || !all->is_array()) return forbidden;
  bool first = true;
  for (auto const& minmax : all->get_array()) {
    if (!minmax.is_object()) continue;
    auto found = violations_of(minmax.get_object(), demands);
    if (first || found.size() < fewest.size()) fewest = std::move(found);
    first = false;
  }
  forbidden.insert(forbidden.end(), fewest.begin(), fewest.end());
  return forbidden;
}

}  // namespace flotte::model
