#include "controller/controller.h"

#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "controller/first_cluster.h"
#include "controller/watcher.h"
#include "jobs/job_queue.h"
#include "net/server.h"
#include "rapi/local_api.h"
#include "rpc/node_client.h"
#include "store/config_store.h"
#include "store/sqlite_store.h"
#include "units/all.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

constexpr std::string_view admin_group = "gnt-admin";
constexpr mode_t socket_mode = 0660;

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

// In the order in which they are made; ended in the reverse.
struct Controller::Parts {
  Parts(Paths p, Clock& c, Random& r) : paths(std::move(p)), clock(c), random(r) {}

  Result<void> open();
  Result<JobId> initialise(json::object const& request);
  Result<void> destroy();

  Paths paths;
  Clock& clock;
  Random& random;
  std::unique_ptr<store::SqliteStore> store;
  std::int64_t epoch = 0;
  std::unique_ptr<store::ConfigStore> config;
  std::unique_ptr<rpc::NodeClient> nodes;
  jobs::UnitTable units;
  std::unique_ptr<jobs::JobQueue> queue;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<rapi::LocalApi> api;
  std::unique_ptr<net::Server> server;
};

Result<void> Controller::Parts::open() {
  store = TRY(store::SqliteStore::create(paths.store(), clock));
  epoch = TRY(store->acquire_leadership("controller"));
  config = TRY(store::ConfigStore::create(*store, clock, epoch));
  nodes = std::make_unique<rpc::NodeClient>(paths);
  units::add_all(units);
  jobs::Seams const seams{clock, random, *store, *config, *nodes};
  queue = TRY(jobs::JobQueue::create(seams, units, epoch));
  watcher = std::make_unique<Watcher>(seams, *queue, epoch);
  api = std::make_unique<rapi::LocalApi>(rapi::Services{
      .seams = seams,
      .queue = *queue,
      .leader_epoch = epoch,
      .initialise = [this](json::object const& request) { return initialise(request); },
      .destroy = [this] { return destroy(); }});
  queue->start();
  watcher->start();
  net::ServerOptions options;
  options.unix_socket = net::UnixListen{
      .path = paths.controller_socket(), .mode = socket_mode, .group = std::string(admin_group)};
  server = TRY(net::Server::create(std::move(options),
                                   [this](net::Request const& request, net::Responder& responder) {
                                     api->handle(request, responder);
                                   }));
  log::info("Serving on {}, leader epoch {}", paths.controller_socket(), epoch);
  return {};
}

Result<JobId> Controller::Parts::initialise(json::object const& request) {
  if (config->is_initialised()) {
    return fail(ErrorCode::WrongState, "Cluster is already initialised");
  }
  auto const first = TRY(first_cluster(request, random, seconds(clock.wall())));
  TRY(config->update(
      [&](store::ClusterEdit& edit) -> Result<void> {
        edit.put(first.settings);
        edit.put(first.group);
        edit.put(first.node);
        return {};
      },
      {}));
  return queue->submit({post_init_job(clock.wall())}).front();
}

Result<void> Controller::Parts::destroy() {
  if (!config->is_initialised()) return fail(ErrorCode::WrongState, "There is no cluster");
  auto const cluster = config->snapshot();
  if (!cluster->instances().empty()) {
    return fail(ErrorCode::WrongState, "There are still {} instance(s) in this cluster",
                cluster->instances().size());
  }
  return config->forget();
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Controller>> Controller::create(Paths paths, Clock& clock, Random& random) {
  auto parts = std::make_unique<Parts>(std::move(paths), clock, random);
  TRY(parts->open());
  return std::unique_ptr<Controller>(new Controller(std::move(parts)));
}

bool Controller::is_alive() const {
  parts_->queue->locks();
  parts_->config->snapshot();
  return true;
}

Controller::~Controller() {
  // Followers wait inside handlers: the queue lets them go, then the server can join them.
  parts_->nodes->stop();
  parts_->watcher->stop();
  parts_->queue->stop();
  parts_->server->stop();
}

}  // namespace flotte::controller
