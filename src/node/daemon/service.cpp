#include "node/daemon/service.h"

#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <functional>

#include "base/log.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {

constexpr unsigned http_bad_request = 400;
constexpr unsigned http_forbidden = 403;
constexpr unsigned http_not_found = 404;

void refuse(net::Responder& responder, unsigned status, Error const& error) {
  net::Response response;
  response.status = status;
  response.body = json::serialize(rpc::encode_error(error));
  // The client may be gone; nobody else wants to know.
  static_cast<void>(responder.send(response));
}

// An answer that comes before anything was said is sent whole, otherwise as a stream of lines.
class LineWriter {
 public:
  explicit LineWriter(net::Responder& responder) : responder_(responder) {}

  bool write(std::string_view line) {
    if (!has_begun_) {
      has_begun_ = true;
      is_broken_ = !responder_.start_stream(200, rpc::lines_content_type);
    }
    if (!is_broken_) is_broken_ = !responder_.write(std::string(line) + "\n");
    return !is_broken_;
  }

  void end(Result<json::value> const& answer) {
    auto const line = rpc::answer_line(answer);
    if (!has_begun_) {
      net::Response response;
      response.content_type = rpc::lines_content_type;
      response.body = line + "\n";
      static_cast<void>(responder_.send(response));
    } else if (write(line)) {
      static_cast<void>(responder_.finish());
    }
  }

 private:
  net::Responder& responder_;
  bool has_begun_ = false;
  bool is_broken_ = false;
};

}  // namespace

Service::Service(rpc::Dispatcher const& dispatcher, LeaderEpoch& epoch, Clock& clock,
                 std::set<std::string, std::less<>> local_only)
    : dispatcher_(dispatcher), epoch_(epoch), local_only_(std::move(local_only)), calls_(clock) {}

void Service::handle(Door door, net::Request const& request, net::Responder& responder) {
  if (auto const checked = check_peer(door, request.peer); !checked) {
    log::warning("{} refused: {}", request.peer.address, checked.error().message);
    return refuse(responder, http_forbidden, checked.error());
  }
  if (request.method == "POST" && request.path.starts_with(rpc::call_path)) {
    auto const call = std::string_view(request.path).substr(rpc::call_path.size());
    return handle_call(door, call, request, responder);
  }
  if (request.method == "POST" && request.path == rpc::cancel_path) {
    if (auto const done = handle_cancel(request); !done) {
      return refuse(responder, http_bad_request, done.error());
    }
    return LineWriter(responder).end(nullptr);
  }
  refuse(responder, http_not_found,
         {ErrorCode::WrongInput, "There is only POST /1/call/NAME and POST /1/cancel"});
}

// The kernel and TLS have checked more than this already; here the rule stands in one place.
Result<void> Service::check_peer(Door door, net::Peer const& peer) const {
  if (door == Door::Local) {
    if (peer.transport == net::Transport::Unix && (peer.uid == 0 || peer.uid == ::geteuid())) {
      return {};
    }
    return fail_as(ErrorClass::Prereq, ErrorCode::WrongInput,
                   "Only root may use the node daemon's local socket");
  }
  if (peer.transport == net::Transport::Tls && peer.certificate_name == rpc::controller_name) {
    return {};
  }
  return fail_as(ErrorClass::Exec, ErrorCode::WrongInput,
                 "Only the controller may call the node daemon, not '{}'", peer.certificate_name);
}

Result<void> Service::check_call(Door door, std::string_view call) const {
  TRY(dispatcher_.require(call));
  if (door == Door::Network && local_only_.contains(call)) {
    return fail_as(ErrorClass::Exec, ErrorCode::WrongInput,
                   "'{}' is for the node daemon's local socket only", call);
  }
  return {};
}

void Service::handle_call(Door door, std::string_view call, net::Request const& request,
                          net::Responder& responder) {
  if (auto const checked = check_call(door, call); !checked) {
    return refuse(responder, http_not_found, checked.error());
  }
  auto const json = schema::parse(request.body);
  auto const body = json ? schema::decode<rpc::CallBody>(*json, schema::UnknownKeys::Ignore)
                         : Result<rpc::CallBody>(Failure(json.error()));
  if (!body) return refuse(responder, http_bad_request, body.error());

  rpc::CallContext const context{.leader_epoch = body->context.leader_epoch,
                                 .job = body->context.job,
                                 .step = body->context.step,
                                 .serial = body->context.serial};
  LineWriter lines(responder);
  if (door == Door::Network) {
    if (auto const checked = epoch_.check(context.leader_epoch); !checked) {
      log::warning("{} from {}: {}", call, request.peer.address, checked.error().message);
      return lines.end(Failure(checked.error()));
    }
  }
  auto const arguments_digest = std::hash<std::string>{}(json::serialize(body->arguments));
  auto const running =
      calls_.start({context.leader_epoch, context.job, context.step, std::string(call),
                    arguments_digest, rpc::instance_of(body->arguments), context.serial},
                   [this, name = std::string(call), arguments = body->arguments,
                    context](rpc::Progress const& progress) {
                     return dispatcher_.dispatch(name, arguments, context, progress);
                   });
  if (!running) return lines.end(Failure(running.error()));
  auto const answer =
      calls_.follow(**running, [&](std::string_view line) { return lines.write(line); });
  if (!answer) return;
  if (!*answer) log::info("{} (job {}): {}", call, context.job, answer->error().message);
  lines.end(*answer);
}

Result<void> Service::handle_cancel(net::Request const& request) {
  auto const whose = TRY(schema::decode<rpc::WireContext>(TRY(schema::parse(request.body)),
                                                          schema::UnknownKeys::Ignore));
  TRY(epoch_.check(whose.leader_epoch));
  calls_.cancel(whose.job, whose.step);
  return {};
}

}  // namespace flotte::node
