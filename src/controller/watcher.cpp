#include "controller/watcher.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/boundary.h"
#include "base/log.h"
#include "base/lookup.h"
#include "rpc/ask_all.h"
#include "store/config_store.h"

namespace flotte::controller {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr auto first_look = 5s;
constexpr auto look_every = 60s;
constexpr std::size_t tries_max = 5;
constexpr std::int64_t tries_window_s = 8 * 3600;
constexpr std::string_view pause_key = "/watcher/pause";
constexpr std::string_view tries_prefix = "/watcher/tries/";
constexpr auto archive_age = 6h;
// As ganeti-cleaner does.
constexpr auto archived_are_kept = 21 * 24h;
constexpr auto clean_every = 1h;
// As often as Ganeti's cron table has it.
constexpr auto hooks_every = 5min;
// Guests that died must not wait for a script that hangs.
constexpr std::int64_t hooks_limit_s = 60;

json::array reason(std::string_view doing, WallTime now) {
  return json::array{
      json::array{"gnt:watcher", doing, now.time_since_epoch() / std::chrono::nanoseconds(1)}};
}

jobs::Principal watcher_itself() {
  return {.name = "the watcher"};
}

json::array startup_job(std::string const& instance, WallTime now) {
  json::object op;
  op["OP_ID"] = "OP_INSTANCE_STARTUP";
  op["instance_name"] = instance;
  op["no_remember"] = true;
  op["only_if_wished"] = true;
  op["reason"] = reason("startup", now);
  return json::array{std::move(op)};
}

json::array user_down_job(std::string const& instance, WallTime now) {
  json::object op;
  op["OP_ID"] = "OP_INSTANCE_SHUTDOWN";
  op["instance_name"] = instance;
  op["timeout"] = 0;
  op["admin_state_source"] = "user";
  op["reason"] = reason("shutdown", now);
  return json::array{std::move(op)};
}

}  // namespace

Watcher::Watcher(jobs::Seams seams, jobs::JobQueue& queue, std::int64_t leader_epoch)
    : seams_(seams), queue_(queue), leader_epoch_(leader_epoch) {}

Watcher::~Watcher() {
  stop();
}

Result<void> Watcher::load() {
  for (auto const& kv : TRY(seams_.store.range_prefix(pause_key))) {
    auto const until = schema::parse(kv.value);
    if (until && until->is_int64()) paused_until_ = until->get_int64();
  }
  for (auto const& kv : TRY(seams_.store.range_prefix(tries_prefix))) {
    auto const tries = schema::parse(kv.value);
    if (!tries || !tries->is_array()) continue;
    auto& known = tries_[InstanceId(kv.key.substr(tries_prefix.size()))];
    for (auto const& when : tries->get_array()) {
      if (when.is_int64()) known.push_back(when.get_int64());
    }
  }
  return {};
}

Result<void> Watcher::pause(std::optional<std::int64_t> until) {
  store::Txn txn;
  if (until) {
    txn.put(std::string(pause_key), std::to_string(*until));
  } else {
    txn.remove(std::string(pause_key));
  }
  TRY(seams_.store.txn(txn));
  Guard const guard(seams_.clock, mutex_);
  paused_until_ = until;
  return {};
}

std::optional<std::int64_t> Watcher::paused_until() const {
  Guard const guard(seams_.clock, mutex_);
  return paused_until_ > now() ? paused_until_ : std::nullopt;
}

std::int64_t Watcher::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(seams_.clock.wall().time_since_epoch())
      .count();
}

void Watcher::start() {
  thread_ = seams_.clock.start_thread("watcher", [this] { run(); });
}

void Watcher::stop() {
  {
    Guard const guard(seams_.clock, mutex_);
    is_stopping_ = true;
  }
  seams_.clock.notify_all(changed_);
  seams_.clock.join(thread_);
}

Result<void> Watcher::look_now(bool ignores_pause) {
  Guard guard(seams_.clock, mutex_);
  auto const mine = ++looks_asked_;
  ignores_pause_ = ignores_pause_ || ignores_pause;
  seams_.clock.notify_all(changed_);
  while (!is_stopping_ && looks_answered_ < mine) seams_.clock.wait(guard, changed_);
  if (looks_answered_ >= mine) return {};
  return fail(ErrorCode::WrongState, "The controller is being stopped");
}

void Watcher::run() {
  Instant next = seams_.clock.now() + first_look;
  Guard guard(seams_.clock, mutex_);
  while (!is_stopping_) {
    if (seams_.clock.now() < next && looks_answered_ == looks_asked_) {
      seams_.clock.wait_until(guard, changed_, next);
      continue;
    }
    auto const answering = looks_asked_;
    auto const ignores_pause = std::exchange(ignores_pause_, false);
    guard.unlock();
    auto const rests = !seams_.config.is_initialised() || (paused_until() && !ignores_pause);
    auto const in_bounds = [&](std::string_view what, auto const& work) {
      if (rests) return;
      auto const done = boundary(what, work);
      if (!done) log::error("{}", done.error().message);
    };
    in_bounds("The watcher's look", [&] { look(); });
    next = seams_.clock.now() + look_every;
    guard.lock();
    looks_answered_ = answering;
    seams_.clock.notify_all(changed_);
    guard.unlock();
    // Whoever asked for a look does not wait for scripts.
    in_bounds("The watcher's hooks", [&] { run_hooks_when_due(); });
    guard.lock();
  }
}

void Watcher::run_hooks_when_due() {
  if (seams_.clock.now() < next_hooks_) return;
  next_hooks_ = seams_.clock.now() + hooks_every;
  run_hooks(*seams_.config.snapshot());
}

// Somebody who may be about to move the cluster's address, or waits for his turn to.
bool Watcher::settings_are_changing() const {
  return std::ranges::any_of(queue_.locks(), [](auto const& entry) {
    return std::ranges::any_of(entry.locks, [](jobs::Lock const& lock) {
      return lock.level == jobs::LockLevel::Cluster && lock.name == "settings" &&
             lock.mode == jobs::LockMode::Exclusive;
    });
  });
}

// After a reboot of the master nobody else brings it up. What is configured is looked at after the
// locks: who has given his back meanwhile has committed.
void Watcher::keep_master_address() {
  if (settings_are_changing()) return;
  auto const cluster = seams_.config.snapshot();
  auto const& settings = cluster->settings();
  auto const master = cluster->node(settings.master_node);
  if (!master || settings.master_ip.empty() || settings.master_netdev.empty()) return;
  auto const kept = seams_.nodes.ask(**master,
                                     rpc::MasterAddress{.ip = settings.master_ip,
                                                        .netdev = settings.master_netdev,
                                                        .netmask = settings.master_netmask},
                                     {.leader_epoch = leader_epoch_, .timeout = 30s});
  if (!kept) log::warning("The cluster's address: {}", kept.error().message);
}

void Watcher::look() {
  keep_master_address();
  auto const cluster = seams_.config.snapshot();
  queue_.auto_archive(archive_age);
  clean_archive();
  // Refused anyway, and no try.
  if (queue_.is_drained()) return;
  auto const nodes = cluster->online_nodes();
  auto const running = rpc::ask_all(seams_.clock, seams_.nodes, nodes,
                                    rpc::AllInstancesInfo{cluster->settings().enabled_hypervisors},
                                    {.leader_epoch = leader_epoch_, .timeout = 30s});
  for (auto const& node : nodes) {
    auto const& answer = known_at(running, node->uuid);
    if (answer) {
      look_at(*node, answer->instances);
    } else {
      log::warning("Watcher: {}", answer.error().message);
    }
  }
  forget_tries_of_the_gone();
}

void Watcher::clean_archive() {
  if (seams_.clock.now() < next_clean_) return;
  next_clean_ = seams_.clock.now() + clean_every;
  auto const removed = queue_.remove_archived(archived_are_kept);
  if (!removed) return log::warning("Watcher: {}", removed.error().message);
  if (*removed > 0) log::info("Watcher: {} old jobs were removed from the archive", *removed);
}

// The wishes and the jobs are those after the node's answer: who was shut down meanwhile is known
// to be, or a job is about it. What changes from here on, the jobs that are submitted see
// themselves when they have their locks.
void Watcher::look_at(model::Node const& node, std::vector<rpc::RunningInstance> const& running) {
  auto const cluster = seams_.config.snapshot();
  auto const busy = busy_instances(*cluster);
  for (auto const& instance : cluster->instances_by_name()) {
    if (instance->primary_node != node.uuid || busy.contains(instance->name) ||
        instance->admin_state != model::AdminState::Up) {
      continue;
    }
    auto const found = std::ranges::find(running, instance->name, &rpc::RunningInstance::name);
    if (found == running.end()) {
      if (may_try(instance->uuid)) {
        log::info("Watcher: {} should run and does not, starting it", instance->name);
        queue_.submit({startup_job(instance->name, seams_.clock.wall())}, watcher_itself());
      }
    } else if (found->state == rpc::RunState::UserDown) {
      log::info("Watcher: {} was switched off from inside", instance->name);
      queue_.submit({user_down_job(instance->name, seams_.clock.wall())}, watcher_itself());
    } else if (tries_.contains(instance->uuid)) {
      forget_tries(instance->uuid);
    }
  }
}

void Watcher::run_hooks(model::Cluster const& cluster) {
  rpc::HooksRun const hooks{.directory = "watcher", .timeout_s = hooks_limit_s};
  auto const nodes = cluster.online_nodes();
  auto const answers = rpc::ask_all(
      seams_.clock, seams_.nodes, nodes, hooks,
      {.leader_epoch = leader_epoch_, .timeout = std::chrono::seconds(hooks_limit_s) + 10s});
  for (auto const& node : nodes) {
    auto const& done = known_at(answers, node->uuid);
    if (!done) {
      log::warning("Watcher hooks on {}: {}", node->name, done.error().message);
      continue;
    }
    for (auto const& [script, outcome, output] : done->results) {
      if (outcome != rpc::HookOutcome::Failed) continue;
      log::warning("Watcher hook {} on {} failed: {}", script, node->name, output);
    }
  }
}

// An instance that a job works on, or will, is left to that job: also to one that waits for
// another job and has asked for no lock yet.
std::set<std::string> Watcher::busy_instances(model::Cluster const& cluster) const {
  std::set<std::string> busy;
  for (auto const& entry : queue_.locks()) {
    for (auto const& lock : entry.locks) {
      if (lock.level == jobs::LockLevel::Instance) busy.insert(lock.name);
    }
  }
  for (auto const& op : queue_.unfinished_opcodes()) {
    auto const* name = op.if_contains("instance_name");
    if (!name || !name->is_string()) continue;
    auto const instance = cluster.instance(std::string_view(name->get_string()));
    if (instance) busy.insert((*instance)->name);
  }
  return busy;
}

void Watcher::forget_tries(InstanceId const& instance) {
  store::Txn txn;
  txn.remove(fmt::format("{}{}", tries_prefix, instance.text()));
  if (seams_.store.txn(txn)) tries_.erase(instance);
}

void Watcher::forget_tries_of_the_gone() {
  auto const cluster = seams_.config.snapshot();
  std::vector<InstanceId> gone;
  for (auto const& [instance, tries] : tries_) {
    if (!cluster->instance(instance)) gone.push_back(instance);
  }
  for (auto const& instance : gone) forget_tries(instance);
}

// A try counts before it is made: however often the controller is killed, there are no more.
bool Watcher::may_try(InstanceId const& instance) {
  auto tries = tries_[instance];
  std::erase_if(tries, [&](std::int64_t when) { return now() - when > tries_window_s; });
  if (tries.size() >= tries_max) return false;
  tries.push_back(now());
  store::Txn txn;
  txn.put(fmt::format("{}{}", tries_prefix, instance.text()),
          json::serialize(json::array(tries.begin(), tries.end())));
  if (auto const stored = seams_.store.txn(txn); !stored) {
    log::warning("Watcher: {}", stored.error().message);
    return false;
  }
  tries_[instance] = std::move(tries);
  return true;
}

}  // namespace flotte::controller
