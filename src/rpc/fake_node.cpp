#include "rpc/fake_node.h"

#include <algorithm>
#include <tuple>

#include "base/clock.h"
#include "base/lookup.h"
#include "model/params.h"
#include "model/vlans.h"
#include "rpc/devices.h"
#include "rpc/dispatch.h"
#include "rpc/fake_storage.h"
#include "rpc/wire.h"

namespace flotte::rpc {
namespace {

constexpr std::size_t hook_runs_max = 1000;
// What a guest is given to let go of a device.
constexpr std::chrono::seconds unplug_timeout{30};

// What one node does with each call. Every function runs with the FakeNode's mutex held.
class Deeds : public FakeStorage {
 public:
  using FakeStorage::FakeStorage;

  // Of a node that has given more than it has, nothing is free.
  Result<NodeFacts> node_info(NodeInfo const&) {
    auto facts = state_.facts;
    facts.memory_free = std::max(facts.memory_free, MiB{0});
    return facts;
  }

  Result<HookResults> run_hooks(HooksRun const& call, CallContext const& context) {
    for (auto const& name : call.later) TRY(check_hooks(name));
    TRY(check_hooks(call.directory));
    HookResults answer;
    auto left = call.timeout_s;
    for (auto const& [script, hook] : state_.hooks) {
      if (!lies_in(script, call.directory)) continue;
      HookResult result{.script = script, .outcome = hook.outcome, .output = hook.output};
      if (hook.outcome != HookOutcome::Skipped) {
        if (left <= hook.takes_s) result.outcome = HookOutcome::Failed;
        left = std::max<std::int64_t>(0, left - hook.takes_s);
        if (state_.hook_runs.size() >= hook_runs_max) {
          state_.hook_runs.erase(state_.hook_runs.begin());
        }
        state_.hook_runs.push_back({context.job, script, call.environment});
      }
      answer.results.push_back(std::move(result));
    }
    for (auto const& name : call.later) {
      auto const is_its = [&](auto const& entry) { return lies_in(entry.first, name); };
      if (std::ranges::any_of(state_.hooks, is_its)) answer.later.push_back(name);
    }
    return answer;
  }

  static bool lies_in(std::string_view script, std::string_view directory) {
    return script.substr(0, script.find('/')) == directory;
  }

  Result<NodeFindings> verify(NodeVerify const& call) {
    auto found = state_.wrong;
    for (auto const& bridge : call.bridges) {
      if (!state_.bridges.contains(bridge)) found.missing_bridges.push_back(bridge);
    }
    for (auto const& nic : call.nics) {
      auto const checked = check_nic(nic);
      auto& faults = found.nic_faults;
      if (checked || std::ranges::find(faults, checked.error().message) != faults.end()) continue;
      faults.push_back(checked.error().message);
    }
    for (auto const& [key, value] : call.ssconf) {
      auto const known = state_.ssconf.find(key);
      if (known != state_.ssconf.end() && value == json::string_view(known->second)) continue;
      found.file_faults.push_back(
          {.path = fmt::format("/var/lib/ganeti/ssconf_{}", std::string_view(key)),
           .fault = "differs from the configuration"});
    }
    found.run_files = state_.strays;
    for (auto const& [name, guest] : state_.guests) {
      if (guest.spec.hypervisor != model::HypervisorKind::Kvm) continue;
      found.run_files.push_back({"/var/run/ganeti/kvm-hypervisor/pid/" + name, name});
    }
    for (auto const& [key, disk] : state_.disks) {
      if (disk.is_assembled) found.run_files.push_back({device_path(disk).link, disk.instance});
    }
    std::ranges::sort(found.run_files, {}, &RunFile::path);
    found.has_master_ip = call.master_ip.empty() || state_.addresses.contains(call.master_ip);
    return found;
  }

  Result<OsList> operating_systems() { return OsList{state_.operating_systems}; }

  Result<Nothing> install(OsCreate const& call, Progress const& progress) {
    auto const& spec = call.instance;
    if (is_running(spec.name)) {
      return fail(ErrorCode::WrongState, "Instance {} is running", spec.name);
    }
    TRY(check_assembled(spec));
    TRY(check_os(spec.os, call.force_variant));
    if (progress) progress(say_line(fmt::format("installing {} on {}", spec.os, spec.name)));
    print_lines(progress);
    for (auto const& disk : spec.disks) {
      known_at(state_.disks, fake_disk_key(disk.disk)).installed_os = spec.os;
    }
    return Nothing{};
  }

  Result<Nothing> run_rename(OsRename const& call, Progress const& progress) {
    auto const& spec = call.instance;
    if (is_running(spec.name)) {
      return fail(ErrorCode::WrongState, "Instance {} is running", spec.name);
    }
    TRY(check_assembled(spec));
    constexpr bool any_variant = true;
    TRY(check_os(spec.os, any_variant));
    if (progress) progress(say_line(fmt::format("renaming {} to {}", call.old_name, spec.name)));
    print_lines(progress);
    return Nothing{};
  }

  static std::string half_made(std::string const& instance) { return "." + instance + ".new"; }

  Result<Dump> export_disk(ExportDisk const& call, Progress const& progress) {
    auto const& spec = call.instance;
    auto const& disk = *TRY(disk_for_copy(spec, call.index, call.from_snapshot));
    if (call.from_snapshot && !disk.snapshot) {
      return fail(ErrorCode::WrongState, "Disk {} of {} has no snapshot", call.index, spec.name);
    }
    if (!spec.os.empty()) {
      constexpr bool any_variant = true;
      TRY(check_os(spec.os, any_variant));
      print_lines(progress);
    }
    Dump dump{.file = disk.disk.uuid.text(),
              .size = to_bytes(disk.size),
              .checksum = "of " + disk.installed_os};
    auto& dumps = state_.exports[half_made(spec.name)].dumps;
    std::erase_if(dumps, [&](Dump const& one) { return one.file == dump.file; });
    dumps.push_back(dump);
    return dump;
  }

  Result<Nothing> finish_export(ExportFinish const& call) {
    TRY(check_name(call.instance));
    auto const finished = state_.exports.find(call.instance);
    auto const is_done = finished != state_.exports.end() &&
                         finished->second.config == call.config &&
                         finished->second.dumps == call.dumps;
    if (is_done) {
      state_.exports.erase(half_made(call.instance));
      return Nothing{};
    }
    auto const made = state_.exports.find(half_made(call.instance));
    if (made == state_.exports.end()) {
      return fail(ErrorCode::WrongState, "There is no export of {} that could be finished",
                  call.instance);
    }
    state_.exports[call.instance] = {call.config, call.dumps};
    state_.exports.erase(half_made(call.instance));
    return Nothing{};
  }

  Result<ExportNames> list_exports() {
    ExportNames list;
    for (auto const& [name, content] : state_.exports) {
      if (is_path_component(name)) list.names.push_back(name);
    }
    return list;
  }

  Result<ExportContent> export_info(ExportInfo const& call) {
    auto const known = state_.exports.find(call.path);
    if (known == state_.exports.end() || known->second.config.empty()) {
      return fail(ErrorCode::UnknownEntity, "No export or invalid export found in dir {}",
                  call.path);
    }
    return ExportContent{"/var/lib/ganeti/export/" + call.path, known->second.config,
                         known->second.dumps};
  }

  Result<Nothing> remove_export(ExportRemove const& call) {
    TRY(check_name(call.export_name));
    state_.exports.erase(call.export_name);
    return Nothing{};
  }

  Result<Nothing> discard_export(ExportDiscard const& call) {
    state_.exports.erase(half_made(call.instance));
    return Nothing{};
  }

  Result<Nothing> import_disk(ImportDisk const& call, Progress const& progress) {
    auto const& spec = call.instance;
    auto& disk = *TRY(disk_for_copy(spec, call.index, false));
    if (!spec.os.empty()) {
      constexpr bool any_variant = true;
      TRY(check_os(spec.os, any_variant));
      print_lines(progress);
    }
    TRY(write_beside(disk.disk));
    constexpr std::string_view of = "of ";
    if (call.dump.checksum.starts_with(of))
      disk.installed_os = call.dump.checksum.substr(of.size());
    return Nothing{};
  }

  // As if by the secret that both clusters have.
  static DomainSignature signature_of(std::string const& text) { return {"of " + text, "salt"}; }

  static Result<void> check_signature(std::string const& text, DomainSignature const& shown) {
    if (shown.hmac == signature_of(text).hmac) return {};
    return fail(ErrorCode::WrongInput, "HMAC is wrong: {}", text);
  }

  static Result<PeerCertificate> peer_certificate(std::string const& text) {
    if (text.starts_with("certificate")) return PeerCertificate{text};
    return fail(ErrorCode::WrongInput, "Unable to load X509 CA");
  }

  Result<TransferKey> create_key(TransferKeyCreate const& call) {
    return TransferKey{signature_of("0:Hi, I'm Ganeti"), signature_of(call.key_name),
                       "certificate of " + call.node_name};
  }

  Result<Nothing> remove_key(TransferKeyRemove const&) { return Nothing{}; }

  Result<PeerCertificate> check_send(TransferSendCheck const& call) {
    TRY(check_signature(call.key_name, call.key_signature));
    return peer_certificate(call.certificate);
  }

  Result<PeerCertificate> check_receive(TransferReceiveCheck const& call) {
    TRY(check_signature(fmt::format("{}:Hi, I'm Ganeti", call.version), call.handshake));
    return peer_certificate(call.certificate);
  }

  Result<TransferSent> send_disks(TransferSend const& call, Progress const& progress) {
    TransferSent sent;
    for (std::size_t i = 0; i < call.instance.disks.size(); ++i) {
      auto const& disk =
          *TRY(disk_for_copy(call.instance, static_cast<std::int64_t>(i), call.from_snapshot));
      sent.sizes.push_back(to_bytes(disk.size));
    }
    if (!call.instance.os.empty()) {
      constexpr bool any_variant = true;
      TRY(check_os(call.instance.os, any_variant));
      print_lines(progress);
    }
    return sent;
  }

  Result<Nothing> receive_disks(TransferReceive const& call, Progress const& progress) {
    auto const& spec = call.instance;
    if (progress) progress(entry_line("remote-import", {{"x509_ca", "certificate"}}));
    for (std::size_t i = 0; i < spec.disks.size(); ++i) {
      auto& disk = *TRY(disk_for_copy(spec, static_cast<std::int64_t>(i), false));
      TRY(write_beside(disk.disk));
      disk.installed_os = spec.os;
    }
    if (!spec.os.empty()) {
      constexpr bool any_variant = true;
      TRY(check_os(spec.os, any_variant));
      print_lines(progress);
    }
    return Nothing{};
  }

  Result<FakeDisk*> disk_for_copy(InstanceSpec const& spec, std::int64_t index,
                                  bool from_snapshot) {
    TRY(check_name(spec.name));
    if (!from_snapshot && is_running(spec.name)) {
      return fail(ErrorCode::WrongState, "Instance {} is running", spec.name);
    }
    if (index < 0 || index >= static_cast<std::int64_t>(spec.disks.size())) {
      return fail(ErrorCode::WrongInput, "Instance {} has no disk {}", spec.name, index);
    }
    if (!from_snapshot) TRY(check_assembled(spec));
    return find(spec.name, spec.disks[static_cast<std::size_t>(index)]);
  }

  Result<ResolvedName> resolve(ResolveName const& call) {
    auto const known = state_.hosts.find(call.hostname);
    if (known == state_.hosts.end()) {
      return fail(ErrorCode::UnknownEntity,
                  "The given name ({}) does not resolve: Name or service not known", call.hostname);
    }
    auto resolved = known->second;
    resolved.answers = resolved.answers && call.pings;
    return resolved;
  }

  Result<Nothing> start(InstanceStart const& call) {
    auto const& spec = call.instance;
    TRY(check_name(spec.name));
    TRY(check_assembled(spec));
    TRY(check_trouble(spec.name));
    if (auto const known = state_.guests.find(spec.name); known != state_.guests.end()) {
      if (known->second.state != RunState::UserDown) {
        if (known->second.spec.uuid == spec.uuid) return Nothing{};
        return fail(ErrorCode::WrongState, "Another instance {} is running on this node",
                    spec.name);
      }
      drop(known);
    }
    TRY(check_nics(spec));
    if (state_.troubles[spec.name].dies_at_start) return Nothing{};
    FakeGuest guest;
    guest.spec = spec;
    guest.state = call.startup_paused ? RunState::Paused : RunState::Running;
    guest.pid = state_.next_pid++;
    if (spec.hypervisor == model::HypervisorKind::Kvm) {
      for (std::size_t i = 0; i < spec.nics.size(); ++i) {
        guest.taps.push_back(fmt::format("tap{}", state_.next_tap++));
        state_.taps.insert(guest.taps.back());
      }
    }
    state_.facts.memory_free = state_.facts.memory_free - memory_of(spec);
    state_.guests.emplace(spec.name, std::move(guest));
    return Nothing{};
  }

  Result<Nothing> shutdown(InstanceShutdown const& call) {
    if (call.timeout_s < 0) {
      return fail(ErrorCode::WrongInput, "A time limit of {} s is negative", call.timeout_s);
    }
    TRY(check_trouble(call.instance));
    auto const known = state_.guests.find(call.instance);
    if (known == state_.guests.end()) return Nothing{};
    if (call.timeout_s > 0 && is_running(call.instance)) ++state_.guests_asked;
    drop(known);
    return Nothing{};
  }

  Result<Nothing> soft_reboot(InstanceSoftReboot const& call) {
    if (!is_running(call.instance)) {
      return fail(ErrorCode::WrongState, "Instance {} is not running", call.instance);
    }
    ++known_at(state_.guests, call.instance).starts;
    return Nothing{};
  }

  Result<Nothing> adjust(InstanceAdjust const& call) {
    auto const& spec = call.instance;
    TRY(check_name(spec.name));
    if (!is_running(spec.name)) return Nothing{};
    for (auto const& disk : spec.disks) TRY(assemble({spec.name, disk, spec.epoch}));
    TRY(check_nics(spec));
    auto& guest = known_at(state_.guests, spec.name);
    TRY(let_go(guest, spec));
    std::vector<std::string> taps;
    for (auto const& nic : spec.nics) {
      if (spec.hypervisor != model::HypervisorKind::Kvm) break;
      taps.push_back(tap_of(guest, nic.nic).value_or(fmt::format("tap{}", state_.next_tap)));
      if (state_.taps.insert(taps.back()).second) ++state_.next_tap;
    }
    for (auto const& tap : guest.taps) {
      if (std::ranges::find(taps, tap) == taps.end()) state_.taps.erase(tap);
    }
    for (auto const& disk : guest.spec.disks) deactivate_unless(spec, disk);
    guest.taps = std::move(taps);
    guest.spec.disks = spec.disks;
    guest.spec.nics = spec.nics;
    std::erase_if(guest.leaving, [&](std::string const& uuid) {
      return guest.gone.contains(uuid) || !has_device(spec, uuid);
    });
    guest.gone.clear();
    return Nothing{};
  }

  // What is asked of a guest that doesn't hear: known before anybody waits for it.
  std::chrono::seconds ask_guest(std::string_view call, json::object const& arguments) {
    auto const guest = state_.guests.find(instance_of(arguments));
    if (guest == state_.guests.end() || !is_running(guest->first)) return {};
    auto const trouble = state_.troubles.find(guest->first);
    if (trouble == state_.troubles.end() || !trouble->second.is_silent) return {};
    if (call == InstanceShutdown::name) {
      auto const stop = schema::decode<InstanceShutdown>(arguments);
      return std::chrono::seconds(stop ? stop->timeout_s : 0);
    }
    auto const adjustment = schema::decode<InstanceAdjust>(arguments);
    if (call != InstanceAdjust::name || !adjustment) return {};
    auto const first = first_to_go(guest->second.spec, guest->second.gone, adjustment->instance);
    if (!first) return {};
    guest->second.leaving.insert(first->uuid);
    return unplug_timeout;
  }

  void answer(std::string const& instance) {
    state_.troubles[instance].is_silent = false;
    auto const guest = state_.guests.find(instance);
    if (guest == state_.guests.end()) return;
    guest->second.gone.merge(guest->second.leaving);
    guest->second.leaving = guest->second.gone;
  }

  std::vector<std::string> lacking() const {
    std::vector<std::string> names;
    for (auto const& [name, guest] : state_.guests) {
      if (!guest.gone.empty()) names.push_back(name);
    }
    return names;
  }

  // Not while it has a disk that is to be wiped: it is looked at again.
  void give_back(std::string const& instance) {
    auto const guest = state_.guests.find(instance);
    if (guest == state_.guests.end() || guest->second.gone.empty()) return;
    for (auto const& disk : guest->second.spec.disks) {
      if (!check_wiped(instance, disk)) return;
    }
    std::ignore = adjust({guest->second.spec});
  }

  Result<Nothing> balloon(InstanceBalloon const& call) {
    if (is_running(call.instance)) known_at(state_.guests, call.instance).balloon = call.memory;
    return Nothing{};
  }

  Result<Nothing> resize(InstanceResizeDisk const& call) {
    TRY(check_wiped(call.instance, call.disk));
    if (is_running(call.instance)) return Nothing{};
    return fail(ErrorCode::WrongState, "Instance {} does not run", call.instance);
  }

  // What is refused before the hypervisor is asked can't hang in it.
  bool reaches_hypervisor(FakeCall const& call) {
    if (call.call == InstanceShutdown::name) return true;
    if (call.call != InstanceStart::name) return false;
    auto const start = schema::decode<InstanceStart>(call.arguments);
    return start && check_name(start->instance.name) && check_assembled(start->instance);
  }

  void power_off(std::string const& instance) {
    auto const known = state_.guests.find(instance);
    if (known != state_.guests.end()) drop(known);
  }

  Result<RunningInstances> running(AllInstancesInfo const& call) {
    RunningInstances list;
    for (auto const& [name, guest] : state_.guests) {
      auto const kind = guest.spec.hypervisor;
      auto const& only = call.instances;
      if (!only.empty() && std::ranges::find(only, name) == only.end()) continue;
      if (!call.hypervisors.empty() &&
          std::ranges::find(call.hypervisors, kind) == call.hypervisors.end()) {
        continue;
      }
      list.instances.push_back({.name = name,
                                .hypervisor = kind,
                                .state = guest.state,
                                .memory = guest.balloon.value_or(memory_of(guest.spec)),
                                .vcpus = model::number_of(guest.spec.beparams, "vcpus"),
                                .cpu_seconds = 0,
                                .pid = guest.pid,
                                .hvparams = guest.spec.hvparams});
    }
    return list;
  }

  Result<Nothing> validate_nics(NicsValidate const& call) {
    for (auto const& nic : call.nics) TRY(check_nic(nic));
    return Nothing{};
  }

  Result<Nothing> write_ssconf(SsconfWrite const& call) {
    for (auto const& [key, value] : call.values) {
      if (!value.is_string()) return fail(ErrorCode::WrongInput, "A value of ssconf is no text");
      state_.ssconf[key] = std::string_view(value.get_string());
    }
    return Nothing{};
  }

  Result<Nothing> master_address(MasterAddress const& wish) {
    if (wish.is_up && !state_.bridges.contains(wish.netdev) && wish.netdev != "lo") {
      return fail(ErrorCode::EnvironmentError,
                  "The network interface '{}' for the cluster's address {} does not exist on this "
                  "node; choose another one with --master-netdev",
                  wish.netdev, wish.ip);
    }
    if (wish.is_up) {
      state_.addresses.insert(wish.ip);
    } else {
      state_.addresses.erase(wish.ip);
    }
    return Nothing{};
  }

 private:
  using Guests = std::map<std::string, FakeGuest>;

  static MiB memory_of(InstanceSpec const& of) { return {model::number_of(of.beparams, "maxmem")}; }

  void drop(Guests::iterator guest) {
    state_.facts.memory_free = state_.facts.memory_free + memory_of(guest->second.spec);
    for (auto const& tap : guest->second.taps) state_.taps.erase(tap);
    state_.guests.erase(guest);
  }

  void print_lines(Progress const& progress) const {
    for (std::int64_t i = 1; progress && i <= state_.script_lines; ++i) {
      progress(say_line(fmt::format("line {} of {}", i, state_.script_lines)));
    }
  }

  Result<void> let_go(FakeGuest& guest, InstanceSpec const& wanted) {
    auto const first = first_to_go(guest.spec, guest.gone, wanted);
    if (!first) return {};
    ++state_.guests_asked;
    auto const trouble = state_.troubles.find(wanted.name);
    if (trouble == state_.troubles.end() || !trouble->second.is_silent) return {};
    guest.leaving.insert(first->uuid);
    return not_let_go(wanted.name, first->title);
  }

  // A NIC that stays as it is keeps its tap.
  static std::optional<std::string> tap_of(FakeGuest const& guest, model::Nic const& nic) {
    for (std::size_t i = 0; i < guest.taps.size(); ++i) {
      auto const& known = guest.spec.nics[i].nic;
      if (known.uuid == nic.uuid && known.mac == nic.mac) return guest.taps[i];
    }
    return std::nullopt;
  }

  static Result<void> check_hooks(std::string const& directory) {
    if (!directory.empty() && directory.find('/') == std::string::npos) return {};
    return fail(ErrorCode::WrongInput, "'{}' is no directory of hooks", directory);
  }

  Result<void> check_trouble(std::string const& instance) const {
    auto const known = state_.troubles.find(instance);
    if (known == state_.troubles.end() || known->second.fails.empty()) return {};
    return fail(ErrorCode::EnvironmentError, "{}", known->second.fails);
  }

  // Its bridges filter VLANs, and it has no Open vSwitch and no scripts.
  Result<void> check_nic(NicSpec const& nic) const {
    auto const mode = model::text_of(nic.params, "mode");
    auto const link = model::text_of(nic.params, "link");
    TRY(model::parse_vlans(model::text_of(nic.params, "vlan")));
    if (mode == "routed" && nic.nic.ip) return {};
    if (mode == "bridged" && state_.bridges.contains(link)) return {};
    return fail(ErrorCode::EnvironmentError, "{} '{}' does not exist on this node",
                mode == "bridged" ? "Bridge" : mode, link);
  }

  Result<void> check_nics(InstanceSpec const& spec) const {
    if (spec.hypervisor == model::HypervisorKind::Fake) return {};
    for (auto const& nic : spec.nics) TRY(check_nic(nic));
    return {};
  }

  Result<void> check_os(std::string_view os, bool force_variant) const {
    auto const plus = os.find('+');
    auto const name = os.substr(0, plus);
    auto const variant = plus == std::string_view::npos ? std::string_view() : os.substr(plus + 1);
    auto const known = std::ranges::find_if(state_.operating_systems,
                                            [&](auto const& x) { return x.name == name; });
    if (known == state_.operating_systems.end()) {
      return fail(ErrorCode::EnvironmentError, "OS '{}' not found on this node", name);
    }
    if (!known->diagnose.empty()) {
      return fail(ErrorCode::EnvironmentError, "OS '{}' is not valid: {}", name, known->diagnose);
    }
    auto const is_listed = std::ranges::find(known->variants, variant) != known->variants.end();
    if (known->variants.empty() ? variant.empty() : is_listed || force_variant) return {};
    return fail(ErrorCode::WrongInput, "OS '{}' has no variant '{}'", name, variant);
  }
};

}  // namespace

Error fake_unreachable(std::string_view node_name, std::string_view why) {
  return {ErrorCode::EnvironmentError,
          fmt::format("Node {} (in memory) did not answer: {}", node_name, why),
          ErrorClass::Unreachable};
}

struct FakeNode::Machine {
  explicit Machine(Clock* clock) : deeds(state) { fill(clock); }
  Machine(Machine const&) = delete;
  Machine& operator=(Machine const&) = delete;

  FakeNodeState state = FakeNodeState::ordinary();
  Deeds deeds;
  Dispatcher dispatcher;
  std::vector<FakeCall> hung;  // in the order they came

 private:
  // A call whose function needs neither context nor progress.
  template <class Call, class Function>
  void on(Function function) {
    dispatcher.on<Call>([this, function](Call const& call, CallContext const&, Progress const&) {
      return std::invoke(function, deeds, call);
    });
  }
  template <class Call, class Function>
  void on_bare(Function function) {
    dispatcher.on<Call>([this, function](Call const&, CallContext const&, Progress const&) {
      return std::invoke(function, deeds);
    });
  }
  template <class Call, class Function>
  void on_long(Function function) {
    dispatcher.on<Call>(
        [this, function](Call const& call, CallContext const&, Progress const& progress) {
          return std::invoke(function, deeds, call, progress);
        });
  }

  void fill(Clock* clock) {
    on<NodeInfo>([clock](Deeds& on_node, NodeInfo const& call) -> Result<NodeFacts> {
      auto facts = TRY(on_node.node_info(call));
      if (clock) {
        facts.wall_time = std::chrono::duration<double>(clock->wall().time_since_epoch()).count();
      }
      return facts;
    });
    on<NodeVerify>(&Deeds::verify);
    on<BlockdevCreate>(&Deeds::create);
    on<BlockdevCreateUnwiped>(&Deeds::create_unwiped);
    on<BlockdevAdopt>(&Deeds::adopt);
    on<BlockdevRelease>(&Deeds::release);
    on<BlockdevRemove>(&Deeds::remove);
    on<BlockdevRename>(&Deeds::rename);
    on_long<BlockdevConvert>(&Deeds::convert);
    on<BlockdevGrow>(&Deeds::grow);
    on<BlockdevGrowUnwiped>(&Deeds::grow_unwiped);
    on<BlockdevAssemble>(&Deeds::assemble);
    on<BlockdevShutdown>(&Deeds::shutdown_disk);
    on<BlockdevFind>(&Deeds::find_disks);
    on_long<BlockdevWipe>(&Deeds::wipe);
    on_bare<NodeVolumes>(&Deeds::volumes);
    on<BlockdevSnapshot>(&Deeds::snapshot);
    on<BlockdevSnapshotRemove>(&Deeds::remove_snapshot);
    on<ExportCheck>([](Deeds&, ExportCheck const&) -> Result<Nothing> { return Nothing{}; });
    on_long<ExportDisk>(&Deeds::export_disk);
    on<ExportFinish>(&Deeds::finish_export);
    on_bare<ExportList>(&Deeds::list_exports);
    on<ExportInfo>(&Deeds::export_info);
    on<ExportRemove>(&Deeds::remove_export);
    on<ExportDiscard>(&Deeds::discard_export);
    on_long<ImportDisk>(&Deeds::import_disk);
    on<TransferKeyCreate>(&Deeds::create_key);
    on<TransferKeyRemove>(&Deeds::remove_key);
    on<TransferSendCheck>(&Deeds::check_send);
    on<TransferReceiveCheck>(&Deeds::check_receive);
    on_long<TransferSend>(&Deeds::send_disks);
    on_long<TransferReceive>(&Deeds::receive_disks);
    on<FileStorageList>(&Deeds::files);
    on_bare<OsDiagnose>(&Deeds::operating_systems);
    on_long<OsCreate>(&Deeds::install);
    on_long<OsRename>(&Deeds::run_rename);
    on<ResolveName>(&Deeds::resolve);
    on<InstanceStart>(&Deeds::start);
    on<InstanceShutdown>(&Deeds::shutdown);
    on<InstanceSoftReboot>(&Deeds::soft_reboot);
    on<InstanceResizeDisk>(&Deeds::resize);
    on<InstanceAdjust>(&Deeds::adjust);
    on<InstanceBalloon>(&Deeds::balloon);
    on<AllInstancesInfo>(&Deeds::running);
    on<NicsValidate>(&Deeds::validate_nics);
    on<MasterAddress>(&Deeds::master_address);
    on<SsconfWrite>(&Deeds::write_ssconf);
    dispatcher.on<HooksRun>([this](HooksRun const& call, CallContext const& context,
                                   Progress const&) { return deeds.run_hooks(call, context); });
    on<HypervisorValidate>(
        [](Deeds&, auto const&) -> Result<HypervisorAdvice> { return HypervisorAdvice{}; });
    // The sleep itself is invoke()'s: it must not happen with the mutex held.
    on<TestDelay>([](Deeds&, TestDelay const& call) -> Result<Nothing> {
      if (call.duration_s >= 0) return Nothing{};
      return fail(ErrorCode::WrongInput, "A duration of {} s is negative", call.duration_s);
    });
    // Bootstrap, LeaveCluster and RenewCrypto are for root's local door, so that they are unknown
    // here.
  }
};

FakeNode::FakeNode(Clock* clock) : clock_(clock) {}
FakeNode::~FakeNode() = default;

Result<json::value> FakeNode::invoke(model::Node const& node, std::string_view call,
                                     json::object const& arguments, CallContext const& context,
                                     Progress const& progress) {
  FakeCall const seen{node.uuid, node.name, std::string(call), arguments, context};
  TRY(mishap_before(seen));
  // As it arrives: while it takes its time another may lead.
  {
    std::lock_guard const lock(mutex_);
    auto& one = machine(node.uuid);
    TRY(check_leader_epoch(context.leader_epoch, one.state.leader_epoch));
    one.state.leader_epoch = context.leader_epoch;
  }
  if (clock_ && call == TestDelay::name) {
    auto const delay = TRY(schema::decode<TestDelay>(arguments));
    clock_->sleep_for(
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(delay.duration_s)));
  }
  // Said after the deed, because the listener may call back.
  std::vector<std::string> said;
  Progress const collect = [&](std::string_view line) {
    said.emplace_back(line);
    return true;
  };
  auto answer = [&]() -> Result<json::value> {
    std::lock_guard const lock(mutex_);
    auto& one = machine(node.uuid);
    auto const instance = instance_of(arguments);
    TRY(one.state.latest_calls.take(instance, context));
    if (must_wait(one, seen, instance)) {
      return Failure(fake_unreachable(node.name, fmt::format("'{}' hangs", call)));
    }
    return one.dispatcher.dispatch(call, arguments, context, collect);
  }();
  for (auto const& line : said) {
    if (progress && !progress(line)) break;
  }
  TRY(mishap_after(seen));
  auto const after = [&] {
    std::lock_guard const lock(mutex_);
    return after_;
  }();
  if (after) TRY(after(seen, answer));
  return answer;
}

// A changing call about an instance of which another one hangs waits for its turn, too.
bool FakeNode::must_wait(Machine& one, FakeCall const& call, std::string const& instance) {
  if (instance.empty() || call.context.job == 0) return false;
  auto const trouble = one.state.troubles.find(instance);
  auto const is_hanging = [&](FakeCall const& other) {
    return instance_of(other.arguments) == instance;
  };
  auto const hangs = trouble != one.state.troubles.end() && trouble->second.hangs &&
                     one.deeds.reaches_hypervisor(call);
  if (!hangs && std::ranges::none_of(one.hung, is_hanging)) return false;
  auto const is_same = [&](FakeCall const& other) {
    return other.call == call.call && other.arguments == call.arguments &&
           other.context.job == call.context.job && other.context.step == call.context.step;
  };
  if (std::ranges::any_of(one.hung, is_same)) return true;
  // Only the first is at work; one that waits ends when a later one comes.
  auto const at_work = std::ranges::find_if(one.hung, is_hanging);
  if (at_work != one.hung.end()) {
    auto const waiting = std::remove_if(at_work + 1, one.hung.end(), is_hanging);
    one.hung.erase(waiting, one.hung.end());
  }
  one.hung.push_back(call);
  return true;
}

void FakeNode::unhang(NodeId const& node, std::string const& instance) {
  std::lock_guard const lock(mutex_);
  auto& one = machine(node);
  one.state.troubles[instance].hangs = false;
  std::vector<FakeCall> go_on;
  std::erase_if(one.hung, [&](FakeCall const& call) {
    auto const is_its = instance_of(call.arguments) == instance;
    if (is_its) go_on.push_back(call);
    return is_its;
  });
  for (auto const& call : go_on) {
    // Nobody hears the answer.
    std::ignore = one.dispatcher.dispatch(call.call, call.arguments, call.context, {});
  }
}

void FakeNode::power_off(NodeId const& node, std::string const& instance) {
  std::lock_guard const lock(mutex_);
  machine(node).deeds.power_off(instance);
}

std::chrono::seconds FakeNode::ask_guest(NodeId const& node, std::string_view call,
                                         json::object const& arguments) {
  std::lock_guard const lock(mutex_);
  return machine(node).deeds.ask_guest(call, arguments);
}

void FakeNode::answer(NodeId const& node, std::string const& instance) {
  std::lock_guard const lock(mutex_);
  machine(node).deeds.answer(instance);
}

std::vector<std::string> FakeNode::lacking(NodeId const& node) const {
  std::lock_guard const lock(mutex_);
  return machine(node).deeds.lacking();
}

void FakeNode::give_back(NodeId const& node, std::string const& instance) {
  std::lock_guard const lock(mutex_);
  machine(node).deeds.give_back(instance);
}

void FakeNode::restart_daemon(NodeId const& node) {
  std::lock_guard const lock(mutex_);
  auto& one = machine(node);
  one.state.latest_calls = {};
  one.hung.clear();
}

void FakeNode::before(Before hook) {
  std::lock_guard const lock(mutex_);
  before_ = std::move(hook);
}

void FakeNode::after(After hook) {
  std::lock_guard const lock(mutex_);
  after_ = std::move(hook);
}

void FakeNode::fail_next(std::string_view call, Error error) {
  std::lock_guard const lock(mutex_);
  mishaps_.push_back({std::string(call), std::move(error), false});
}

void FakeNode::lose_next_answer(std::string_view call) {
  std::lock_guard const lock(mutex_);
  mishaps_.push_back({std::string(call), Error{}, true});
}

void FakeNode::set_reachable(NodeId const& node, bool is_reachable) {
  std::lock_guard const lock(mutex_);
  if (is_reachable) {
    unreachable_.erase(node);
  } else {
    unreachable_.insert(node);
  }
}

std::chrono::seconds FakeNode::hooks_take(NodeId const& node, HooksRun const& call) const {
  std::lock_guard const lock(mutex_);
  std::int64_t seconds = 0;
  for (auto const& [script, hook] : machine(node).state.hooks) {
    if (Deeds::lies_in(script, call.directory)) seconds += hook.takes_s;
  }
  return std::chrono::seconds(std::min(seconds, call.timeout_s));
}

FakeNodeState FakeNode::state(NodeId const& node) const {
  std::lock_guard const lock(mutex_);
  return machine(node).state;
}

void FakeNode::change(NodeId const& node, std::function<void(FakeNodeState&)> const& edit) {
  std::lock_guard const lock(mutex_);
  edit(machine(node).state);
}

std::vector<FakeCall> FakeNode::calls() const {
  std::lock_guard const lock(mutex_);
  return calls_;
}

std::size_t FakeNode::count(std::string_view call) const {
  std::lock_guard const lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count(calls_, call, &FakeCall::call));
}

void FakeNode::forget_calls() {
  std::lock_guard const lock(mutex_);
  calls_.clear();
}

FakeNode::Machine& FakeNode::machine(NodeId const& node) const {
  auto& place = machines_[node];
  if (!place) place = std::make_unique<Machine>(clock_);
  return *place;
}

Result<void> FakeNode::mishap_before(FakeCall const& call) {
  Before before;
  {
    std::lock_guard const lock(mutex_);
    if (unreachable_.contains(call.node)) {
      auto error = fake_unreachable(call.node_name, "connection refused");
      error.not_attempted = true;
      return Failure(std::move(error));
    }
    if (calls_.size() >= calls_kept_max) calls_.erase(calls_.begin());
    calls_.push_back(call);
    before = before_;
  }
  TRY(take_mishap(call, false));
  return before ? before(call) : Result<void>();
}

Result<void> FakeNode::mishap_after(FakeCall const& call) {
  return take_mishap(call, true);
}

Result<void> FakeNode::take_mishap(FakeCall const& call, bool is_done_first) {
  std::lock_guard const lock(mutex_);
  auto const found = std::ranges::find_if(mishaps_, [&](Mishap const& mishap) {
    return mishap.call == call.call && mishap.is_done_first == is_done_first;
  });
  if (found == mishaps_.end()) return {};
  auto error = is_done_first ? fake_unreachable(call.node_name, "the answer was lost")
                             : std::move(found->error);
  mishaps_.erase(found);
  return Failure(std::move(error));
}

}  // namespace flotte::rpc
