#include "controller/watcher.h"

#include <algorithm>

#include "base/log.h"
#include "store/config_store.h"

namespace flotte::controller {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr auto first_look = 5s;
constexpr auto look_every = 60s;
constexpr std::size_t tries_max = 5;
constexpr auto tries_window = 8h;
constexpr auto archive_age = 6h;

json::array reason(std::string_view doing, WallTime now) {
  return json::array{
      json::array{"gnt:watcher", doing, now.time_since_epoch() / std::chrono::nanoseconds(1)}};
}

json::array startup_job(std::string const& instance, WallTime now) {
  json::object op;
  op["OP_ID"] = "OP_INSTANCE_STARTUP";
  op["instance_name"] = instance;
  op["no_remember"] = true;
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

void Watcher::start() {
  thread_ = seams_.clock.start_thread("watcher", [this] { run(); });
}

void Watcher::stop() {
  {
    std::lock_guard const guard(mutex_);
    is_stopping_ = true;
  }
  seams_.clock.notify_all(stop_);
  seams_.clock.join(thread_);
}

void Watcher::run() {
  Instant next = seams_.clock.now() + first_look;
  for (;;) {
    {
      std::unique_lock guard(mutex_);
      while (!is_stopping_ && seams_.clock.now() < next) {
        seams_.clock.wait_until(guard, stop_, next);
      }
      if (is_stopping_) return;
    }
    if (seams_.config.is_initialised()) look();
    next = seams_.clock.now() + look_every;
  }
}

// After a reboot of the master nobody else brings it up.
void Watcher::keep_master_address(model::Cluster const& cluster) {
  auto const& settings = cluster.settings();
  auto const master = cluster.node(settings.master_node);
  if (!master || settings.master_ip.empty() || settings.master_netdev.empty()) return;
  auto const kept = seams_.nodes.ask(**master,
                                     rpc::MasterAddress{.ip = settings.master_ip,
                                                        .netdev = settings.master_netdev,
                                                        .netmask = settings.master_netmask},
                                     {.leader_epoch = leader_epoch_, .timeout = 30s});
  if (!kept) log::warning("The cluster's address: {}", kept.error().message);
}

void Watcher::look() {
  auto const cluster = seams_.config.snapshot();
  keep_master_address(*cluster);
  queue_.auto_archive(archive_age);
  // An instance that a job works on is left to that job.
  auto const locks = queue_.locks();
  auto const is_busy = [&](std::string const& name) {
    return std::ranges::any_of(locks, [&](jobs::LockManager::Entry const& entry) {
      return std::ranges::any_of(entry.locks, [&](jobs::Lock const& lock) {
        return lock.level == jobs::LockLevel::Instance && lock.name == name;
      });
    });
  };
  for (auto const& node : cluster->nodes_by_name()) {
    if (node->offline) continue;
    auto const running =
        seams_.nodes.ask(*node, rpc::AllInstancesInfo{cluster->settings().enabled_hypervisors},
                         {.leader_epoch = leader_epoch_, .timeout = 30s});
    if (!running) {
      log::warning("Watcher: {}", running.error().message);
      continue;
    }
    for (auto const& instance : cluster->instances_by_name()) {
      if (instance->primary_node != node->uuid || is_busy(instance->name) ||
          instance->admin_state != model::AdminState::Up) {
        continue;
      }
      auto const found =
          std::ranges::find(running->instances, instance->name, &rpc::RunningInstance::name);
      if (found == running->instances.end()) {
        if (may_try(instance->name)) {
          log::info("Watcher: {} should run and does not, starting it", instance->name);
          queue_.submit({startup_job(instance->name, seams_.clock.wall())});
        }
      } else if (found->state == rpc::RunState::UserDown) {
        log::info("Watcher: {} was switched off from inside", instance->name);
        queue_.submit({user_down_job(instance->name, seams_.clock.wall())});
      }
    }
  }
}

bool Watcher::may_try(std::string const& instance) {
  auto& tries = tries_[instance];
  auto const now = seams_.clock.now();
  std::erase_if(tries, [&](Instant when) { return now - when > tries_window; });
  if (tries.size() >= tries_max) return false;
  tries.push_back(now);
  return true;
}

}  // namespace flotte::controller
