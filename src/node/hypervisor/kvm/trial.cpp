#include "node/hypervisor/kvm/trial.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "model/hypervisor_rules.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

using model::text_of;

constexpr std::size_t shapes_kept_max = 1000;
// Nobody's memory is touched, but it must be large enough for a kernel and its initial disk.
constexpr std::int64_t memory_max = 4096;
constexpr std::int64_t some_port = 11000;

// --- What is left of a command line

// What follows `name=` in an option's value; empty: nothing.
std::string_view property(std::string_view value, std::string_view name) {
  for (std::size_t at = 0; at < value.size();) {
    auto const end = std::min(value.find(',', at), value.size());
    auto const part = value.substr(at, end - at);
    if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) {
      return part.substr(name.size() + 1);
    }
    at = end + 1;
  }
  return {};
}

// A disk of zeros, or a device that is nothing, where the kernel must have a way to read it. An
// image behind an URL is opened: it is only read, and may not be there.
std::string harmless_blockdev(std::string const& value) {
  if (!property(value, "file.url").empty()) return value;
  auto const is_read_only = property(value, "read-only") == "on";
  auto const aio = property(value, "file.aio");
  return fmt::format(
      "driver=raw,node-name={},{}{}", property(value, "node-name"),
      is_read_only ? "read-only=on," : "",
      aio == "io_uring"
          ? "file.driver=host_device,file.filename=/dev/null,file.locking=off,file.aio=io_uring"
          : "file.driver=null-co,file.size=1048576,file.read-zeroes=on");
}

// A device of the host may be another guest's: it is asked for one that nobody has.
std::string harmless_device(std::string const& value) {
  return value.starts_with("usb-host,") ? "usb-host,vendorid=0xffff,productid=0xffff" : value;
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
    {"-chardev",
     [](std::string const& value) -> Value {
       return fmt::format("null,id={}", property(value, "id"));
     }},
    {"-netdev",
     [](std::string const& value) -> Value {
       return fmt::format("hubport,hubid=0,id={}", property(value, "id"));
     }},
};

// --- Words of kvm_extra

constexpr std::string_view harmless_with_value[] = {
    "-accel",  "-action",  "-boot",   "-cpu",     "-device",    "-fw_cfg", "-global",
    "-icount", "-k",       "-M",      "-machine", "-msg",       "-name",   "-overcommit",
    "-rtc",    "-sandbox", "-smbios", "-smp",     "-usbdevice", "-vga",    "-watchdog-action"};
constexpr std::string_view harmless_flags[] = {"-enable-kvm", "-no-acpi",        "-no-fd-bootchk",
                                               "-no-hpet",    "-no-reboot",      "-no-shutdown",
                                               "-nodefaults", "-no-user-config", "-usb"};
// Devices that are something of the node, and properties that name something behind a device.
constexpr std::string_view drivers_of_the_node[] = {
    "vfio",       "usb-host",    "vhost", "ivshmem", "nvdimm",   "pc-dimm",
    "virtio-mem", "virtio-pmem", "tpm",   "u2f",     "ccid-card"};
constexpr std::string_view references[] = {
    "drive",    "netdev", "chardev", "memdev",    "fsdev",      "audiodev", "iothread", "host",
    "sysfsdev", "tpmdev", "rng",     "cryptodev", "hostdevice", "evdev",    "display"};

bool is_harmless_device(std::string_view value) {
  return std::ranges::none_of(drivers_of_the_node,
                              [&](auto driver) { return value.starts_with(driver); }) &&
         std::ranges::none_of(references,
                              [&](auto name) { return !property(value, name).empty(); });
}

bool names_a_file(std::string_view value) {
  return value.find('/') != std::string_view::npos ||
         value.find("file=") != std::string_view::npos ||
         value.find("memory-backend") != std::string_view::npos;
}

bool is_harmless_option(std::string_view option, std::string_view value) {
  if (std::ranges::find(harmless_with_value, option) == std::end(harmless_with_value)) return false;
  return !names_a_file(value) && (option != "-device" || is_harmless_device(value));
}

// --- The program

bool is_url(std::string_view path) {
  return path.find("://") != std::string_view::npos;
}

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
  auto const is_lasting = !is_url(text_of(spec.hvparams, "cdrom_image_path")) &&
                          !is_url(text_of(spec.hvparams, "cdrom2_image_path"));
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
  auto const finished =
      TRY(ask({.argv = std::move(argv), .timeout = limit.left(), .keep_fds = {sockets.theirs()}}));
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
  command.ends_with_caller = true;
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
