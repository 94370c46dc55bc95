#include "model/hypervisor_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "model/nic_rules.h"

namespace flotte::model {
namespace {

template <class... Args>
Failure broken(fmt::format_string<Args...> format, Args&&... args) {
  return fail_as(ErrorClass::Hypervisor, ErrorCode::WrongInput, format,
                 std::forward<Args>(args)...);
}

Failure not_built(std::string_view what) {
  return fail(ErrorCode::WrongInput, "Hypervisor parameter {} is not built yet", what);
}

Result<void> check_what_is_built(json::object const& hv) {
  if (!text_of(hv, "spice_bind").empty()) return not_built("'spice_bind' (SPICE)");
  if (!text_of(hv, "migration_caps").empty()) return not_built("'migration_caps'");
  if (text_of(hv, "security_model") == "pool") return not_built("'security_model=pool'");
  auto const disk_type = text_of(hv, "disk_type");
  if (disk_type != "paravirtual" && disk_type != "ide" && disk_type != "scsi-hd") {
    return not_built(fmt::format("'disk_type={}'", disk_type));
  }
  auto const cdrom_type = text_of(hv, "cdrom_disk_type");
  if (!cdrom_type.empty() && cdrom_type != "paravirtual" && cdrom_type != "ide" &&
      cdrom_type != "scsi-cd") {
    return not_built(fmt::format("'cdrom_disk_type={}'", cdrom_type));
  }
  return {};
}

// What SPICE is told makes no sense without SPICE; as Ganeti, not the parameters that are common
// defaults of a cluster.
Result<void> check_spice(json::object const& hv) {
  for (auto const* name :
       {"spice_password_file", "spice_image_compression", "spice_jpeg_wan_compression",
        "spice_zlib_glz_wan_compression", "spice_streaming_video"}) {
    if (!text_of(hv, name).empty()) {
      return broken("SPICE: {} requires spice_bind to be set", name);
    }
  }
  if (number_of(hv, "spice_ip_version") != 0) {
    return broken("SPICE: spice_ip_version requires spice_bind to be set");
  }
  if (is_true(hv, "spice_use_tls")) {
    return broken("SPICE: spice_use_tls requires spice_bind to be set");
  }
  return {};
}

// An address, a directory, or the name of an interface, which may have dots, too.
Result<void> check_vnc(json::object const& hv) {
  auto const address = text_of(hv, "vnc_bind_address");
  if (address.empty()) return {};
  constexpr std::size_t interface_bytes_max = 15;
  auto const is_like_ip = address.find_first_not_of("0123456789.") == std::string::npos ||
                          address.find(':') != std::string::npos;
  auto const is_interface = address.size() <= interface_bytes_max &&
                            address.find_first_of(" \t\n,/") == std::string::npos && !is_like_ip;
  if (address.front() != '/' && !is_ip(address) && !is_interface) {
    return broken(
        "vnc_bind_address: '{}' is neither a valid IP address nor an absolute directory nor the "
        "name of a network interface",
        address);
  }
  if (is_true(hv, "vnc_x509_verify") && text_of(hv, "vnc_x509_path").empty()) {
    return broken("vnc_x509_path must be defined, if vnc_x509_verify is");
  }
  if (is_true(hv, "vnc_x509_verify") && !is_true(hv, "vnc_tls")) {
    return broken("vnc_tls must be set, if vnc_x509_verify is");
  }
  return {};
}

Result<void> check_security(json::object const& hv) {
  auto const is_user = text_of(hv, "security_model") == "user";
  auto const domain = text_of(hv, "security_domain");
  if (is_user && domain.empty()) {
    return broken("A security domain (user to run kvm as) must be specified");
  }
  if (!is_user && !domain.empty()) {
    return broken("Cannot have a security domain when the security model is 'none' or 'pool'");
  }
  return {};
}

Result<void> check_boot(json::object const& hv) {
  constexpr std::array<std::int64_t, 18> speeds{75,    110,   300,    600,    1200,   1800,
                                                2400,  4800,  9600,   14400,  19200,  28800,
                                                38400, 57600, 115200, 230400, 345600, 460800};
  auto const has_kernel = !text_of(hv, "kernel_path").empty();
  if (has_kernel && text_of(hv, "root_path").empty()) {
    return broken("Need a root partition for the instance, if a kernel is defined");
  }
  if (is_true(hv, "serial_console") &&
      std::ranges::find(speeds, number_of(hv, "serial_speed")) == speeds.end()) {
    return broken("Invalid serial console speed, must be one of: {}", fmt::join(speeds, ", "));
  }
  auto const order = text_of(hv, "boot_order");
  if (order == "cdrom" && text_of(hv, "cdrom_image_path").empty()) {
    return broken("Cannot boot from cdrom without an ISO path; set cdrom_image_path");
  }
  if (order == "floppy" && text_of(hv, "floppy_image_path").empty()) {
    return broken("Cannot boot from floppy without an image; set floppy_image_path");
  }
  return {};
}

// What the drivers of QEMU would say when they open the disks: no trial has these.
Result<void> check_disks(json::object const& hv) {
  if (text_of(hv, "disk_aio") == "native" && text_of(hv, "disk_cache") != "none") {
    return broken(
        "When 'disk_aio' is set to 'native', the only supported value for 'disk_cache' is 'none'.");
  }
  return {};
}

std::optional<int> number_below(std::string_view text, int limit, int base = 10) {
  int value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value >= limit) {
    return std::nullopt;
  }
  return value;
}

std::optional<int> small_number(std::string_view text) {
  constexpr int cpus_max = 4096;
  return number_below(text, cpus_max);
}

// "host:1.4" (bus and address) or "host:046d:c52b" (vendor and product), as QEMU took them once.
std::optional<std::string> device_of_host(std::string_view where) {
  constexpr int buses_max = 256;
  constexpr int addresses_max = 128;
  constexpr int ids_max = 0x10000;
  constexpr int hexadecimal = 16;
  if (auto const dot = where.find('.'); dot != std::string_view::npos) {
    auto const bus = number_below(where.substr(0, dot), buses_max);
    auto const address = number_below(where.substr(dot + 1), addresses_max);
    if (!bus || !address) return std::nullopt;
    return fmt::format("hostbus={},hostaddr={}", *bus, *address);
  }
  auto const colon = std::min(where.find(':'), where.size());
  auto const product_at = std::min(colon + 1, where.size());
  auto const vendor = number_below(where.substr(0, colon), ids_max, hexadecimal);
  auto const product = number_below(where.substr(product_at), ids_max, hexadecimal);
  if (!vendor || !product) return std::nullopt;
  return fmt::format("vendorid={:#06x},productid={:#06x}", *vendor, *product);
}

// "0-3,5"
Result<CpuList> parse_cpu_list(std::string_view text) {
  CpuList cpus;
  if (text == "all") return cpus;
  for (std::size_t at = 0; at <= text.size();) {
    auto const end = std::min(text.find(',', at), text.size());
    auto const part = text.substr(at, end - at);
    auto const dash = std::min(part.find('-'), part.size());
    auto const first = small_number(part.substr(0, dash));
    auto const last = dash == part.size() ? first : small_number(part.substr(dash + 1));
    if (!first || !last || *last < *first) {
      return fail(ErrorCode::WrongInput, "'{}' is not a CPU number or a range of them such as 0-3",
                  part);
    }
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    at = end + 1;
  }
  return cpus;
}

}  // namespace

Result<void> check_hypervisor(HypervisorKind kind, json::object const& filled) {
  if (kind != HypervisorKind::Kvm) return {};
  TRY(check_what_is_built(filled));
  TRY(check_spice(filled));
  TRY(check_vnc(filled));
  TRY(check_security(filled));
  TRY(check_disks(filled));
  TRY(parse_cpu_mask(text_of(filled, "cpu_mask")));
  TRY(parse_kvm_extra(text_of(filled, "kvm_extra")));
  TRY(parse_usb_devices(text_of(filled, "usb_devices")));
  return check_boot(filled);
}

Result<void> check_start(HypervisorKind kind, json::object const& hvparams,
                         json::object const& beparams) {
  TRY(check_hypervisor(kind, hvparams));
  auto const lists = TRY(parse_cpu_mask(text_of(hvparams, "cpu_mask")));
  auto const vcpus = number_of(beparams, "vcpus");
  if (lists.size() <= 1 || std::cmp_equal(lists.size(), vcpus)) return {};
  return fail(ErrorCode::WrongInput,
              "Number of vCPUs [{}] does not match the CPU mask [{}]; give one list of CPUs for "
              "all, or one each",
              vcpus, text_of(hvparams, "cpu_mask"));
}

Result<std::vector<CpuList>> parse_cpu_mask(std::string_view mask) {
  std::vector<CpuList> lists;
  if (mask.empty() || mask == "all") return lists;
  for (std::size_t at = 0; at <= mask.size();) {
    auto const end = std::min(mask.find(':', at), mask.size());
    auto list = parse_cpu_list(mask.substr(at, end - at));
    if (!list) {
      return broken(
          "Parameter 'cpu_mask' fails syntax check: Multiple CPU mask definition is not "
          "well-formed (current value: '{}'); {}",
          mask, list.error().message);
    }
    lists.push_back(std::move(*list));
    at = end + 1;
  }
  return lists;
}

Result<std::vector<std::string>> parse_kvm_extra(std::string_view text) {
  std::vector<std::string> words;
  char quote = 0;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    bool const is_space = c == ' ' || c == '\t' || c == '\n';
    if (quote == 0 && is_space) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'') {
      if (i + 1 == text.size()) return broken("kvm_extra: it ends with a backslash");
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote == 0) return words;
  return broken("kvm_extra: a quote {} is not closed", quote);
}

Result<std::vector<UsbDevice>> parse_usb_devices(std::string_view text) {
  constexpr std::string_view separators = " ,";
  constexpr std::string_view host = "host:";
  std::vector<UsbDevice> devices;
  for (auto at = text.find_first_not_of(separators); at != std::string_view::npos;
       at = text.find_first_not_of(separators, at)) {
    auto const end = std::min(text.find_first_of(separators, at), text.size());
    auto const part = text.substr(at, end - at);
    at = end;
    if (part.find(':') == std::string_view::npos) {
      devices.push_back({.emulated = std::string(part), .of_host = {}});
      continue;
    }
    auto of_host = part.starts_with(host) ? device_of_host(part.substr(host.size())) : std::nullopt;
    if (!of_host) {
      return broken(
          "usb_devices: '{}' is none of tablet, mouse, keyboard and the like, host:BUS.ADDRESS and "
          "host:VENDOR:PRODUCT (see lsusb); another device is added by kvm_extra='-device usb-…'",
          part);
    }
    devices.push_back({.emulated = {}, .of_host = std::move(*of_host)});
  }
  return devices;
}

}  // namespace flotte::model
