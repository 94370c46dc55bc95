#include "net/client.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "net/connector.h"
#include "net/message.h"
#include "net/parser.h"

namespace flotte::net {
namespace {

constexpr std::size_t header_bytes_max = 16 * 1024;
// With room for the longest header; also the largest piece of a body that is read at once.
constexpr std::size_t buffer_bytes = header_bytes_max + 1024;
// A server that refuses a request may answer before it has read all, and close.
constexpr auto early_answer_max = std::chrono::seconds(2);
constexpr int interim_answers_max = 8;

// How long to wait: until a fixed time, or for so much silence.
class Patience {
 public:
  static Patience until(Instant deadline) { return Patience(deadline, Duration::zero()); }
  static Patience silence(Duration longest) { return Patience({}, longest); }

  Instant deadline() const { return silence_ ? deadline_after(*silence_) : deadline_; }
  Duration stall_max() const { return deadline() - SystemClock().now(); }

 private:
  Patience(Instant deadline, Duration silence) : deadline_(deadline) {
    if (silence > Duration::zero()) silence_ = silence;
  }

  Instant deadline_;
  std::optional<Duration> silence_;
};

struct PooledConnection {
  Connection connection;
  Instant idle_since;
  bool is_reused = false;
};

// Why no Response came, and what that says about the request.
struct Trouble {
  Error error;
  bool was_silent = false;  // closed before the first byte of an answer
};

enum class Freshness { Any, New };

// Cuts a body into lines as it arrives.
class LineSplitter {
 public:
  LineSplitter(Client::OnLine const& on_line, std::size_t line_bytes_max)
      : on_line_(on_line), line_bytes_max_(line_bytes_max) {}

  enum class Outcome { More, Stopped, TooLong };

  Outcome put(std::string_view piece) {
    while (!piece.empty()) {
      auto const newline = piece.find('\n');
      auto const part = piece.substr(0, newline);
      if (pending_.size() + part.size() > line_bytes_max_) return Outcome::TooLong;
      if (newline == std::string_view::npos) {
        pending_ += part;
        return Outcome::More;
      }
      piece.remove_prefix(newline + 1);
      if (!hand_over(part)) return Outcome::Stopped;
    }
    return Outcome::More;
  }

  // The last line needs no newline.
  Outcome finish() {
    if (pending_.empty()) return Outcome::More;
    return hand_over({}) ? Outcome::More : Outcome::Stopped;
  }

 private:
  bool hand_over(std::string_view part) {
    if (pending_.empty()) return on_line_(part);
    auto const line = std::exchange(pending_, {}) + std::string(part);
    return on_line_(line);
  }

  Client::OnLine const& on_line_;
  std::size_t line_bytes_max_;
  std::string pending_;
};

}  // namespace

struct Client::State {
  std::unique_ptr<Connector> const connector;
  ClientLimits const limits;
  SystemClock clock;

  std::mutex mutex;
  std::condition_variable freed;
  std::vector<PooledConnection> idle;  // the one used last is at the end
  std::size_t in_use = 0;

  Result<Response> round_trip(Request const& request, Patience const& patience,
                              OnLine const* on_line);
  Result<std::string> text_of(Request const& request) const;
  tl::expected<Response, Trouble> attempt(std::string const& text, Patience const& patience,
                                          OnLine const* on_line, Freshness freshness);
  Result<void> take_slot(Instant deadline);
  void free_slot();
  Result<PooledConnection> obtain(Instant deadline, Freshness freshness);
  void keep(PooledConnection connection);
  tl::expected<Response, Trouble> converse(PooledConnection& pooled, std::string const& text,
                                           Patience const& patience, OnLine const* on_line,
                                           bool& can_be_kept) const;
  Error unreachable(std::string_view why) const;
};

namespace {

// The answer to one request, from its first byte to its last.
class AnswerReader {
 public:
  AnswerReader(Channel& channel, ClientLimits const& limits, Client::OnLine const* on_line)
      : channel_(channel), limits_(limits), buffer_(buffer_bytes) {
    if (on_line != nullptr) lines_.emplace(*on_line, limits.line_bytes_max);
  }

  Io<Response> read(Patience const& patience);

  bool has_begun() const { return has_begun_; }
  bool can_be_kept() const {
    return parser_->is_done() && parser_->keeps_alive() && buffer_.view().empty() && !is_stopped_;
  }

 private:
  static tl::unexpected<IoError> trouble(std::string text) {
    return tl::unexpected(IoError{IoError::Kind::System, std::move(text)});
  }
  static tl::unexpected<IoError> cut_off() {
    return tl::unexpected(IoError{IoError::Kind::Closed, "the connection was closed"});
  }

  Io<void> use_buffer();
  Io<void> use_body();
  bool is_streaming() { return lines_ && parser_->response().is_success(); }

  Channel& channel_;
  ClientLimits const& limits_;
  Buffer buffer_;
  std::optional<ResponseParser> parser_;
  std::optional<LineSplitter> lines_;
  bool has_begun_ = false;
  bool is_stopped_ = false;
  int interim_answers_ = 0;
};

Io<Response> AnswerReader::read(Patience const& patience) {
  parser_.emplace(header_bytes_max);
  while (!parser_->is_done() && !is_stopped_) {
    auto const count = buffer_.fill(channel_, patience.deadline());
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) {
      if (!has_begun_ || !parser_->put_end()) return cut_off();
      break;
    }
    has_begun_ = true;
    if (auto used = use_buffer(); !used) return tl::unexpected(used.error());
  }
  if (is_streaming() && !is_stopped_) lines_->finish();
  return std::move(parser_->response());
}

Io<void> AnswerReader::use_buffer() {
  while (!buffer_.view().empty() && !parser_->is_done() && !is_stopped_) {
    auto const used = parser_->put(buffer_.view());
    if (!used) return trouble(used.error().text);
    buffer_.use(*used);
    if (parser_->is_header_done()) {
      if (auto taken = use_body(); !taken) return taken;
    }
    auto const is_interim = parser_->is_done() && parser_->response().status / 100 == 1;
    if (is_interim) {
      if (++interim_answers_ > interim_answers_max) return trouble("too many interim answers");
      parser_.emplace(header_bytes_max);
      continue;
    }
    if (buffer_.is_full()) return trouble("a line of the answer's framing is too long");
    if (*used == 0) return {};
  }
  return {};
}

Io<void> AnswerReader::use_body() {
  auto& body = parser_->response().body;
  if (!is_streaming()) {
    if (body.size() > limits_.body_bytes_max) return trouble("the answer is too large");
    return {};
  }
  auto const outcome = lines_->put(body);
  body.clear();
  if (outcome == LineSplitter::Outcome::TooLong) return trouble("a line of the answer is too long");
  is_stopped_ = outcome == LineSplitter::Outcome::Stopped;
  return {};
}

}  // namespace

Client::Client(std::unique_ptr<Connector> connector, ClientLimits limits)
    : state_(new State{std::move(connector), limits, {}, {}, {}, {}, 0}) {}

Client::~Client() = default;

Result<Response> Client::request(Request const& request, Duration timeout) {
  return state_->round_trip(request, Patience::until(deadline_after(timeout)), nullptr);
}

Result<Response> Client::stream(Request const& request, Duration idle_timeout,
                                OnLine const& on_line) {
  auto const silence = std::max<Duration>(idle_timeout, std::chrono::milliseconds(1));
  return state_->round_trip(request, Patience::silence(silence), &on_line);
}

Result<Response> Client::State::round_trip(Request const& request, Patience const& patience,
                                           OnLine const* on_line) {
  auto const text = TRY(text_of(request));
  auto answer = attempt(text, patience, on_line, Freshness::Any);
  if (!answer && answer.error().was_silent && request.is_idempotent) {
    answer = attempt(text, patience, on_line, Freshness::New);
  }
  if (!answer) return Failure(answer.error().error);
  return std::move(*answer);
}

Result<std::string> Client::State::text_of(Request const& request) const {
  auto const is_visible = [](char c) { return c > ' ' && c < 0x7f; };
  auto const& target = request.target;
  if (!is_token(request.method) || !target.starts_with('/') ||
      !std::all_of(target.begin(), target.end(), is_visible)) {
    return fail(ErrorCode::WrongInput, "'{} {}' is no HTTP request", request.method, target);
  }
  auto text = fmt::format("{} {} HTTP/1.1\r\n", request.method, target);
  TRY(add_header(text, "Host", connector->host()));
  if (!request.content_type.empty()) TRY(add_header(text, "Content-Type", request.content_type));
  for (auto const& header : request.headers) TRY(add_header(text, header.name, header.value));
  if (!request.body.empty() || request.method != "GET") {
    text += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  return text + "\r\n" + request.body;
}

tl::expected<Response, Trouble> Client::State::attempt(std::string const& text,
                                                       Patience const& patience,
                                                       OnLine const* on_line, Freshness freshness) {
  if (auto slot = take_slot(patience.deadline()); !slot) {
    return tl::unexpected(Trouble{slot.error()});
  }
  auto pooled = obtain(patience.deadline(), freshness);
  if (!pooled) {
    free_slot();
    return tl::unexpected(Trouble{pooled.error()});
  }
  bool can_be_kept = false;
  auto answer = converse(*pooled, text, patience, on_line, can_be_kept);
  if (can_be_kept) keep(std::move(*pooled));
  free_slot();
  return answer;
}

Result<void> Client::State::take_slot(Instant deadline) {
  std::unique_lock lock(mutex);
  while (in_use >= limits.connections_max) {
    if (!clock.wait_until(lock, freed, deadline) && in_use >= limits.connections_max) {
      return Failure([&] {
        auto error = unreachable("all connections were busy for too long");
        error.not_attempted = true;
        return error;
      }());
    }
  }
  ++in_use;
  return {};
}

void Client::State::free_slot() {
  std::lock_guard const lock(mutex);
  --in_use;
  clock.notify_all(freed);
}

Result<PooledConnection> Client::State::obtain(Instant deadline, Freshness freshness) {
  {
    std::lock_guard const lock(mutex);
    // After one kept connection turned out to be closed, so are the others, most likely.
    if (freshness == Freshness::New) idle.clear();
    while (!idle.empty()) {
      auto pooled = std::move(idle.back());
      idle.pop_back();
      auto const age = clock.now() - pooled.idle_since;
      if (age > limits.idle_connection_max || has_input(pooled.connection.socket.number())) {
        continue;
      }
      pooled.is_reused = true;
      return pooled;
    }
  }
  auto connection = connector->connect(std::min(deadline, deadline_after(limits.connect_timeout)));
  if (!connection) {
    auto error = unreachable(connection.error().text);
    error.not_attempted = true;
    return Failure(error);
  }
  return PooledConnection{std::move(*connection), {}, false};
}

void Client::State::keep(PooledConnection connection) {
  std::lock_guard const lock(mutex);
  connection.idle_since = clock.now();
  idle.push_back(std::move(connection));
  if (idle.size() > limits.connections_max) idle.erase(idle.begin());
}

tl::expected<Response, Trouble> Client::State::converse(PooledConnection& pooled,
                                                        std::string const& text,
                                                        Patience const& patience,
                                                        OnLine const* on_line,
                                                        bool& can_be_kept) const {
  auto& channel = *pooled.connection.channel;
  AnswerReader reader(channel, limits, on_line);
  auto const written = channel.write_all(text, patience.stall_max());
  auto answer = Io<Response>();
  if (written) {
    answer = reader.read(patience);
    can_be_kept = answer && reader.can_be_kept();
  } else if (written.error().kind == IoError::Kind::Closed) {
    auto const early = std::min(patience.deadline(), deadline_after(early_answer_max));
    answer = reader.read(Patience::until(early));
  } else {
    answer = tl::unexpected(written.error());
  }
  if (answer) return std::move(*answer);

  // The failed write tells more than the failed attempt to read an answer to it, except where
  // the latter says that TLS was refused.
  auto const& io_error = answer.error();
  auto const is_late = io_error.kind == IoError::Kind::Timeout;
  auto error = unreachable(is_late ? "no answer within the time limit" : io_error.text);
  error.not_attempted = io_error.kind == IoError::Kind::Refused && !reader.has_begun();
  auto const was_silent =
      pooled.is_reused && !reader.has_begun() && io_error.kind == IoError::Kind::Closed;
  return tl::unexpected(Trouble{std::move(error), was_silent});
}

Error Client::State::unreachable(std::string_view why) const {
  return Error{ErrorCode::EnvironmentError,
               fmt::format("Can't reach {}: {}", connector->address(), why),
               ErrorClass::Unreachable};
}

}  // namespace flotte::net
