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

void RemoteServer::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    lock.unlock();
    auto const looked = boundary("The remote API", [&] { look(); });
    if (!looked) tell_once(looked.error().message);
    lock.lock();
    if (!is_stopping_) clock_.wait_until(lock, wakeup_, clock_.now() + look_every);
  }
}

void RemoteServer::look() {
  api_->tidy();
  auto const is_there = sys::exists(settings_.certificate_file);
  if (!is_there) {
    if (server_) log::info("The remote API ends: {} is gone", settings_.certificate_file);
    server_.reset();
    return;
  }
  auto const certificate =
      sys::identity(settings_.certificate_file) + sys::identity(settings_.key_file);
  if (server_ && certificate == certificate_) return;
  auto const done = server_ && settings_.has_tls ? server_->renew_certificate() : begin();
  if (!done) return tell_once(done.error().message);
  trouble_.clear();
  if (!certificate_.empty() && server_) log::info("The remote API has a new certificate");
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
