#include "rpc/node_client.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <limits>
#include <optional>

#include "net/client.h"
#include "rpc/wire.h"
#include "sys/files.h"

namespace flotte::rpc {
namespace {

// The stop request is small and answered at once.
constexpr std::chrono::seconds cancel_timeout{10};
// A call with a time limit of its own, such as a guest's shutdown, is still given this much.
constexpr std::chrono::seconds timeout_min{1};
// Renewed certificates are met in the middle at most that often by one call.
constexpr int renewals_met_max = 5;

std::string name_of(model::Node const& node) {
  return fmt::format("{} ({}:{})", node.name, node.primary_ip, node.port);
}

Error did_not_answer(model::Node const& node, std::string_view why, bool not_attempted) {
  return {ErrorCode::EnvironmentError,
          fmt::format("Node {} did not answer: {}", name_of(node), why), ErrorClass::Unreachable,
          not_attempted};
}

net::Request request_for(std::string path, std::string body) {
  net::Request request;
  request.method = "POST";
  request.target = std::move(path);
  request.content_type = "application/json";
  request.body = std::move(body);
  return request;
}

}  // namespace

// A changed address or port is another server.
struct NodeClient::Address {
  std::string uuid;
  std::string host;
  std::int64_t port;

  explicit Address(model::Node const& node)
      : uuid(node.uuid.text()), host(node.primary_ip), port(node.port) {}
  friend auto operator<=>(Address const&, Address const&) = default;
};

// What is learned from the lines of one answer.
struct NodeClient::Conversation {
  std::optional<Result<json::value>> answer = std::nullopt;
  bool is_late = false;
  bool is_stopped = false;
  bool has_asked_to_stop = false;
};

NodeClient::NodeClient(NodeClientOptions options) : options_(std::move(options)) {}
NodeClient::~NodeClient() = default;

Result<json::value> NodeClient::invoke(model::Node const& node, std::string_view call,
                                       json::object const& arguments, CallContext const& context,
                                       Progress const& progress) {
  CallBody const body{arguments, {context.leader_epoch, context.job, context.step, context.serial}};
  auto const request = request_for(fmt::format("{}{}", call_path, net::percent_encode(call)),
                                   json::serialize(schema::encode(body)));
  for (int left = renewals_met_max;; --left) {
    Known used;
    auto answer = invoke_once(node, request, context, progress, call, used);
    // Where certificates were renewed between reading them and showing them, one side may not know
    // the other's yet, or no more.
    auto const was_asked = answer || (used.client && !answer.error().not_attempted);
    if (was_asked || left == 0 || used.certificates == certificates_now()) return answer;
  }
}

Result<json::value> NodeClient::invoke_once(model::Node const& node, net::Request const& request,
                                            CallContext const& context, Progress const& progress,
                                            std::string_view call, Known& used) {
  if (is_stopping_) return Failure(did_not_answer(node, "the controller is stopping", true));
  // Before they are read: what changes meanwhile is seen by the next call.
  used.certificates = certificates_now();
  used.client = TRY(client_of(node, used.certificates));
  auto const client = used.client;
  auto const timeout = std::max(context.timeout, timeout_min);
  auto const deadline = clock_.now() + timeout;

  Conversation heard;
  auto const on_line = [&](std::string_view line) {
    heard.answer = read_answer_line(line);
    if (heard.answer) return true;  // the end of the stream follows
    heard.is_stopped = is_stopping_;
    heard.is_late = clock_.now() >= deadline;
    if (heard.is_stopped || heard.is_late) return false;
    auto const goes_on = !progress || progress(line);
    if (!goes_on && !heard.has_asked_to_stop) {
      heard.has_asked_to_stop = true;
      ask_to_stop(node, context);
    }
    return true;
  };
  auto const response = client->stream(request, std::min(timeout, options_.silence_max), on_line);
  if (heard.answer) {
    // The node's own troubles with somebody else are no reason to call the node unreachable.
    if (!*heard.answer && heard.answer->error().error_class == ErrorClass::Unreachable) {
      heard.answer->error().error_class = ErrorClass::Exec;
    }
    return std::move(*heard.answer);
  }
  if (heard.is_stopped) return Failure(did_not_answer(node, "the controller is stopping", false));
  if (heard.is_late) {
    return Failure(did_not_answer(
        node, fmt::format("'{}' took longer than {} s", call, timeout.count()), false));
  }
  if (!response) {
    forget(node, client);
    return Failure(did_not_answer(node, response.error().message, response.error().not_attempted));
  }
  if (!response->is_success()) {
    if (auto refusal = read_answer_line(response->body)) return std::move(*refusal);
    return fail_as(ErrorClass::Exec, ErrorCode::InternalError,
                   "Node {} refused the call '{}' with HTTP status {}", name_of(node), call,
                   response->status);
  }
  return Failure(did_not_answer(node, "its answer ended too early", false));
}

Result<std::shared_ptr<net::Client>> NodeClient::client_of(model::Node const& node,
                                                           std::string const& certificates) {
  if (node.port <= 0 || node.port > std::numeric_limits<std::uint16_t>::max()) {
    return fail(ErrorCode::WrongInput, "Node {} has an impossible port", name_of(node));
  }
  std::lock_guard const lock(mutex_);
  auto& place = clients_[Address(node)];
  if (place.client && place.certificates == certificates) return place.client;
  place = {
      certificates,
      TRY(net::Client::create(net::TlsClientOptions{.host = node.primary_ip,
                                                    .port = static_cast<std::uint16_t>(node.port),
                                                    .certificate_file = options_.certificate_file,
                                                    .ca_file = options_.ca_file,
                                                    .expected_name = node.uuid.text()}))};
  return place.client;
}

std::string NodeClient::certificates_now() const {
  return sys::identity(options_.certificate_file) + sys::identity(options_.ca_file);
}

void NodeClient::forget(model::Node const& node, std::shared_ptr<net::Client> const& client) {
  std::lock_guard const lock(mutex_);
  auto const known = clients_.find(Address(node));
  if (known != clients_.end() && known->second.client == client) clients_.erase(known);
}

void NodeClient::ask_to_stop(model::Node const& node, CallContext const& context) {
  // Not the call's own: its certificate may have been renewed since it began.
  auto const client = client_of(node, certificates_now());
  if (!client) return;
  WireContext const whose{context.leader_epoch, context.job, context.step};
  // Best effort: whether it arrived shows in the answer to the call itself.
  static_cast<void>((*client)->request(
      request_for(std::string(cancel_path), json::serialize(schema::encode(whose))),
      cancel_timeout));
}

}  // namespace flotte::rpc
