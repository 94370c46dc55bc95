#include "controller/remote_server.h"

#include "base/boundary.h"
#include "base/log.h"
#include "sys/files.h"

namespace flotte::controller {
namespace {

constexpr std::chrono::seconds look_every{1};

}  // namespace

RemoteServer::RemoteServer(Paths paths, rapi::Services services)
    : paths_(std::move(paths)),
      clock_(services.seams.clock),
      config_(services.seams.config),
      accounts_(paths_.rapi_users_file(), clock_, services.seams.random) {
  auto const settings = remote_settings(paths_);
  if (!settings) {
    log::error("The remote API is off: {}", settings.error().message);
    return;
  }
  settings_ = *settings;
  if (!settings_.is_on) return;
  api_ = std::make_unique<rapi::RemoteApi>(
      std::move(services), accounts_,
      rapi::RemoteApi::Options{.requires_authentication = settings_.requires_authentication});
  thread_ = clock_.start_thread("remote-api", [this] { run(); });
}

RemoteServer::~RemoteServer() {
  stop();
}

void RemoteServer::stop() {
  {
    std::lock_guard const lock(mutex_);
    is_stopping_ = true;
  }
  clock_.notify_all(wakeup_);
  if (thread_.joinable()) clock_.join(thread_);
  server_.reset();
}

void RemoteServer::wake() {
  {
    std::lock_guard const lock(mutex_);
    is_woken_ = true;
  }
  clock_.notify_all(wakeup_);
}

void RemoteServer::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    lock.unlock();
    auto const looked = boundary("The remote API", [&] { look(); });
    if (!looked) tell_once(looked.error().message);
    lock.lock();
    auto const next = clock_.now() + look_every;
    while (!is_stopping_ && !is_woken_ && clock_.now() < next) {
      clock_.wait_until(lock, wakeup_, next);
    }
    is_woken_ = false;
  }
}

void RemoteServer::look() {
  api_->tidy();
  auto const is_there = !settings_.has_tls || sys::exists(settings_.certificate_file);
  if (!config_.is_initialised() || !is_there) {
    if (server_) log::info("The remote API ends");
    server_.reset();
    if (config_.is_initialised()) {
      tell_once(fmt::format("it is off, there is no {}", settings_.certificate_file));
    }
    return;
  }
  auto const certificate = settings_.has_tls ? sys::identity(settings_.certificate_file) +
                                                   sys::identity(settings_.key_file)
                                             : std::string();
  if (server_ && certificate == certificate_) return;
  auto const is_renewed = server_ != nullptr;
  auto const done = is_renewed ? server_->renew_certificate() : begin();
  if (!done) return tell_once(done.error().message);
  trouble_.clear();
  if (is_renewed) log::info("The remote API has a new certificate");
  certificate_ = certificate;
}

Result<void> RemoteServer::begin() {
  net::ServerOptions options;
  options.tcp = net::TcpListen{.address = settings_.address, .port = settings_.port};
  if (settings_.has_tls) {
    options.tcp->tls = net::TlsServerOptions{.certificate_file = settings_.certificate_file,
                                             .key_file = settings_.key_file,
                                             .client_certificate = net::ClientCertificate::None};
  }
  options.connections_max = settings_.connections_max;
  // A job has as much at most.
  options.body_bytes_max = 1 << 20;
  options.headers = {{"Server", "Ganeti (Flotte)"}};
  options.refusal = [](unsigned status, std::string_view text) {
    return rapi::RemoteApi::refused({status, std::string(text)});
  };
  server_ = TRY(net::Server::create(std::move(options),
                                    [this](net::Request const& request, net::Responder& responder) {
                                      api_->handle(request, responder);
                                    }));
  log::info("The remote API listens on {} port {}", settings_.address, server_->port());
  return {};
}

// It looks every second.
void RemoteServer::tell_once(std::string const& trouble) {
  if (trouble == trouble_) return;
  log::error("The remote API: {}", trouble);
  trouble_ = trouble;
}

}  // namespace flotte::controller
