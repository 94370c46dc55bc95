#include "node/hypervisor/kvm/trial.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "model/hypervisor_rules.h"
#include "node/hypervisor/kvm/words.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

using model::text_of;

constexpr std::size_t shapes_kept_max = 1000;
// Nobody's memory is touched, but it must be large enough for a kernel and its initial disk.
constexpr std::int64_t memory_max = 4096;
constexpr std::int64_t some_port = 11000;

// --- What is left of a command line

// A disk of zeros, or a device that is nothing, where the kernel must have a way to read it. An
// image behind an URL is opened: it is only read, and may not be there.
std::string harmless_blockdev(std::string const& value) {
  if (!kvm_property(value, "file.url").empty()) return value;
  auto const is_read_only = kvm_property(value, "read-only") == "on";
  auto const aio = kvm_property(value, "file.aio");
  return fmt::format(
      "driver=raw,node-name={},{}{}", kvm_property(value, "node-name"),
      is_read_only ? "read-only=on," : "",
      aio == "io_uring"
          ? "file.driver=host_device,file.filename=/dev/null,file.locking=off,file.aio=io_uring"
          : "file.driver=null-co,file.size=1048576,file.read-zeroes=on");
}

// A device of the host may be another guest's: it is asked for one that nobody has.
std::string harmless_device(std::string const& value) {
  return value.starts_with("usb-host,") ? "usb-host,vendorid=0xffff,productid=0xffff" : value;
}

// It is looked for on the node.
std::optional<std::string> harmless_usb(std::string const& value) {
  return value == "braille" ? std::nullopt : std::optional(value);
}

std::string harmless_vnc(std::string const& value) {
  auto const options = value.find(',');
  return options == std::string::npos ? "none" : "none" + value.substr(options);
}

// Options that kvm_command_line() writes and that touch something; nothing: it is left out.
struct Substitute {
  std::string_view option;
  std::optional<std::string> (*value)(std::string const& value);
};
using Value = std::optional<std::string>;
constexpr auto left_out = [](std::string const&) -> Value { return std::nullopt; };
constexpr Substitute substitutes[] = {
    {"-pidfile", left_out},
    {"-D", left_out},
    {"-mem-path", left_out},
    {"-chroot", left_out},
    {"-qmp", left_out},
    {"-monitor", [](std::string const&) -> Value { return "none"; }},
    {"-serial", [](std::string const& value) -> Value { return value == "none" ? value : "null"; }},
    {"-vnc", [](std::string const& value) -> Value { return harmless_vnc(value); }},
    {"-blockdev", [](std::string const& value) -> Value { return harmless_blockdev(value); }},
    {"-device", [](std::string const& value) -> Value { return harmless_device(value); }},
    {"-usbdevice", [](std::string const& value) { return harmless_usb(value); }},
    {"-chardev",
     [](std::string const& value) -> Value {
       return fmt::format("null,id={}", kvm_property(value, "id"));
     }},
    {"-netdev",
     [](std::string const& value) -> Value {
       return fmt::format("hubport,hubid=0,id={}", kvm_property(value, "id"));
     }},
};

// --- Words of kvm_extra

constexpr std::string_view harmless_flags[] = {"-enable-kvm", "-no-acpi",        "-no-fd-bootchk",
                                               "-no-hpet",    "-no-reboot",      "-no-shutdown",
                                               "-nodefaults", "-no-user-config", "-usb"};
// Options whose properties are numbers and switches, or have one of these names.
struct HarmlessOption {
  std::string_view option;
  std::vector<std::string_view> texts = {};
};
std::vector<HarmlessOption> const& harmless_options() {
  static std::vector<HarmlessOption> const options = {
      {"-accel", {"thread", "kernel-irqchip"}},
      {"-action", {"panic", "reboot", "shutdown", "watchdog"}},
      {"-boot", {"order", "once"}},
      {"-cpu", {"hv-vendor-id", "model-id", "vendor"}},
      {"-device", {"addr",    "bus",        "desc",    "failover_pair_id",
                   "guid",    "hba_serial", "id",      "mac",
                   "model",   "name",       "port",    "nqn",
                   "product", "rerror",     "serial",  "tx",
                   "uuid",    "vendor",     "ver",     "werror",
                   "duplex",  "drive-type", "fallback"}},
      {"-fw_cfg", {"name", "string"}},
      {"-global"},
      {"-icount"},
      {"-k"},
      {"-M", {"type", "accel", "kernel_irqchip", "kernel-irqchip"}},
      {"-machine", {"type", "accel", "kernel_irqchip", "kernel-irqchip"}},
      {"-msg"},
      {"-name", {"guest", "process"}},
      {"-overcommit"},
      {"-rtc", {"base", "clock", "driftfix"}},
      {"-sandbox", {"obsolete", "elevateprivileges", "spawn", "resourcecontrol"}},
      {"-smbios",
       {"asset", "bank", "date", "family", "loc_pfx", "location", "manufacturer", "part", "product",
        "release", "serial", "sku", "sock_pfx", "uuid", "value", "vendor", "version"}},
      {"-smp"},
      {"-usbdevice"},
      {"-vga"},
      {"-watchdog-action"},
  };
  return options;
}
// Devices that are something of the node, or that open something of it unless they are told what.
constexpr std::string_view drivers_of_the_node[] = {"AC97",
                                                    "ES1370",
                                                    "adlib",
                                                    "braille",
                                                    "ccid-card",
                                                    "cs4231a",
                                                    "gus",
                                                    "hda-",
                                                    "isa-pcspk",
                                                    "ivshmem",
                                                    "nvdimm",
                                                    "pc-dimm",
                                                    "pvrdma",
                                                    "sb16",
                                                    "tpm",
                                                    "u2f",
                                                    "usb-audio",
                                                    "usb-braille",
                                                    "usb-host",
                                                    "vfio",
                                                    "vhost",
                                                    "virtio-gpu-gl",
                                                    "virtio-gpu-rutabaga",
                                                    "virtio-mem",
                                                    "virtio-pmem",
                                                    "virtio-sound",
                                                    "virtio-vga-gl",
                                                    "virtio-vga-rutabaga",
                                                    "x-pci-proxy"};
// What is a file, a descriptor or memory also as a number, or switched on.
constexpr std::string_view never_harmless[] = {"fd", "vhostfd", "pcap", "mem-lock"};

// "on", "-1", "0x5.0x1", "4G"
bool is_number_or_switch(std::string_view value) {
  constexpr std::string_view switches[] = {"on", "off", "yes", "no", "true", "false", "auto"};
  if (std::ranges::find(switches, value) != std::end(switches)) return true;
  if (value.starts_with('-') || value.starts_with('+')) value.remove_prefix(1);
  return !value.empty() && value[0] >= '0' && value[0] <= '9' &&
         value.find_first_not_of("0123456789abcdefABCDEFxX.kKMGT") == std::string_view::npos;
}

bool is_harmless_property(HarmlessOption const& option, KvmProperty const& property) {
  auto const& [name, value] = property;
  auto const is_never_harmless = [](std::string_view one) {
    return one.ends_with("file") ||
           std::ranges::find(never_harmless, one) != std::end(never_harmless);
  };
  // A model, a driver, a feature: QEMU knows it by name. Or a switch that is on.
  if (name.empty()) return value.find('/') == std::string::npos && !is_never_harmless(value);
  if (std::ranges::find(option.texts, name) != option.texts.end()) return true;
  // Of -global it is "driver.property".
  return is_number_or_switch(value) &&
         !is_never_harmless(std::string_view(name).substr(name.rfind('.') + 1));
}

bool is_of_the_node(std::string_view driver) {
  return std::ranges::any_of(drivers_of_the_node,
                             [&](auto start) { return driver.starts_with(start); });
}

// What isn't known as harmless isn't: QEMU has more syntaxes (JSON among them) and properties than
// can be told here.
bool is_harmless_option(std::string_view word, std::string_view value) {
  auto const& options = harmless_options();
  auto const option = std::ranges::find(options, word, &HarmlessOption::option);
  if (option == options.end() || value.starts_with('{') || value.starts_with('-')) return false;
  auto const properties = kvm_properties(value);
  auto const names_device = word == "-device" || word == "-usbdevice";
  if (names_device && (!properties[0].name.empty() || is_of_the_node(properties[0].value))) {
    return false;
  }
  return std::ranges::all_of(
      properties, [&](auto const& property) { return is_harmless_property(*option, property); });
}

// --- The program

// The files whose content QEMU looks at.
std::string identities(boost::json::object const& hvparams) {
  auto const certificates = text_of(hvparams, "vnc_x509_path");
  std::string all;
  for (auto const& path : {text_of(hvparams, "kernel_path"), text_of(hvparams, "initrd_path"),
                           certificates + "/ca-cert.pem", certificates + "/server-cert.pem",
                           certificates + "/server-key.pem"}) {
    all += sys::identity(path) + '\n';
  }
  return all;
}

// Of hubs that lead nowhere, as they should.
std::string without_own_warnings(std::string const& said) {
  std::string kept;
  for (std::size_t at = 0; at < said.size();) {
    auto const end = std::min(said.find('\n', at), said.size());
    auto const line = std::string_view(said).substr(at, end - at);
    if (line.find("is not connected to host network") == std::string_view::npos && !line.empty()) {
      kept += fmt::format("{}{}", kept.empty() ? "" : "\n", line);
    }
    at = end + 1;
  }
  return kept;
}

class SocketPair {
 public:
  SocketPair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data()) != 0) fds_ = {-1, -1};
  }
  SocketPair(SocketPair const&) = delete;
  ~SocketPair() {
    for (int const fd : fds_) {
      if (fd >= 0) ::close(fd);
    }
  }
  int ours() const { return fds_[0]; }
  int theirs() const { return fds_[1]; }

 private:
  std::array<int, 2> fds_{};
};

}  // namespace

rpc::InstanceSpec kvm_shape(rpc::InstanceSpec spec) {
  spec.name = "trial";
  spec.uuid = InstanceId("00000000-0000-4000-8000-000000000000");
  spec.network_port = some_port;
  auto& memory = spec.beparams["maxmem"];
  memory = std::min(model::number_of(spec.beparams, "maxmem"), memory_max);
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    auto& disk = spec.disks[i].disk;
    disk.uuid = DiskId(fmt::format("{:08x}-0000-4000-8000-000000000000", i));
  }
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    auto& nic = spec.nics[i].nic;
    nic.uuid = NicId(fmt::format("{:08x}-0000-4000-8000-000000000000", i));
    nic.mac = fmt::format("aa:00:00:00:00:{:02x}", i % 0x100);
  }
  return spec;
}

std::vector<std::string> kvm_harmless(std::vector<std::string> const& argv) {
  std::vector<std::string> harmless;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    auto const& word = argv[i];
    if (word == "-daemonize" || word == "-mem-prealloc") continue;
    auto const* known = std::ranges::find(substitutes, word, &Substitute::option);
    if (known == std::end(substitutes) || i + 1 == argv.size()) {
      harmless.push_back(word);
      continue;
    }
    if (auto value = known->value(argv[++i])) {
      harmless.push_back(word);
      harmless.push_back(std::move(*value));
    }
  }
  return harmless;
}

bool kvm_is_harmless(std::vector<std::string> const& extra_words) {
  for (std::size_t i = 0; i < extra_words.size(); ++i) {
    if (std::ranges::find(harmless_flags, extra_words[i]) != std::end(harmless_flags)) continue;
    if (i + 1 == extra_words.size() || !is_harmless_option(extra_words[i], extra_words[i + 1])) {
      return false;
    }
    ++i;
  }
  return true;
}

Result<bool> KvmTrials::check(rpc::InstanceSpec const& spec, KvmMachine const& machine,
                              KvmTimeLimit const& limit) {
  auto shape = kvm_shape(spec);
  auto const binary = kvm_binary(spec.hvparams, machine);
  auto const extra = TRY(model::parse_kvm_extra(text_of(spec.hvparams, "kvm_extra")));
  auto const is_whole = kvm_is_harmless(extra);
  if (!is_whole) shape.hvparams["kvm_extra"] = "";
  constexpr int no_fd = 3;
  auto const argv = kvm_harmless(TRY(kvm_command_line(
      shape, std::vector<std::string>(shape.disks.size(), "/dev/null"),
      std::vector<KvmNicFds>(shape.nics.size(), KvmNicFds{{no_fd}, {}}), KvmFiles{}, machine)));
  auto const key = fmt::format("{}\n{}{}\n{}", sys::identity(binary), identities(spec.hvparams),
                               fmt::join(argv, "\n"), fmt::join(extra, "\n"));
  if (is_known(key)) return true;
  if (!is_whole && !TRY(try_extra_words(binary, extra, limit))) return false;
  if (!TRY(run(argv, limit))) return false;
  // What a server has today it may not have tomorrow.
  auto const is_lasting = !kvm_is_url(text_of(spec.hvparams, "cdrom_image_path")) &&
                          !kvm_is_url(text_of(spec.hvparams, "cdrom2_image_path"));
  if (is_lasting) remember(key);
  return true;
}

Result<std::optional<std::string>> KvmTrials::default_version(std::string const& binary,
                                                              std::chrono::seconds timeout) {
  auto const program = sys::identity(binary);
  {
    std::lock_guard const guard(mutex_);
    auto const known = default_versions_.find(program);
    if (known != default_versions_.end()) return known->second;
  }
  auto const finished = ask({.argv = {binary, "-machine", "help"}, .timeout = timeout});
  if (!finished) {
    return fail(ErrorCode::EnvironmentError, "Parameter kvm_path: {}", finished.error().message);
  }
  if (!*finished) return std::nullopt;
  auto const& text = (*finished)->output;
  auto const mark = text.find("(default)");
  if (mark == std::string::npos) {
    auto const said = without_own_warnings((*finished)->errors);
    return fail(ErrorCode::EnvironmentError,
                "Parameter kvm_path: {} is no QEMU: '-machine help' names no default machine{}{}",
                binary, said.empty() ? "" : ": ", said);
  }
  auto const line = text.rfind('\n', mark) == std::string::npos ? 0 : text.rfind('\n', mark) + 1;
  auto version = text.substr(line, text.find(' ', line) - line);
  std::lock_guard const guard(mutex_);
  default_versions_[program] = version;
  return version;
}

// Words that would touch something are only read: QEMU reads its whole command line before it does
// anything, and ends at the first word that it doesn't know. An option takes one value at most, so
// that one of two such words is always found, whatever stands before them.
Result<bool> KvmTrials::try_extra_words(std::string const& binary,
                                        std::vector<std::string> const& words,
                                        KvmTimeLimit const& limit) {
  constexpr auto first = "-flotte-end";
  constexpr auto second = "-flotte-end-of-all";
  std::vector<std::string> argv{binary};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), {first, second});
  auto const finished = TRY(ask({.argv = std::move(argv), .timeout = limit.left()}));
  if (!finished) return false;
  if (finished->is_success()) return true;
  auto const& said = finished->errors;
  if (said.find(fmt::format("{}: invalid option", second)) != std::string::npos) {
    return fail(ErrorCode::EnvironmentError, "kvm_extra: a value is missing behind {}",
                words.back());
  }
  if (said.find(fmt::format("{}: invalid option", first)) != std::string::npos) return true;
  return fail(ErrorCode::EnvironmentError, "kvm_extra: {}", without_own_warnings(said));
}

Result<bool> KvmTrials::run(std::vector<std::string> argv, KvmTimeLimit const& limit) {
  SocketPair const sockets;
  constexpr std::string_view quit =
      "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"quit\"}\n";
  if (sockets.ours() < 0 ||
      ::send(sockets.ours(), quit.data(), quit.size(), MSG_NOSIGNAL) != std::ssize(quit)) {
    return fail(ErrorCode::EnvironmentError, "No socket for a trial of QEMU");
  }
  auto const binary = argv.front();
  argv.insert(argv.end(), {"-chardev", fmt::format("socket,id=trial,fd={}", sockets.theirs()),
                           "-mon", "chardev=trial,mode=control"});
  // It has both ends: should the daemon be killed, it still reads that it is to quit.
  auto const finished = TRY(ask({.argv = std::move(argv),
                                 .timeout = limit.left(),
                                 .keep_fds = {sockets.ours(), sockets.theirs()}}));
  if (!finished) return false;
  auto const said = without_own_warnings(finished->errors);
  if (!finished->is_success()) {
    return fail(ErrorCode::EnvironmentError, "QEMU would not start: {}",
                said.empty() ? fmt::format("{} ended with exit code {} and said nothing", binary,
                                           finished->exit_status)
                             : said);
  }
  std::array<char, 16> greeting{};
  auto const got = ::recv(sockets.ours(), greeting.data(), greeting.size(), MSG_DONTWAIT);
  if (got > 0 &&
      std::string_view(greeting.data(), greeting.size()).find("QMP") != std::string::npos) {
    return true;
  }
  return fail(ErrorCode::EnvironmentError, "Parameter kvm_path: {} is no QEMU", binary);
}

Result<std::optional<sys::Finished>> KvmTrials::ask(sys::Command command) {
  if (command.timeout <= std::chrono::seconds(0)) return std::nullopt;
  TRY(sys::make_directories(sessions_, 0700));
  command.session_record = fmt::format("{}/{}", sessions_, ++asked_);
  auto finished = TRY(processes_.run(command));
  if (finished.timed_out) return std::nullopt;
  return finished;
}

bool KvmTrials::is_known(std::string const& shape) {
  std::lock_guard const guard(mutex_);
  return taken_.contains(shape);
}

void KvmTrials::remember(std::string const& shape) {
  std::lock_guard const guard(mutex_);
  if (taken_.size() >= shapes_kept_max) taken_.clear();
  taken_.insert(shape);
}

}  // namespace flotte::node
