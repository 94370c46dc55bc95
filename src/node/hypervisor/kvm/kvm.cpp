// QEMU guests: how they are started, stopped and looked at.
//
// Nothing ties a guest to this daemon: QEMU daemonizes, and all that is known about it lies below
// <run>/kvm-hypervisor, so that the next daemon goes on where this one was killed.
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/boundary.h"
#include "base/log.h"
#include "model/hypervisor_rules.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/kvm/command_line.h"
#include "node/hypervisor/kvm/console_log.h"
#include "node/hypervisor/kvm/hotplug.h"
#include "node/hypervisor/kvm/node_checks.h"
#include "node/hypervisor/kvm/qmp.h"
#include "node/hypervisor/kvm/runtime.h"
#include "node/hypervisor/kvm/trial.h"
#include "node/hypervisor/kvm/vnc.h"
#include "node/network/nics.h"
#include "node/programs/allowed_programs.h"
#include "sys/files.h"
#include "sys/machine.h"
#include "sys/network.h"
#include "sys/scope.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto qmp_timeout = 10s;
constexpr auto look_timeout = 500ms;  // one guest that hangs must not hold up a list for long
constexpr auto launch_timeout = 60s;
constexpr auto trial_timeout = 20s;  // shorter than a controller waits for an answer
constexpr auto look_again = 20ms;
constexpr int looks_max = 10;
constexpr auto tend_interval = 2s;
constexpr int rounds_between_filters = 5;
constexpr auto button_interval = 5s;
constexpr auto term_timeout = 5s;
constexpr auto kill_timeout = 10s;
constexpr std::size_t quoted_bytes_max = 16384;
constexpr std::size_t log_bytes_max = 16 << 20;
constexpr auto guest_user = "flotte-vm";
constexpr mode_t chroot_mode = 0755;

std::int64_t leading_number(std::string const& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What QEMU said, whole: its reason may be the first line or the last. Of very much the ends.
std::string whole(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return "it said nothing";
  if (text.size() <= quoted_bytes_max) return std::string(text);
  auto const half = quoted_bytes_max / 2;
  return fmt::format("{}\n[{} bytes are left out]\n{}", text.substr(0, half),
                     text.size() - 2 * half, text.substr(text.size() - half));
}

std::string hangs(std::string_view binary, std::chrono::seconds waited) {
  return fmt::format("{} did not answer within {} s; see whether '{} -machine help' does", binary,
                     waited.count(), binary);
}

// Who can't tell doesn't refuse.
std::string cannot_tell(std::string_view binary) {
  return fmt::format("Can't tell whether it would start: {}", hangs(binary, trial_timeout));
}

class Kvm final : public Hypervisor {
 public:
  Kvm(Paths const& paths, Clock& clock, sys::Processes& processes)
      : paths_(paths),
        clock_(clock),
        runtime_(paths, guest_user),
        nics_(paths, processes),
        processes_(processes),
        trials_(paths, processes) {
    machine_.has_kvm = sys::acceleration().has_kvm;
    machine_.has_default_kvm_path = sys::exists("/usr/bin/kvm");
    if (::getuid() == 0 && ::getpwnam(guest_user)) machine_.run_as = guest_user;
    tender_ = std::jthread([this](std::stop_token const& stopping) { tend(stopping); });
  }

  Result<rpc::HypervisorAdvice> check(rpc::InstanceSpec const& spec) override {
    TRY(check_kvm_on_node(spec));
    // Also what is only read in a trial must be allowed.
    auto words = TRY(model::parse_kvm_extra(model::text_of(spec.hvparams, "kvm_extra")));
    words.insert(words.begin(), kvm_binary(spec.hvparams, machine_));
    TRY(require_qemu_allowed(paths_, words));
    rpc::HypervisorAdvice advice{.warnings = kvm_advice(spec.hvparams)};
    advice.is_known = TRY(is_taken(spec));
    if (!advice.is_known) advice.warnings.push_back(cannot_tell(words[0]));
    return advice;
  }

  Result<void> start(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_paths,
                     bool paused) override {
    auto const guard = lock(spec.name);
    auto const running = runtime_.find_all(spec.name);
    for (auto const& process : running) {
      if (process.argument("-uuid") == spec.uuid.text()) continue;
      return fail(ErrorCode::WrongState,
                  "Process {} already runs an instance named {} with another UUID", process.pid(),
                  spec.name);
    }
    TRY(settle(spec.name));
    if (runtime_.find(spec.name)) {
      if (paused || !runtime_.is_marked_paused(spec.name)) return {};
      // Whoever started it may have been killed before the guest was let go, or even before QEMU
      // was ready to hear.
      wait_for_monitor(spec.name);
      if (runtime_.find(spec.name)) return resume(spec, TRY(vnc_password(spec)));
    }
    // No pid file: it was left by a daemon killed in the middle of a start, and has not run yet.
    TRY(end_all(spec.name));
    clean(spec.name);
    runtime_.unmark_user_down(spec.name);
    TRY(check_kvm_on_node(spec));
    auto const password = TRY(vnc_password(spec));
    TRY(runtime_.make_directories(spec.name));
    auto started = launch(spec, disk_paths);
    if (started) started = let_go(spec, password, paused);
    if (started) return started;
    TRY(end_all(spec.name));
    clean(spec.name);
    return started;
  }

  Result<void> stop(std::string const& name, std::chrono::seconds timeout) override {
    auto const guard = lock(name);
    if (auto const process = runtime_.find(name); process && timeout > 0s) {
      power_down(name, *process, timeout);
    }
    TRY(end_all(name));
    clean(name);
    runtime_.unmark_user_down(name);
    return {};
  }

  Result<void> soft_reboot(std::string const& name) override {
    auto const guard = lock(name);
    TRY(settle(name));
    auto const process = runtime_.find(name);
    if (process && process->has_flag("-no-reboot")) {
      return fail(ErrorCode::WrongState,
                  "Instance {} was started with reboot_behavior=exit: a reset would end it; reboot "
                  "it with --type=hard",
                  name);
    }
    auto qmp = TRY(monitor_of(name));
    TRY(qmp.run("system_reset"));
    return {};
  }

  Result<void> adjust(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_paths,
                      GoesOn const& goes_on) override {
    auto const guard = lock(spec.name);
    TRY(settle(spec.name));
    if (!runtime_.find(spec.name)) return {};
    auto const adjusted = adjust_running(spec, disk_paths, goes_on);
    // One that has ended meanwhile has nothing to be adjusted.
    if (adjusted || !runtime_.find(spec.name)) return {};
    auto error = adjusted.error();
    if (error.error_class == ErrorClass::Unreachable) error.error_class = ErrorClass::ByStage;
    return Failure(std::move(error));
  }

  std::vector<std::string> asked() override { return runtime_.marked_leaving(); }

  std::optional<rpc::InstanceSpec> lacking(std::string const& name) override {
    auto const guard = std::unique_lock(mutex_of(name), std::try_to_lock);
    if (!guard || !has_let_go(name)) return std::nullopt;
    return recorded(name);
  }

  Result<void> balloon(std::string const& name, MiB memory) override {
    auto const guard = lock(name);
    if (!runtime_.find(name)) return {};
    auto qmp = TRY(monitor_of(name));
    TRY(qmp.run("balloon", {{"value", memory.value * 1024 * 1024}}));
    auto guest = runtime_.load(name);
    guest.memory = memory.value;
    return runtime_.save(name, guest);
  }

  bool uses(std::string const& name, DiskId const& disk) override {
    if (!runtime_.find(name)) return false;
    auto const guest = runtime_.load(name);
    return std::ranges::find(guest.disks, disk, [](KvmDisk const& one) { return one.disk.uuid; }) !=
           guest.disks.end();
  }

  Result<void> resize_disk(std::string const& name, rpc::DiskSpec const& disk, MiB size) override {
    auto const guard = lock(name);
    auto qmp = TRY(monitor_of(name));
    // It doesn't have it yet: one that was added for the next start is as large as it is then.
    if (!uses(name, disk.disk.uuid)) return {};
    json::object arguments;
    arguments["node-name"] = kvm_device_id("disk", disk.disk.uuid.text());
    arguments["size"] = size.value * 1024 * 1024;
    TRY(qmp.run("block_resize", std::move(arguments)));
    return {};
  }

  bool is_running(std::string const& name) override { return runtime_.find(name).has_value(); }

  Result<std::vector<rpc::RunningInstance>> list(std::vector<std::string> const& only) override {
    std::vector<rpc::RunningInstance> found;
    settle(only.empty() ? runtime_.names() : only);
    for (auto const& name : only.empty() ? runtime_.names() : only) {
      auto const process = runtime_.find(name);
      if (!process) continue;
      rpc::RunningInstance running;
      running.name = name;
      running.hypervisor = model::HypervisorKind::Kvm;
      running.state = state_of(name);
      auto guest = runtime_.load(name);
      running.memory_max = {leading_number(process->argument("-m"))};
      running.memory = guest.memory ? MiB{*guest.memory} : running.memory_max;
      running.vcpus = leading_number(process->argument("-smp"));
      running.cpu_seconds = process->cpu_seconds();
      running.pid = process->pid();
      running.hvparams = std::move(guest.hvparams);
      for (auto& one : guest.nics) {
        auto const lacks_filter = nics_.lacks_filter(one.nic, one.tap);
        running.nics.push_back(
            {one.nic.nic.uuid, one.tap, std::move(one.nic.params), lacks_filter});
      }
      for (auto const& one : guest.disks) running.disks.push_back(one.disk.uuid);
      found.push_back(std::move(running));
    }
    for (auto const& name : runtime_.marked_user_down()) {
      if (runtime_.find(name)) continue;
      if (!only.empty() && std::ranges::find(only, name) == only.end()) continue;
      rpc::RunningInstance down;
      down.name = name;
      down.hypervisor = model::HypervisorKind::Kvm;
      down.state = rpc::RunState::UserDown;
      found.push_back(std::move(down));
    }
    return found;
  }

 private:
  std::unique_lock<std::mutex> lock(std::string const& name) {
    return std::unique_lock(mutex_of(name));
  }
  std::mutex& mutex_of(std::string const& name) {
    std::lock_guard const guard(mutex_);
    auto& slot = locks_[name];
    if (!slot) slot = std::make_unique<std::mutex>();
    return *slot;
  }

  // --- Starting

  // False: QEMU takes too long to say so.
  Result<bool> is_taken(rpc::InstanceSpec const& spec) {
    KvmTimeLimit const limit(clock_, trial_timeout);
    auto const machine = TRY(machine_for(spec, limit.left()));
    return machine && TRY(trials_.check(spec, *machine, limit));
  }

  // Ends with a QEMU that has not let its guest go yet.
  Result<void> launch(rpc::InstanceSpec const& spec, std::vector<std::string> const& disk_paths) {
    auto const devices = TRY(kvm_devices(spec));
    auto const machine = TRY(machine_for(spec, launch_timeout));
    if (!machine) {
      return fail(ErrorCode::EnvironmentError, "QEMU did not start {}: {}", spec.name,
                  hangs(kvm_binary(spec.hvparams, machine_), launch_timeout));
    }
    KvmGuest guest(spec, disk_paths, devices);
    auto const taps = TRY(open_taps(spec, guest));
    std::vector<KvmNicFds> fds;
    std::vector<int> kept;
    for (auto const& tap : taps) {
      fds.push_back({tap.taps(), tap.vhosts()});
      kept.insert(kept.end(), tap.taps().begin(), tap.taps().end());
      kept.insert(kept.end(), tap.vhosts().begin(), tap.vhosts().end());
    }
    guest.argv = TRY(kvm_command_line(with_vnc_address(spec), disk_paths, fds,
                                      runtime_.files(spec.name), *machine));
    TRY(require_qemu_allowed(paths_, guest.argv));
    // Written before QEMU runs: who finds the process finds what it was started with, and that its
    // guest was not let go yet.
    TRY(runtime_.save(spec.name, guest));
    TRY(runtime_.mark_paused(spec.name));
    TRY(begin_console_log(runtime_.files(spec.name).console_log));
    // QEMU begins it anew as well, but only when it has something to say: what stands in it
    // afterwards is of this start.
    TRY(sys::remove_file(runtime_.files(spec.name).log));
    if (model::is_true(spec.hvparams, "use_chroot")) {
      TRY(sys::make_directories(runtime_.files(spec.name).chroot, chroot_mode));
    }
    auto const finished = TRY(processes_.run(
        {.argv = sys::in_own_scope(kvm_scope(spec.name, spec.uuid, spec.epoch),
                                   fmt::format("Flotte guest {}", spec.name), guest.argv),
         .timeout = launch_timeout,
         .keep_fds = kept}));
    if (finished.is_success() && runtime_.find(spec.name)) return {};
    return fail(
        ErrorCode::EnvironmentError, "QEMU did not start {} ({}): {}", spec.name,
        finished.timed_out ? "time is up" : fmt::format("exit code {}", finished.exit_status),
        whole(finished.errors + logged(spec.name)));
  }

  // Written down before anything is connected: clean() must know of NICs what there is to undo.
  Result<std::vector<OpenTap>> open_taps(rpc::InstanceSpec const& spec, KvmGuest& guest) {
    std::vector<OpenTap> taps;
    for (std::size_t i = 0; i < spec.nics.size(); ++i) {
      auto tap = TRY(nics_.open(spec, i));
      guest.nics[i].tap = tap.name();
      TRY(runtime_.save(spec.name, guest));
      TRY(nics_.up(spec, i, tap.name()));
      taps.push_back(std::move(tap));
    }
    return taps;
  }

  // Nothing: QEMU takes too long to say what its own machine is.
  Result<std::optional<KvmMachine>> machine_for(rpc::InstanceSpec const& spec,
                                                std::chrono::seconds timeout) {
    auto machine = machine_;
    auto const binary = kvm_binary(spec.hvparams, machine);
    TRY(require_allowed(paths_, binary));
    auto version = TRY(trials_.default_version(binary, timeout));
    if (!version) return std::nullopt;
    machine.default_version = std::move(*version);
    return machine;
  }

  // Read before QEMU starts: a display with a wrong password file is no display.
  static Result<std::optional<std::string>> vnc_password(rpc::InstanceSpec const& spec) {
    auto const file = model::text_of(spec.hvparams, "vnc_password_file");
    if (file.empty() || model::text_of(spec.hvparams, "vnc_bind_address").empty()) {
      return std::nullopt;
    }
    return std::optional(TRY(read_vnc_password(file)));
  }

  // An interface's name stands for its address.
  static rpc::InstanceSpec with_vnc_address(rpc::InstanceSpec spec) {
    auto const name = model::text_of(spec.hvparams, "vnc_bind_address");
    if (auto const address = sys::address_of(name); !address.empty()) {
      spec.hvparams["vnc_bind_address"] = json::string_view(address);
    }
    return spec;
  }

  // What a QEMU that stands still is told before its guest may go.
  static Result<void> prepare(Qmp& qmp, rpc::InstanceSpec const& spec,
                              std::optional<std::string> const& password) {
    if (password) {
      TRY(qmp.run("set_password",
                  {{"protocol", "vnc"}, {"password", json::string_view(*password)}}));
    }
    auto const lists = TRY(model::parse_cpu_mask(model::text_of(spec.hvparams, "cpu_mask")));
    if (lists.empty()) return {};
    auto const cpus = TRY(qmp.run("query-cpus-fast"));
    for (auto const& cpu : cpus.is_array() ? cpus.get_array() : json::array()) {
      auto const* object = cpu.if_object();
      if (!object) continue;
      auto const index = static_cast<std::size_t>(model::number_of(*object, "cpu-index"));
      auto const thread = static_cast<pid_t>(model::number_of(*object, "thread-id"));
      if (lists.size() > 1 && index >= lists.size()) {
        return fail(ErrorCode::WrongInput, "cpu_mask has {} lists, but there is a processor {}",
                    lists.size(), index);
      }
      TRY(sys::bind_thread(thread, lists.size() == 1 ? lists[0] : lists[index]));
    }
    return {};
  }

  Result<void> resume(rpc::InstanceSpec const& spec, std::optional<std::string> const& password) {
    auto qmp = TRY(Qmp::connect(runtime_.files(spec.name).qmp, qmp_timeout));
    TRY(prepare(qmp, spec, password));
    TRY(qmp.run("cont"));
    runtime_.unmark_paused(spec.name);
    return {};
  }

  // Or for the end of a QEMU that doesn't get that far.
  void wait_for_monitor(std::string const& name) const {
    auto const until = std::chrono::steady_clock::now() + launch_timeout;
    while (runtime_.find(name) && !Qmp::connect(runtime_.files(name).qmp, look_timeout) &&
           std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(look_again);
    }
  }

  Result<void> prepare_paused(rpc::InstanceSpec const& spec,
                              std::optional<std::string> const& password) {
    auto qmp = TRY(Qmp::connect(runtime_.files(spec.name).qmp, qmp_timeout));
    return prepare(qmp, spec, password);
  }

  Result<void> let_go(rpc::InstanceSpec const& spec, std::optional<std::string> const& password,
                      bool paused) {
    auto const done = paused ? prepare_paused(spec, password) : resume(spec, password);
    if (done || done.error().error_class != ErrorClass::Unreachable) return done;
    // This node is reachable: what is gone is the guest.
    return fail(ErrorCode::EnvironmentError, "QEMU of {} ended right after its start: {} ({})",
                spec.name, whole(logged(spec.name)), done.error().message);
  }

  std::string logged(std::string const& name) const {
    return sys::read_file(runtime_.files(name).log, log_bytes_max).value_or("");
  }

  Result<void> adjust_running(rpc::InstanceSpec const& spec,
                              std::vector<std::string> const& disk_paths, GoesOn const& goes_on) {
    auto qmp = TRY(Qmp::connect(runtime_.files(spec.name).qmp, qmp_timeout));
    return adjust_devices(qmp, runtime_, nics_, spec, disk_paths, goes_on);
  }

  bool has_let_go(std::string const& name) const {
    auto const asked = runtime_.leaving(name);
    if (asked.empty() || !runtime_.find(name)) return false;
    auto qmp = Qmp::connect(runtime_.files(name).qmp, look_timeout);
    auto const present = qmp ? devices_of(*qmp) : Result<std::set<std::string>>(asked);
    return present && !std::ranges::includes(*present, asked);
  }

  // What it should have, as an adjustment is told.
  rpc::InstanceSpec recorded(std::string const& name) const {
    auto const guest = runtime_.load(name);
    auto spec = spec_of_nics(name, guest);
    spec.uuid = guest.uuid;
    spec.hypervisor = model::HypervisorKind::Kvm;
    spec.hvparams = guest.hvparams;
    spec.epoch = guest.epoch;
    for (auto const& one : guest.disks) {
      spec.disks.push_back({one.disk, static_cast<std::int64_t>(spec.disks.size()), {}});
    }
    return spec;
  }

  // --- Stopping

  // Asks the guest, and waits for the end of QEMU, which ends by itself when the guest is off. One
  // that boots doesn't hear the button: it is pressed again and again.
  void power_down(std::string const& name, KvmProcess const& process,
                  std::chrono::seconds timeout) {
    if (process.argument("-machine").find("acpi=off") != std::string::npos) return;
    auto const until = std::chrono::steady_clock::now() + timeout;
    auto left = std::chrono::milliseconds(timeout);
    if (!press_button(name, process)) return;
    while (!process.wait_for_end(std::min<std::chrono::milliseconds>(left, button_interval))) {
      left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      if (left <= 0ms) return;
      press_button(name, process);
    }
  }

  // False when nobody could hear it.
  bool press_button(std::string const& name, KvmProcess const& process) {
    auto qmp = Qmp::connect(runtime_.files(name).qmp, qmp_timeout);
    if (!qmp || status_of(*qmp) != "running") return false;
    // This time its end is wished: QEMU goes with it.
    if (process.has_flag("-no-shutdown") && !qmp->run("set-action", {{"shutdown", "poweroff"}})) {
      return false;
    }
    return qmp->run("system_powerdown").has_value();
  }

  // A QEMU that is just becoming a daemon may have forked behind the first look.
  Result<void> end_all(std::string const& name) const {
    for (int look = 0; look < looks_max; ++look) {
      auto const running = runtime_.find_all(name);
      if (running.empty()) return {};
      for (auto const& process : running) TRY(end(process, name));
    }
    return fail(ErrorCode::EnvironmentError, "There is always another QEMU of {}", name);
  }

  static Result<void> end(KvmProcess const& process, std::string const& name) {
    process.send(SIGTERM);
    if (process.wait_for_end(term_timeout)) return {};
    process.send(SIGKILL);
    if (process.wait_for_end(kill_timeout)) return {};
    return fail(ErrorCode::EnvironmentError, "QEMU of {} (process {}) does not end", name,
                process.pid());
  }

  // Of a guest that has ended. Its taps went with it: one that is there is another guest's, which
  // was given the name.
  void clean(std::string const& name) {
    auto const guest = runtime_.load(name);
    auto const spec = spec_of_nics(name, guest);
    for (std::size_t i = 0; i < guest.nics.size(); ++i) {
      auto const& tap = guest.nics[i].tap;
      if (!tap.empty() && !sys::is_tap(tap)) nics_.down(spec, i, tap);
    }
    runtime_.forget(name);
  }

  // --- A guest that may switch itself off

  // Its QEMU stands still then, however long nobody looks. Ends it, and remembers why: whoever is
  // killed in between does it again.
  Result<void> settle(std::string const& name) {
    auto const process = runtime_.find(name);
    if (!process || !process->has_flag("-no-shutdown")) return {};
    auto qmp = Qmp::connect(runtime_.files(name).qmp, look_timeout);
    auto const status = qmp ? status_of(*qmp) : std::string();
    if (status != "shutdown") return {};
    log::info("{} was switched off from inside", name);
    TRY(runtime_.mark_user_down(name));
    TRY(end_all(name));
    clean(name);
    return {};
  }

  // But those that somebody else is at.
  void settle(std::vector<std::string> const& names) {
    for (auto const& name : names) {
      auto const guard = std::unique_lock(mutex_of(name), std::try_to_lock);
      if (!guard) continue;
      if (auto const settled = settle(name); !settled) {
        log::warning("{} was switched off from inside: {}", name, settled.error().message);
      }
    }
  }

  // But of those that somebody else is at.
  void keep_filters() {
    for (auto const& name : runtime_.names()) {
      auto const guard = std::unique_lock(mutex_of(name), std::try_to_lock);
      if (!guard || !runtime_.find(name)) continue;
      auto const guest = runtime_.load(name);
      auto const spec = spec_of_nics(name, guest);
      for (std::size_t i = 0; i < guest.nics.size(); ++i) {
        nics_.keep_filter(spec, i, guest.nics[i].tap);
      }
    }
  }

  static std::string status_of(Qmp& qmp) {
    auto const status = qmp.run("query-status", {}, look_timeout);
    auto const* object = status ? status->if_object() : nullptr;
    return object ? model::text_of(*object, "status") : std::string();
  }

  // --- Looking

  // QEMU itself would let what a guest says grow for ever, and who loads a new firewall may flush
  // the rules of guests.
  void tend(std::stop_token const& stopping) {
    std::unique_lock lock(tending_);
    for (int round = 1; !woken_.wait_for(lock, stopping, tend_interval, [] { return false; }) &&
                        !stopping.stop_requested();
         ++round) {
      auto const tended =
          boundary("Tending the guests", [&] { tend_once(round % rounds_between_filters == 0); });
      if (!tended) log::error("{}", tended.error().message);
    }
  }

  void tend_once(bool with_filters) {
    settle(runtime_.names());
    if (with_filters) keep_filters();
    for (auto const& name : runtime_.names()) {
      bound_console_log(runtime_.files(name).console_log);
    }
  }

  Result<Qmp> monitor_of(std::string const& name) {
    if (!runtime_.find(name)) return fail(ErrorCode::WrongState, "Instance {} does not run", name);
    return Qmp::connect(runtime_.files(name).qmp, qmp_timeout);
  }

  // Only who was started paused is asked: the rest run.
  rpc::RunState state_of(std::string const& name) {
    if (!runtime_.is_marked_paused(name)) return rpc::RunState::Running;
    auto qmp = Qmp::connect(runtime_.files(name).qmp, look_timeout);
    return qmp && status_of(*qmp) == "running" ? rpc::RunState::Running : rpc::RunState::Paused;
  }

  Paths paths_;
  Clock& clock_;
  KvmRuntime runtime_;
  Nics nics_;
  sys::Processes& processes_;
  KvmMachine machine_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<std::mutex>> locks_;
  KvmTrials trials_;
  std::mutex tending_;
  std::condition_variable_any woken_;
  std::jthread tender_;  // the last: it uses the others
};

}  // namespace

std::unique_ptr<Hypervisor> make_kvm(Paths const& paths, Clock& clock, sys::Processes& processes) {
  return std::make_unique<Kvm>(paths, clock, processes);
}

}  // namespace flotte::node
