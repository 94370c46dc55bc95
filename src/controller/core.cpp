#include "controller/core.h"

#include "base/log.h"
#include "controller/first_cluster.h"
#include "units/all.h"
#include "units/hooks.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

// The command that waits for the answer gives up after two minutes.
constexpr std::int64_t destroy_hooks_limit_s = 60;
// What was committed just before is no finding of `gnt-cluster verify`.
constexpr std::chrono::seconds ssconf_patience{10};
constexpr std::chrono::minutes rewrite_patience{5};
constexpr std::chrono::seconds destroy_waits_for_jobs{40};

json::array post_init_job(WallTime now) {
  json::object op;
  op["OP_ID"] = "OP_CLUSTER_POST_INIT";
  op["debug_level"] = 0;
  op["reason"] = json::array{json::array{"gnt:client:gnt-cluster", "init",
                                         now.time_since_epoch() / std::chrono::nanoseconds(1)}};
  return json::array{std::move(op)};
}

double seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

Core::Core(Seams seams, Duration lease)
    : seams_(seams), leadership_(seams.store, seams.clock, lease) {}

Core::~Core() {
  stop();
}

Result<void> Core::lead(std::vector<std::string> const& crashes) {
  TRY(leadership_.acquire());
  leads_ = true;
  store_ = std::make_unique<store::LeaderStore>(seams_.store, leadership_.revision());
  config_ = TRY(store::ConfigStore::create(*store_, seams_.clock));
  ssconf_ = std::make_unique<SsconfWriter>(seams_.clock, *config_, seams_.nodes, epoch());
  config_->on_change([this] { ssconf_->wake(); });
  units::add_all(units_);
  queue_ = TRY(jobs::JobQueue::create(job_seams(), units_, epoch(), crashes));
  watcher_ = std::make_unique<Watcher>(job_seams(), *queue_, epoch());
  TRY(watcher_->load());
  leadership_.keep([this] {
    leads_ = false;
    queue_->depose();
  });
  return {};
}

jobs::Seams Core::job_seams() {
  return {.clock = seams_.clock,
          .random = seams_.random,
          .store = *store_,
          .config = *config_,
          .nodes = seams_.nodes,
          .keys = seams_.keys,
          .wait_for_ssconf = [this] { ssconf_->wait(ssconf_patience); },
          .rewrite_ssconf = [this] { return ssconf_->write_anew(rewrite_patience); }};
}

void Core::start() {
  ssconf_->start();
  queue_->start();
  watcher_->start();
}

void Core::stop() {
  leadership_.stop();
  // First: jobs come to their next step while the others are waited for.
  if (queue_) queue_->depose();
  if (watcher_) watcher_->stop();
  if (ssconf_) ssconf_->stop();
  if (queue_) queue_->stop();
}

Result<JobId> Core::initialise(json::object const& request, jobs::Principal const& by) {
  if (config_->is_initialised()) {
    return fail(ErrorCode::WrongState, "Cluster is already initialised");
  }
  auto const first = TRY(first_cluster(request, seams_.random, seconds(seams_.clock.wall())));
  TRY(config_->update(
      [&](store::ClusterEdit& edit) -> Result<void> {
        edit.put(first.settings);
        edit.put(first.group);
        edit.put(first.node);
        return {};
      },
      {}));
  return queue_->submit({post_init_job(seams_.clock.wall())}, by).front();
}

// No job may be at work: one that makes an instance would go on without its cluster.
Result<void> Core::destroy() {
  return queue_->run_last(destroy_waits_for_jobs, [this] { return destroy_now(); });
}

Result<void> Core::destroy_now() {
  if (!config_->is_initialised()) return fail(ErrorCode::WrongState, "There is no cluster");
  auto const cluster = config_->snapshot();
  if (!cluster->instances().empty()) {
    return fail(ErrorCode::WrongState, "There are still {} instance(s) in this cluster",
                cluster->instances().size());
  }
  if (!cluster->detached_disks().empty()) {
    return fail(ErrorCode::WrongState,
                "There are still {} detached disk(s) in this cluster; attach them to an instance "
                "('gnt-instance modify --disk attach:uuid={}') and remove that",
                cluster->detached_disks().size(), cluster->detached_disks().begin()->first.text());
  }
  run_destroy_hooks(*cluster);
  // A node that leaves takes the cluster's address down where its files say that it is.
  ssconf_->wait(ssconf_patience);
  return config_->forget();
}

// Ganeti runs those of after the deed before it, too: afterwards there is no cluster to run them.
void Core::run_destroy_hooks(model::Cluster const& cluster) {
  auto const master = cluster.node(cluster.settings().master_node);
  if (!master) return;
  auto const hooks = units::cluster_hooks("cluster-destroy", cluster,
                                          {{"OP_TARGET", cluster.settings().cluster_name}});
  auto run = jobs::after_operation({"OP_CLUSTER_DESTROY", cluster, hooks}, hooks.variables);
  run.timeout_s = destroy_hooks_limit_s;
  auto const done = seams_.nodes.ask(
      **master, run,
      {.leader_epoch = epoch(), .timeout = std::chrono::seconds(destroy_hooks_limit_s + 10)});
  if (!done) return log::warning("Hooks of cluster-destroy: {}", done.error().message);
  for (auto const& [script, outcome, output] : done->results) {
    if (outcome == rpc::HookOutcome::Failed) log::warning("Hook {} failed: {}", script, output);
  }
}

}  // namespace flotte::controller
