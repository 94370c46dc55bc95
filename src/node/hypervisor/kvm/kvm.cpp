// QEMU guests. A guest is its pid file and a process whose command line names it: nothing else is
// believed.
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>

#include "base/log.h"
#include "model/params.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/kvm/command_line.h"
#include "node/hypervisor/kvm/qmp.h"
#include "sys/files.h"
#include "sys/machine.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr mode_t directory_mode = 0750;
constexpr std::size_t socket_path_max = 107;  // unix(7)
constexpr auto qmp_timeout = 10s;
constexpr auto kill_timeout = 10s;
constexpr std::size_t log_lines_quoted = 8;
constexpr auto guest_user = "flotte-vm";

struct Process {
  pid_t pid = 0;
  std::vector<std::string> argv;
};

std::vector<std::string> split_arguments(std::string const& cmdline) {
  std::vector<std::string> argv;
  for (std::size_t at = 0; at < cmdline.size();) {
    auto const end = std::min(cmdline.find('\0', at), cmdline.size());
    argv.push_back(cmdline.substr(at, end - at));
    at = end + 1;
  }
  return argv;
}

std::string argument_of(std::vector<std::string> const& argv, std::string_view option) {
  for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
    if (argv[i] == option) return argv[i + 1];
  }
  return {};
}

std::int64_t leading_number(std::string const& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string last_lines(std::string const& text) {
  auto at = text.size();
  for (std::size_t lines = 0; at > 0 && lines <= log_lines_quoted; --at) {
    if (text[at - 1] == '\n' && ++lines > log_lines_quoted) break;
  }
  auto tail = text.substr(at);
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail;
}

// Closes the taps that QEMU has inherited by now.
class Taps {
 public:
  Taps() = default;
  ~Taps() {
    for (auto const& tap : taps) ::close(tap.fd);
  }
  Taps(Taps const&) = delete;
  Taps& operator=(Taps const&) = delete;

  std::vector<int> fds() const {
    std::vector<int> list;
    for (auto const& tap : taps) list.push_back(tap.fd);
    return list;
  }
  std::vector<sys::Tap> taps;
};

class Kvm final : public Hypervisor {
 public:
  Kvm(Paths paths, sys::Processes& processes) : paths_(std::move(paths)), processes_(processes) {
    machine_.has_kvm = sys::acceleration().has_kvm;
    if (::getuid() == 0 && ::getpwnam(guest_user)) machine_.run_as = guest_user;
  }

  Result<void> start(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_paths,
                     bool paused) override {
    auto const guard = lock(spec.name);
    if (auto const process = find(spec.name)) {
      if (argument_of(process->argv, "-uuid") == spec.uuid.text()) return {};
      return fail(ErrorCode::WrongState,
                  "Process {} already runs an instance named {} with another UUID", process->pid,
                  spec.name);
    }
    clean(spec.name);
    TRY(make_directories(spec.name));
    auto started = launch(spec, disk_paths);
    if (started && !paused) started = resume(spec.name);
    if (!started) {
      kill_process(spec.name);
      clean(spec.name);
    }
    return started;
  }

  Result<void> stop(std::string const& name, std::chrono::seconds timeout) override {
    auto const guard = lock(name);
    auto const process = find(name);
    if (process) {
      auto const machine = argument_of(process->argv, "-machine");
      auto const has_acpi = machine.find("acpi=off") == std::string::npos;
      if (timeout.count() > 0 && has_acpi) power_down(name, *process, timeout);
      TRY(kill_process(name));
    }
    clean(name);
    return {};
  }

  Result<void> soft_reboot(std::string const& name) override {
    auto const guard = lock(name);
    auto qmp = TRY(monitor_of(name));
    TRY(qmp.run("system_reset"));
    return {};
  }

  Result<void> resize_disk(std::string const& name, rpc::DiskSpec const& disk, MiB size) override {
    auto const guard = lock(name);
    auto qmp = TRY(monitor_of(name));
    json::object arguments;
    arguments["node-name"] = kvm_device_id("disk", disk.disk.uuid.text());
    arguments["size"] = size.value * 1024 * 1024;
    TRY(qmp.run("block_resize", std::move(arguments)));
    return {};
  }

  Result<std::vector<rpc::RunningInstance>> list() override {
    std::vector<rpc::RunningInstance> found;
    std::error_code error;
    for (auto const& entry : std::filesystem::directory_iterator(paths_.kvm() + "/pid", error)) {
      auto const name = entry.path().filename().string();
      auto const process = find(name);
      if (!process) continue;
      rpc::RunningInstance running;
      running.name = name;
      running.hypervisor = model::HypervisorKind::Kvm;
      running.memory = {leading_number(argument_of(process->argv, "-m"))};
      running.vcpus = leading_number(argument_of(process->argv, "-smp"));
      running.pid = process->pid;
      running.hvparams = runtime_hvparams(name);
      found.push_back(std::move(running));
    }
    return found;
  }

 private:
  std::unique_lock<std::mutex> lock(std::string const& name) {
    std::mutex* mutex = nullptr;
    {
      std::lock_guard const guard(mutex_);
      auto& slot = locks_[name];
      if (!slot) slot = std::make_unique<std::mutex>();
      mutex = slot.get();
    }
    return std::unique_lock(*mutex);
  }

  std::string file(std::string_view folder, std::string const& name) const {
    return fmt::format("{}/{}/{}", paths_.kvm(), folder, name);
  }

  // A path that is too long for a socket gets a short name; Ganeti hashes likewise.
  std::string socket(std::string const& name, std::string_view suffix) const {
    auto path = fmt::format("{}/ctrl/{}.{}", paths_.kvm(), name, suffix);
    if (path.size() <= socket_path_max) return path;
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (unsigned char const c : name) hash = (hash ^ c) * 16777619U;
    return fmt::format("{}/ctrl/.gnt-{:08x}.{}", paths_.kvm(), hash, suffix);
  }

  KvmFiles files(std::string const& name) const {
    return {.pid = file("pid", name),
            .log = fmt::format("{}/kvm/{}.log", paths_.logs(), name),
            .monitor = socket(name, "monitor"),
            .serial = socket(name, "serial"),
            .qmp = socket(name, "qmp"),
            .kvmd = socket(name, "kvmd"),
            .guest_agent = socket(name, "qga")};
  }

  Result<void> make_directories(std::string const& name) {
    for (auto const& path :
         {paths_.kvm(), paths_.kvm() + "/pid", paths_.kvm() + "/ctrl", paths_.kvm() + "/conf",
          paths_.kvm() + "/nic", file("nic", name), paths_.logs() + "/kvm"}) {
      TRY(sys::make_directories(path, directory_mode));
    }
    return {};
  }

  // The process of the pid file, if it is alive and really this guest's QEMU: pids are used again.
  std::optional<Process> find(std::string const& name) const {
    auto const text = sys::read_file(file("pid", name));
    if (!text) return std::nullopt;
    auto const pid = leading_number(*text);
    if (pid <= 1) return std::nullopt;
    auto const cmdline = sys::read_file(fmt::format("/proc/{}/cmdline", pid));
    if (!cmdline || cmdline->empty()) return std::nullopt;
    auto argv = split_arguments(*cmdline);
    auto const called = argument_of(argv, "-name");
    if (called != name && !called.starts_with(name + ",")) return std::nullopt;
    if (argument_of(argv, "-pidfile") != file("pid", name)) return std::nullopt;
    return Process{static_cast<pid_t>(pid), std::move(argv)};
  }

  Result<void> launch(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_paths) {
    Taps taps;
    TRY(make_taps(spec, taps));
    auto const at = files(spec.name);
    auto const argv = TRY(kvm_command_line(spec, disk_paths, taps.fds(), at, machine_));
    // The runtime file before QEMU: who finds the process finds what it was started with.
    TRY(write_runtime(spec, argv));
    auto const finished =
        TRY(processes_.run({.argv = argv, .timeout = 60s, .keep_fds = taps.fds()}));
    if (!finished.is_success() || !find(spec.name)) {
      auto const logged = sys::read_file(at.log, 16 << 20).value_or("");
      auto const said = last_lines(finished.errors.empty() ? logged : finished.errors);
      return fail(ErrorCode::EnvironmentError, "QEMU did not start {} (exit code {}): {}",
                  spec.name, finished.exit_status, said.empty() ? "it said nothing" : said);
    }
    for (std::size_t i = 0; i < taps.taps.size(); ++i) {
      TRY(sys::write_file(fmt::format("{}/{}", file("nic", spec.name), i), taps.taps[i].name,
                          0640));
    }
    return {};
  }

  static Result<void> make_taps(rpc::InstanceSpec const& spec, Taps& taps) {
    for (auto const& nic : spec.nics) {
      auto const mode = model::text_of(nic.params, "mode");
      auto const link = model::text_of(nic.params, "link");
      if (mode != "bridged") {
        return fail(ErrorCode::WrongInput, "NICs of mode '{}' are not built yet", mode);
      }
      if (!model::text_of(nic.params, "vlan").empty()) {
        return fail(ErrorCode::WrongInput, "VLANs on NICs are not built yet");
      }
      if (!sys::is_bridge(link)) {
        return fail(ErrorCode::EnvironmentError,
                    "Bridge '{}' does not exist on this node; create it (ip link add {} type "
                    "bridge) or choose another link",
                    link, link);
      }
      taps.taps.push_back(TRY(sys::make_tap(model::is_true(spec.hvparams, "vnet_hdr"))));
      TRY(sys::attach_to_bridge(taps.taps.back().name, link));
    }
    return {};
  }

  // As Ganeti's: [command, NICs, hypervisor parameters, disks].
  Result<void> write_runtime(rpc::InstanceSpec const& spec, std::vector<std::string> const& argv) {
    json::array command;
    for (auto const& word : argv) command.push_back(json::value(json::string_view(word)));
    json::array nics;
    for (auto const& nic : spec.nics) nics.push_back(schema::encode(nic));
    json::array disks;
    for (auto const& disk : spec.disks) disks.push_back(schema::encode(disk));
    return sys::write_file(file("conf", spec.name) + ".runtime",
                           json::serialize(json::array{std::move(command), std::move(nics),
                                                       spec.hvparams, std::move(disks)}),
                           0600);
  }

  json::object runtime_hvparams(std::string const& name) const {
    auto const text = sys::read_file(file("conf", name) + ".runtime", 1 << 20);
    auto const parsed = text ? schema::parse(*text) : Result<json::value>(json::value());
    if (!parsed || !parsed->is_array() || parsed->get_array().size() < 3 ||
        !parsed->get_array()[2].is_object()) {
      return {};
    }
    return parsed->get_array()[2].get_object();
  }

  Result<Qmp> monitor_of(std::string const& name) {
    if (!find(name)) return fail(ErrorCode::WrongState, "Instance {} does not run", name);
    return Qmp::connect(socket(name, "qmp"), qmp_timeout);
  }

  Result<void> resume(std::string const& name) {
    auto qmp = TRY(Qmp::connect(socket(name, "qmp"), qmp_timeout));
    TRY(qmp.run("cont"));
    return {};
  }

  // Asks the guest; whether it went is seen by who calls. QEMU ends by itself when the guest powers
  // off.
  void power_down(std::string const& name, Process const& process, std::chrono::seconds timeout) {
    auto qmp = Qmp::connect(socket(name, "qmp"), qmp_timeout);
    if (!qmp || !qmp->run("system_powerdown")) return;
    wait_for_end(process.pid, timeout);
  }

  Result<void> kill_process(std::string const& name) {
    auto const process = find(name);
    if (!process) return {};
    ::kill(process->pid, SIGKILL);
    if (wait_for_end(process->pid, kill_timeout)) return {};
    return fail(ErrorCode::EnvironmentError, "QEMU of {} (process {}) does not end", name,
                process->pid);
  }

  static bool wait_for_end(pid_t pid, std::chrono::milliseconds timeout) {
    int const fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd < 0) return true;
    pollfd ended{fd, POLLIN, 0};
    auto const polled = ::poll(&ended, 1, static_cast<int>(timeout.count()));
    ::close(fd);
    return polled > 0;
  }

  // What a guest that has ended leaves: nothing of it may confuse the next start. Taps go with
  // QEMU.
  void clean(std::string const& name) {
    auto const at = files(name);
    for (auto const& path : {at.pid, at.monitor, at.serial, at.qmp, at.kvmd, at.guest_agent,
                             file("conf", name) + ".runtime"}) {
      ::unlink(path.c_str());
    }
    std::error_code ignored;
    std::filesystem::remove_all(file("nic", name), ignored);
  }

  Paths paths_;
  sys::Processes& processes_;
  KvmMachine machine_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<std::mutex>> locks_;
};

}  // namespace

std::unique_ptr<Hypervisor> make_kvm(Paths const& paths, sys::Processes& processes) {
  return std::make_unique<Kvm>(paths, processes);
}

}  // namespace flotte::node
