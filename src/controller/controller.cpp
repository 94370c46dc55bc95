#include "controller/controller.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/crash.h"
#include "base/log.h"
#include "controller/core.h"
#include "controller/key_files.h"
#include "controller/remote_server.h"
#include "net/server.h"
#include "rapi/local_api.h"
#include "rpc/node_client.h"
#include "store/sqlite_store.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

constexpr std::string_view admin_group = "gnt-admin";
constexpr mode_t socket_mode = 0660;

// Each command that follows a job has a connection. What may be open then.
std::size_t raise_descriptor_limit() {
  constexpr rlim_t wanted = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  auto const raised = std::max(limit.rlim_cur, std::min(limit.rlim_max, wanted));
  rlimit const better{.rlim_cur = raised, .rlim_max = limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &better) == 0 ? raised : limit.rlim_cur;
}

}  // namespace

// In the order in which they are made; ended in the reverse.
struct Controller::Parts {
  Parts(Paths p, Clock& c, Random& r)
      : paths(std::move(p)), clock(c), random(r), keys(paths.controller() + "/job-keys") {}

  Result<void> open();

  Paths paths;
  Clock& clock;
  Random& random;
  KeyFiles keys;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<rpc::NodeClient> nodes;
  // Of the remote API: who asks much there takes no job's connection.
  std::unique_ptr<rpc::NodeClient> nodes_for_programs;
  std::unique_ptr<Core> core;
  std::unique_ptr<rapi::Followers> followers;
  std::unique_ptr<rapi::LocalApi> api;
  std::unique_ptr<net::Server> server;
  std::unique_ptr<RemoteServer> remote;
};

Result<void> Controller::Parts::open() {
  store = TRY(store::SqliteStore::create(paths.store(), clock));
  nodes = std::make_unique<rpc::NodeClient>(paths);
  nodes_for_programs = std::make_unique<rpc::NodeClient>(paths);
  core = std::make_unique<Core>(Core::Seams{clock, random, *store, *nodes, keys}, Duration::zero());
  auto const crashes_file = paths.controller() + "/crashes";
  TRY(core->lead(TRY(crash::record_in(crashes_file))));
  TRY(crash::forget(crashes_file));
  followers = std::make_unique<rapi::Followers>(core->queue(), clock, raise_descriptor_limit() / 2);
  rapi::Services const services{
      .seams = core->job_seams(),
      .queue = core->queue(),
      .leader_epoch = core->epoch(),
      .followers = *followers,
      .initialise = [this](json::object const& request,
                           jobs::Principal const& by) -> Result<JobId> {
        auto const job = TRY(core->initialise(request, by));
        remote->wake();
        return job;
      },
      .destroy = [this] { return core->destroy(); },
      .pause_watcher =
          [this](std::optional<std::int64_t> until) { return core->watcher().pause(until); },
      .watcher_paused_until = [this] { return core->watcher().paused_until(); },
      .watcher_looks =
          [this](bool ignores_pause) { return core->watcher().look_now(ignores_pause); }};
  api = std::make_unique<rapi::LocalApi>(services);
  core->start();
  net::ServerOptions options;
  options.unix_socket = net::UnixListen{
      .path = paths.controller_socket(), .mode = socket_mode, .group = std::string(admin_group)};
  server = TRY(net::Server::create(std::move(options),
                                   [this](net::Request const& request, net::Responder& responder) {
                                     api->handle(request, responder);
                                   }));
  auto const seams = core->job_seams();
  rapi::Services const for_programs{.seams = {.clock = clock,
                                              .random = random,
                                              .store = seams.store,
                                              .config = seams.config,
                                              .nodes = *nodes_for_programs,
                                              .keys = keys},
                                    .queue = core->queue(),
                                    .leader_epoch = core->epoch(),
                                    .followers = *followers,
                                    .watcher_paused_until = services.watcher_paused_until};
  remote = std::make_unique<RemoteServer>(paths, for_programs);
  log::info("Serving on {}, leader epoch {}", paths.controller_socket(), core->epoch());
  return {};
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Controller>> Controller::create(Paths paths, Clock& clock, Random& random) {
  auto parts = std::make_unique<Parts>(std::move(paths), clock, random);
  TRY(parts->open());
  return std::unique_ptr<Controller>(new Controller(std::move(parts)));
}

bool Controller::is_alive() const {
  parts_->core->queue().locks();
  parts_->core->config().snapshot();
  return parts_->core->leads();
}

Controller::~Controller() {
  // Handlers wait for what these do: they let go, then the server can join them.
  parts_->nodes->stop();
  parts_->nodes_for_programs->stop();
  parts_->core->stop();
  parts_->remote->stop();
  parts_->server->stop();
}

}  // namespace flotte::controller
