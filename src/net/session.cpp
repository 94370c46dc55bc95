#include "net/session.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <tuple>

#include "base/log.h"
#include "net/message.h"
#include "net/stream.h"

namespace flotte::net {
namespace {

// Beyond the largest header, so that the parser and not the buffer says that it is too large.
constexpr std::size_t buffer_slack_bytes = 1024;
// Small answers leave in one write, and so in one TLS record.
constexpr std::size_t joined_bytes_max = 64 * 1024;

class SocketResponder final : public Responder {
 public:
  SocketResponder(Session::Shared const& shared, int socket, std::unique_ptr<Channel>& channel,
                  Request const& request, RequestParser const& parser)
      : shared_(shared),
        socket_(socket),
        channel_(channel),
        is_head_(request.method == "HEAD"),
        is_http_1_1_(parser.is_http_1_1()),
        keeps_alive_(shared.options.keeps_alive && parser.keeps_alive() && is_http_1_1_) {}

  Result<void> send(Response const& response) override {
    TRY(expect(State::Unanswered));
    auto text = TRY(head(response.status, response.content_type, response.headers));
    state_ = State::Finished;
    auto const has_body = response.status != 204 && response.status != 304;
    if (has_body) text += fmt::format("Content-Length: {}\r\n", response.body.size());
    text += "\r\n";
    if (!has_body || is_head_) return put(text);
    if (response.body.size() <= joined_bytes_max) return put(text + response.body);
    TRY(put(text));
    return put(response.body);
  }

  Result<void> start_stream(unsigned status, std::string_view content_type) override {
    TRY(expect(State::Unanswered));
    auto text = TRY(head(status, content_type, {}));
    state_ = State::Streaming;
    if (is_http_1_1_) text += "Transfer-Encoding: chunked\r\n";
    return put(text + "\r\n");
  }

  Result<void> write(std::string_view chunk) override {
    TRY(expect(State::Streaming));
    if (chunk.empty() || is_head_) return {};
    if (!is_http_1_1_) return put(chunk);
    std::string text;
    add_chunk(text, chunk);
    return put(text);
  }

  Result<void> finish() override {
    TRY(expect(State::Streaming));
    state_ = State::Finished;
    if (!is_http_1_1_ || is_head_) return {};
    return put(last_chunk);
  }

  Result<std::unique_ptr<Stream>> hand_over(unsigned status,
                                            std::string_view content_type) override {
    TRY(expect(State::Unanswered));
    keeps_alive_ = false;
    TRY(start_stream(status, content_type));
    state_ = State::HandedOver;
    return std::make_unique<SocketStream>(Connection{shared_.give_away(), std::move(channel_)},
                                          is_http_1_1_);
  }

  bool client_gone() override {
    if (!is_broken_) is_broken_ = shared_.is_stopping || is_peer_gone(socket_);
    return is_broken_;
  }

  bool is_unanswered() const { return state_ == State::Unanswered; }
  bool can_go_on() const { return state_ == State::Finished && !is_broken_ && keeps_alive_; }
  bool is_broken() const { return is_broken_; }

 private:
  // HTTP 1.0 knows no chunks: a stream ends with the connection, so nothing is kept alive there.
  enum class State { Unanswered, Streaming, Finished, HandedOver };

  Result<void> expect(State state) const {
    if (state_ == state) return {};
    return fail(ErrorCode::InternalError, "The parts of an answer were sent in a wrong order");
  }

  Result<std::string> head(unsigned status, std::string_view content_type, Headers const& headers) {
    auto text = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
    if (!content_type.empty()) TRY(add_header(text, "Content-Type", content_type));
    for (auto const& header : headers) TRY(add_header(text, header.name, header.value));
    for (auto const& header : shared_.options.headers) {
      TRY(add_header(text, header.name, header.value));
    }
    if (!keeps_alive_) text += "Connection: close\r\n";
    return text;
  }

  Result<void> put(std::string_view bytes) {
    if (is_broken_) return gone("it went away");
    auto const written = channel_->write_all(bytes, shared_.options.write_timeout);
    if (written) return {};
    is_broken_ = true;
    return gone(written.error().text);
  }

  static Failure gone(std::string_view why) {
    return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError,
                   "The client can't be answered: {}", why);
  }

  Session::Shared const& shared_;
  int socket_;
  std::unique_ptr<Channel>& channel_;
  bool is_head_;
  bool is_http_1_1_;
  bool keeps_alive_;
  bool is_broken_ = false;
  State state_ = State::Unanswered;
};

Response answer_to(ServerOptions const& options, unsigned status, std::string_view text) {
  if (options.refusal) return options.refusal(status, text);
  return {.status = status,
          .content_type = "text/plain",
          .headers = {},
          .body = std::string(text) + "\n"};
}

}  // namespace

Session::Session(Shared shared, int socket, std::unique_ptr<Channel> channel, Peer peer)
    : shared_(std::move(shared)),
      socket_(socket),
      channel_(std::move(channel)),
      peer_(std::move(peer)),
      buffer_(shared.options.header_bytes_max + buffer_slack_bytes) {}

void Session::serve() {
  // A fresh connection is there to ask something; only one that has asked may rest.
  auto patience = shared_.options.header_timeout;
  while (!shared_.is_stopping) {
    if (serve_request(deadline_after(patience)) == Next::Close) return;
    patience = shared_.options.idle_timeout;
    // In this order: whoever dismisses sees that it rests, or it sees that it is dismissed.
    shared_.is_resting = true;
    if (shared_.is_dismissed) return;
  }
}

Session::Next Session::serve_request(Instant first_byte_deadline) {
  RequestParser parser({.header_bytes_max = shared_.options.header_bytes_max,
                        .body_bytes_max = shared_.options.body_bytes_max});
  if (!receive(parser, first_byte_deadline)) return Next::Close;

  auto request = parser.take();
  if (!request) {
    refuse(request.error());
    return Next::Close;
  }
  request->peer = peer_;

  shared_.is_busy = true;
  shared_.is_resting = false;
  auto const next = handle(*request, parser);
  shared_.is_busy = false;
  shared_.became_idle();
  return next;
}

// Until the request is complete. A client that sends too slowly, too much or nonsense gets an
// answer where it may still be listening.
Io<void> Session::receive(RequestParser& parser, Instant first_byte_deadline) {
  auto const stop = [](std::string text) {
    return tl::unexpected(IoError{IoError::Kind::Closed, std::move(text)});
  };
  auto const& options = shared_.options;
  std::optional<Instant> header_deadline;
  std::optional<Instant> body_deadline;

  while (true) {
    if (!buffer_.view().empty()) {
      if (!header_deadline) header_deadline = deadline_after(options.header_timeout);
      auto const used = parser.put(buffer_.view());
      if (!used) {
        refuse(used.error());
        return stop(used.error().text);
      }
      buffer_.use(*used);
      if (parser.is_done()) return {};
      if (buffer_.is_full()) {
        refuse({.status = parser.is_header_done() ? 400U : 431U, .text = "A line is too long"});
        return stop("a line is too long");
      }
    }
    if (parser.is_header_done() && !body_deadline) {
      body_deadline = deadline_after(options.body_timeout);
      if (parser.expects_continue() && buffer_.view().empty()) {
        auto const sent =
            channel_->write_all("HTTP/1.1 100 Continue\r\n\r\n", options.write_timeout);
        if (!sent) return sent;
      }
    }
    auto const deadline = body_deadline.value_or(header_deadline.value_or(first_byte_deadline));
    auto const count = buffer_.fill(*channel_, deadline);
    if (!count) {
      if (count.error().kind == IoError::Kind::Timeout && header_deadline) {
        refuse({.status = 408, .text = "The request did not arrive in time"});
      }
      return tl::unexpected(count.error());
    }
    if (*count == 0) return stop("the client left");
  }
}

void Session::refuse(ParseFault const& fault) {
  auto const answer = answer_to(shared_.options, fault.status, fault.text);
  auto text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
      answer.status, reason_phrase(answer.status), answer.content_type, answer.body.size());
  for (auto const* headers : {&answer.headers, &shared_.options.headers}) {
    for (auto const& header : *headers) std::ignore = add_header(text, header.name, header.value);
  }
  text += "\r\n" + answer.body;
  log::debug("Refused a request from {}: {}", peer_.address, fault.text);
  if (channel_->write_all(text, std::chrono::seconds(1))) linger(socket_, *channel_);
}

Session::Next Session::handle(Request const& request, RequestParser const& parser) {
  SocketResponder responder(shared_, socket_, channel_, request, parser);
  try {
    shared_.handler(request, responder);
  } catch (std::exception const& exception) {
    log::error("{} {} ended with an exception: {}", request.method, request.path, exception.what());
  }
  if (!channel_) return Next::Close;
  if (responder.is_unanswered() && !responder.is_broken()) {
    static_cast<void>(
        responder.send(answer_to(shared_.options, 500, "The request was not answered")));
  }
  if (responder.can_go_on()) return Next::KeepAlive;
  if (!responder.is_broken()) channel_->end_writing();
  return Next::Close;
}

}  // namespace flotte::net
