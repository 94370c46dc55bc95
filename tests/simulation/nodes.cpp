#include "nodes.h"

#include <boost/json/serialize.hpp>

#include "generators.h"
#include "rpc/wire.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr auto silence_max = 10s;
constexpr auto latest_arrival = 20min;
constexpr auto follow_interval = 2s;
constexpr std::string_view hooked[] = {
    "instance-add",    "instance-remove",         "instance-start",     "instance-stop",
    "instance-reboot", "instance-rename",         "instance-reinstall", "instance-modify",
    "disk-grow",       "instance-recreate-disks", "cluster-modify",     "cluster-verify",
    "config-update"};

bool changes(rpc::CallContext const& context) {
  return context.job != 0;
}

}  // namespace

// A node daemon from its start to its end: how calls are joined and wait for their turn is the
// product's own.
struct SimulatedNodes::Daemon {
  explicit Daemon(Scheduler& scheduler, std::string name)
      : process(scheduler.start_process(std::move(name))), calls(scheduler), turns(scheduler) {}

  std::shared_ptr<Process> process;
  node::CallTable calls;
  node::InstanceTurns turns;
};

struct SimulatedNodes::Request {
  model::Node node;
  std::string call;
  json::object arguments;
  rpc::CallContext context;
  Mishap mishap = Mishap::None;
};

SimulatedNodes::SimulatedNodes(Scheduler& scheduler, std::uint64_t seed)
    : scheduler_(scheduler), random_(seed), fake_(&scheduler) {
  network_ = scheduler_.start_process("network");
}

SimulatedNodes::~SimulatedNodes() = default;

Duration SimulatedNodes::draw(Duration least, Duration most) {
  return least + Duration(static_cast<Duration::rep>(
                     random_.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

void SimulatedNodes::point(std::string_view what, NodeId const* node) {
  if (point_) point_(what, node);
}

void SimulatedNodes::add(NodeId const& node) {
  fake_.change(node, [](rpc::FakeNodeState& state) {
    for (auto& os : state.operating_systems) {
      os.parameters.push_back({std::string(secret_parameter), "A secret."});
    }
    for (std::size_t i = 0; i < old_volumes; ++i) {
      state.other_volumes[fmt::format("xenvg/old-{}", i)] = {.size = {old_volume_mib}};
      state.facts.volume_groups.front().free.value -= old_volume_mib;
    }
  });
  set_hooks(node, "pre", {});
  set_hooks(node, "post", {});
  start_daemon(node);
}

void SimulatedNodes::arm(NodeId const& node, Mishap mishap) {
  machines_[node].armed = mishap;
}

void SimulatedNodes::calm() {
  for (auto& [id, machine] : machines_) {
    machine.armed = Mishap::None;
    if (machine.daemon) machine.daemon->process->hangs_until = {};
  }
}

bool SimulatedNodes::has_daemon(NodeId const& node) const {
  auto const found = machines_.find(node);
  return found != machines_.end() && found->second.daemon &&
         !found->second.daemon->process->is_dead;
}

std::shared_ptr<Process> SimulatedNodes::daemon_process(NodeId const& node) const {
  return has_daemon(node) ? machines_.at(node).daemon->process : nullptr;
}

void SimulatedNodes::start_daemon(NodeId const& node) {
  if (has_daemon(node)) return;
  kill_daemon(node);
  fake_.change(node, [](rpc::FakeNodeState& state) { state.latest_calls = {}; });
  machines_[node].daemon =
      std::make_shared<Daemon>(scheduler_, fmt::format("noded-{}", node.text()));
  follow(node);
}

void SimulatedNodes::answer(NodeId const& node, std::string const& instance) {
  fake_.answer(node, instance);
  follow(node);
}

void SimulatedNodes::follow(NodeId const& node) {
  if (!has_daemon(node) || fake_.lacking(node).empty()) return;
  auto const daemon = machines_[node].daemon;
  scheduler_.spawn(daemon->process, "follower", [this, node, daemon = daemon.get()] {
    while (!fake_.lacking(node).empty()) {
      scheduler_.sleep_for(follow_interval);
      for (auto const& instance : fake_.lacking(node)) {
        daemon->turns.take_if_free(instance, [&] { fake_.give_back(node, instance); });
      }
      if (changed_) changed_(node);
    }
  });
}

bool SimulatedNodes::writes_to_disks(std::string_view call) {
  for (auto const copies :
       {rpc::OsCreate::name, rpc::OsRename::name, rpc::ExportDisk::name, rpc::ImportDisk::name,
        rpc::TransferSend::name, rpc::TransferReceive::name}) {
    if (call == copies) return true;
  }
  return call.starts_with("blockdev_") && call != rpc::BlockdevFind::name;
}

void SimulatedNodes::kill_daemon(NodeId const& node) {
  auto daemon = std::move(machines_[node].daemon);
  machines_[node].daemon = nullptr;
  if (daemon) scheduler_.kill(*daemon->process);
}

void SimulatedNodes::hang_daemon(NodeId const& node, Duration duration) {
  if (has_daemon(node)) scheduler_.hang(*machines_[node].daemon->process, duration);
}

void SimulatedNodes::set_hooks(NodeId const& node, std::string_view phase,
                               rpc::FakeHook const& hook) {
  fake_.change(node, [&](rpc::FakeNodeState& state) {
    for (auto const& operation : hooked) {
      state.hooks[fmt::format("{}-{}.d/10-watch", operation, phase)] = hook;
    }
  });
}

void SimulatedNodes::lose_power(NodeId const& node) {
  kill_daemon(node);
  fake_.change(node, [](rpc::FakeNodeState& state) {
    for (auto const& [name, guest] : state.guests) {
      auto const* memory = guest.spec.beparams.if_contains("maxmem");
      state.facts.memory_free.value += memory ? memory->to_number<std::int64_t>() : 0;
    }
    state.guests.clear();
    for (auto& [key, disk] : state.disks) disk.is_assembled = false;
  });
  if (changed_) changed_(node);
}

void SimulatedNodes::kill_guest(NodeId const& node, std::string const& instance) {
  fake_.change(node, [&](rpc::FakeNodeState& state) {
    auto const guest = state.guests.find(instance);
    if (guest == state.guests.end()) return;
    auto const* memory = guest->second.spec.beparams.if_contains("maxmem");
    state.facts.memory_free.value += memory ? memory->to_number<std::int64_t>() : 0;
    state.guests.erase(guest);
  });
  if (changed_) changed_(node);
}

void SimulatedNodes::guest_powers_off(NodeId const& node, std::string const& instance) {
  fake_.change(node, [&](rpc::FakeNodeState& state) {
    auto const guest = state.guests.find(instance);
    if (guest != state.guests.end()) guest->second.state = rpc::RunState::UserDown;
  });
  if (changed_) changed_(node);
}

Result<json::value> SimulatedNodes::invoke(model::Node const& node, std::string_view call,
                                           json::object const& arguments,
                                           rpc::CallContext const& context,
                                           rpc::Progress const& progress) {
  auto const request =
      std::make_shared<Request>(Request{node, std::string(call), arguments, context, Mishap::None});
  auto& machine = machines_[node.uuid];
  if (changes(context)) {
    point(fmt::format("before {}", call), nullptr);
    std::swap(request->mishap, machine.armed);
  }
  auto const deadline = scheduler_.now() + context.timeout;
  scheduler_.sleep_for(draw(100us, 2ms));
  switch (request->mishap) {
    case Mishap::RequestLost:
      scheduler_.sleep_for(silence_max);
      return Failure(rpc::fake_unreachable(node.name, "the request was lost"));
    case Mishap::Late:
      deliver_later(request, draw(silence_max, latest_arrival));
      scheduler_.sleep_for(silence_max);
      return Failure(rpc::fake_unreachable(node.name, "silence"));
    case Mishap::Twice:
      deliver_later(request, draw(1ms, latest_arrival));
      break;
    default:
      break;
  }
  auto answer = deliver(request, progress, deadline);
  scheduler_.sleep_for(draw(100us, 2ms));
  if (request->mishap == Mishap::AnswerLost) {
    answer = Failure(rpc::fake_unreachable(node.name, "the answer was lost"));
  }
  if (changes(context)) point(fmt::format("after {}", call), nullptr);
  return answer;
}

// On the caller's thread, as far as the daemon's answer.
Result<json::value> SimulatedNodes::deliver(std::shared_ptr<Request> const& request,
                                            rpc::Progress const& progress, Instant deadline) {
  auto const daemon = machines_[request->node.uuid].daemon;
  if (!daemon || daemon->process->is_dead) {
    auto error = rpc::fake_unreachable(request->node.name, "connection refused");
    error.not_attempted = true;
    return Failure(std::move(error));
  }
  // What is sent to a daemon that hangs is read when it goes on.
  while (daemon->process->hangs_until > scheduler_.now()) {
    if (daemon->process->hangs_until > scheduler_.now() + silence_max) {
      deliver_later(request, daemon->process->hangs_until - scheduler_.now());
      scheduler_.sleep_for(silence_max);
      return Failure(rpc::fake_unreachable(request->node.name, "silence"));
    }
    scheduler_.sleep_until(daemon->process->hangs_until);
  }
  if (daemon->process->is_dead) {
    return Failure(rpc::fake_unreachable(request->node.name, "connection reset"));
  }
  auto const& context = request->context;
  std::int64_t highest = 0;
  fake_.change(request->node.uuid, [&](rpc::FakeNodeState& state) {
    highest = state.leader_epoch = std::max(state.leader_epoch, context.leader_epoch);
  });
  TRY(rpc::check_leader_epoch(context.leader_epoch, highest));
  if (deed_ && changes(context)) deed_(context, request->call, highest);
  Result<std::shared_ptr<node::CallTable::Call>> running = nullptr;
  scheduler_.as(daemon->process, [&] {
    running =
        daemon->calls.start({context.leader_epoch, context.job, context.step, request->call,
                             std::hash<std::string>{}(json::serialize(request->arguments)),
                             rpc::instance_of(request->arguments), context.serial},
                            [this, daemon = daemon.get(),
                             request](rpc::Progress const& goes_on) -> Result<json::value> {
                              try {
                                return carry_out(*daemon, *request, goes_on);
                              } catch (Killed const&) {
                                return fail(ErrorCode::InternalError, "The node daemon was killed");
                              }
                            });
  });
  if (!running) return Failure(running.error());
  bool is_gone = false;
  auto answer = daemon->calls.follow(**running, [&](std::string_view line) {
    is_gone = daemon->process->is_dead || scheduler_.now() >= deadline ||
              daemon->process->hangs_until > scheduler_.now() + silence_max;
    if (is_gone) return false;
    if (progress && !progress(line)) daemon->calls.cancel(context.job, context.step);
    return true;
  });
  if (!answer || is_gone || daemon->process->is_dead) {
    return Failure(rpc::fake_unreachable(request->node.name, "no answer"));
  }
  return std::move(*answer);
}

void SimulatedNodes::deliver_later(std::shared_ptr<Request> request, Duration delay) {
  auto late = std::make_shared<Request>(*request);
  late->mishap = Mishap::None;
  std::weak_ptr<Daemon> const incarnation = machines_[late->node.uuid].daemon;
  scheduler_.spawn(network_, "late", [this, late, delay, incarnation] {
    scheduler_.sleep_for(delay);
    // Its connection died with the daemon that it was sent to.
    if (incarnation.expired() || machines_[late->node.uuid].daemon != incarnation.lock()) return;
    static_cast<void>(deliver(late, {}, Instant::max()));
  });
}

// In the daemon's process, on a thread of the call.
Result<json::value> SimulatedNodes::carry_out(Daemon& daemon, Request const& request,
                                              rpc::Progress const& progress) {
  auto const deed = [&]() -> Result<json::value> {
    auto const& id = request.node.uuid;
    auto const is_change = changes(request.context);
    if (is_change) point(fmt::format("node before {}", request.call), &id);
    TRY(work(request, progress));
    if (request.mishap == Mishap::Error) {
      return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "{}: input/output error",
                     request.call);
    }
    // Its leader and its place were checked when it arrived.
    auto context = request.context;
    context.serial = 0;
    fake_.change(id, [&](rpc::FakeNodeState& state) { context.leader_epoch = state.leader_epoch; });
    auto answer = fake_.invoke(request.node, request.call, request.arguments, context, progress);
    if (is_change) ++deeds_;
    if (request.mishap == Mishap::DiesAtStart && answer &&
        request.call == rpc::InstanceStart::name) {
      kill_guest(id, rpc::instance_of(request.arguments));
      answer = fail_as(ErrorClass::Hypervisor, ErrorCode::EnvironmentError,
                       "the guest ended while it started");
    }
    if (is_change && changed_) changed_(id);
    if (is_change) point(fmt::format("node after {}", request.call), &id);
    return answer;
  };
  auto const instance = rpc::instance_of(request.arguments);
  if (instance.empty() || !changes(request.context)) return deed();
  return daemon.turns.take(instance, progress, deed);
}

// The time that the deed takes, before it is done.
Result<void> SimulatedNodes::work(Request const& request, rpc::Progress const& progress) {
  auto takes = draw(200us, 5ms);
  if (request.call == rpc::OsCreate::name) takes = draw(1s, 40s);
  if (request.call == rpc::BlockdevWipe::name) takes = draw(1s, 60s);
  if (request.call == rpc::InstanceStart::name) takes = draw(30ms, 300ms);
  if (request.call == rpc::InstanceShutdown::name) {
    auto const* limit = request.arguments.if_contains("timeout_s");
    auto const most = std::chrono::seconds(limit ? limit->to_number<std::int64_t>() : 0);
    takes = draw(20ms, std::max<Duration>(20ms, std::min<Duration>(most, 20s)));
  }
  if (request.call == rpc::HooksRun::name) {
    auto const hooks = TRY(schema::decode<rpc::HooksRun>(request.arguments));
    takes += fake_.hooks_take(request.node.uuid, hooks);
  }
  if (writes_to_disks(request.call)) takes += longer_;
  takes += fake_.ask_guest(request.node.uuid, request.call, request.arguments);
  if (request.mishap == Mishap::Slow) takes += 60s;
  if (request.mishap == Mishap::NeverAnswers) takes = 2h;
  for (auto const until = scheduler_.now() + takes; scheduler_.now() < until;) {
    scheduler_.sleep_until(std::min<Instant>(until, scheduler_.now() + 2s));
    if (progress && !progress(node::just_asking)) {
      return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "{} was ended early",
                     request.call);
    }
  }
  return {};
}

}  // namespace flotte::simulation
