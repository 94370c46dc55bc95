// Beast asserts that a lone last chunk arrives with at least five bytes ("0\r\n\r" trips it), and
// our assertions are on in release: a client could end the daemon. The code behind the assertion is
// right without it (Boost 1.81, basic_parser.ipp, parse_chunk_header).
#define BOOST_DISABLE_ASSERTS

#include "net/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>

namespace flotte::net {
namespace {

namespace http = boost::beast::http;
using BeastText = boost::beast::string_view;
using BeastError = boost::beast::error_code;

constexpr std::size_t body_reserve_max = 1024 * 1024;
// Beast stops at the header, the body and the last chunk; more turns than that use no byte.
constexpr int idle_turns_max = 4;

std::string text_of(BeastText text) {
  return std::string(text.data(), text.size());
}

// Collects what Beast finds. Beast's own limit holds for one piece of the header only, so a client
// that sends it field by field is counted here.
template <bool is_request>
class Collector final : public http::basic_parser<is_request> {
 public:
  explicit Collector(std::size_t header_bytes_max) : header_bytes_left_(header_bytes_max) {
    this->header_limit(static_cast<std::uint32_t>(header_bytes_max));
    this->eager(true);
  }

  std::string method;
  std::string target;
  unsigned status = 0;
  Headers headers;
  std::string body;
  bool is_http_1_1 = false;

  tl::expected<std::size_t, ParseFault> feed(std::string_view bytes);

 private:
  void on_request_impl(http::verb, BeastText method_text, BeastText target_text, int version,
                       BeastError& error) override {
    method = text_of(method_text);
    target = text_of(target_text);
    is_http_1_1 = version >= 11;
    use(method.size() + target.size(), error);
  }

  void on_response_impl(int code, BeastText, int version, BeastError&) override {
    status = static_cast<unsigned>(code);
    is_http_1_1 = version >= 11;
  }

  void on_field_impl(http::field, BeastText name, BeastText value, BeastError& error) override {
    use(name.size() + value.size(), error);
    if (++fields_ > header_fields_max) error = http::error::header_limit;
    // What stands after the last chunk must not look like a header that was checked.
    if (!error && !this->is_header_done()) headers.push_back({text_of(name), text_of(value)});
  }

  void on_header_impl(BeastError&) override {}

  void on_body_init_impl(boost::optional<std::uint64_t> const& length, BeastError&) override {
    if (length) {
      body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, body_reserve_max)));
    }
  }

  std::size_t on_body_impl(BeastText piece, BeastError&) override {
    body.append(piece.data(), piece.size());
    return piece.size();
  }

  void on_chunk_header_impl(std::uint64_t, BeastText, BeastError&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, BeastText piece, BeastError& error) override {
    return on_body_impl(piece, error);
  }

  void on_finish_impl(BeastError&) override {}

  void use(std::size_t bytes, BeastError& error) {
    if (bytes > header_bytes_left_) {
      error = http::error::header_limit;
    } else {
      header_bytes_left_ -= bytes;
    }
  }

  std::size_t header_bytes_left_;
  std::size_t fields_ = 0;
};

ParseFault fault_from(BeastError const& error) {
  if (error == http::error::header_limit) return {431, "The header is too large"};
  if (error == http::error::body_limit) return {413, "The body is too large"};
  if (error == http::error::bad_version) return {505, "Only HTTP 1.0 and 1.1 are spoken here"};
  return {400, "Malformed HTTP message: " + error.message()};
}

template <bool is_request>
tl::expected<std::size_t, ParseFault> Collector<is_request>::feed(std::string_view bytes) {
  std::size_t used = 0;
  int idle_turns = 0;
  try {
    while (!this->is_done() && idle_turns < idle_turns_max) {
      BeastError error;
      auto const rest = bytes.substr(used);
      auto const turn = this->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      used += turn;
      if (error == http::error::need_more) break;
      if (error) return tl::unexpected(fault_from(error));
      if (used == bytes.size()) break;
      if (turn == 0) ++idle_turns;
    }
  } catch (std::exception const& exception) {
    return tl::unexpected(ParseFault{400, exception.what()});
  }
  return used;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return boost::beast::iequals({left.data(), left.size()}, {right.data(), right.size()});
}

}  // namespace

struct RequestParser::State {
  Collector<true> collector;
};

RequestParser::RequestParser(ParserLimits limits)
    : state_(new State{Collector<true>(limits.header_bytes_max)}) {
  state_->collector.body_limit(limits.body_bytes_max);
}

RequestParser::~RequestParser() = default;

tl::expected<std::size_t, ParseFault> RequestParser::put(std::string_view bytes) {
  return state_->collector.feed(bytes);
}

bool RequestParser::is_header_done() const {
  return state_->collector.is_header_done();
}

bool RequestParser::is_done() const {
  return state_->collector.is_done();
}

bool RequestParser::keeps_alive() const {
  return state_->collector.keep_alive();
}

bool RequestParser::is_http_1_1() const {
  return state_->collector.is_http_1_1;
}

bool RequestParser::expects_continue() const {
  auto const& collector = state_->collector;
  return collector.is_http_1_1 &&
         equals_ignoring_case(header_value(collector.headers, "Expect"), "100-continue");
}

tl::expected<Request, ParseFault> RequestParser::take() {
  auto& collector = state_->collector;
  Request request;
  request.method = std::move(collector.method);
  request.target = std::move(collector.target);
  request.headers = std::move(collector.headers);
  request.body = std::move(collector.body);
  request.content_type = std::string(request.header("Content-Type"));

  auto const target = std::string_view(request.target);
  if (!target.starts_with('/')) {
    return tl::unexpected(ParseFault{400, "The request target must start with a slash"});
  }
  auto const question = std::min(target.find('?'), target.size());
  auto path = percent_decode(target.substr(0, question));
  if (!path) return tl::unexpected(ParseFault{400, path.error().message});
  auto query = parse_query(target.substr(std::min(question + 1, target.size())));
  if (!query) return tl::unexpected(ParseFault{400, query.error().message});
  request.path = std::move(*path);
  request.query = std::move(*query);
  return request;
}

struct ResponseParser::State {
  Collector<false> collector;
  Response response;
};

ResponseParser::ResponseParser(std::size_t header_bytes_max)
    : state_(new State{Collector<false>(header_bytes_max), {}}) {
  state_->collector.body_limit(boost::none);
}

ResponseParser::~ResponseParser() = default;

tl::expected<std::size_t, ParseFault> ResponseParser::put(std::string_view bytes) {
  auto& [collector, response] = *state_;
  auto const was_header_done = collector.is_header_done();
  auto const used = collector.feed(bytes);
  if (!was_header_done && collector.is_header_done()) {
    response.status = collector.status;
    response.headers = std::move(collector.headers);
    response.content_type = std::string(response.header("Content-Type"));
  }
  if (response.body.empty()) {
    response.body.swap(collector.body);
  } else {
    response.body += collector.body;
    collector.body.clear();
  }
  return used;
}

tl::expected<void, ParseFault> ResponseParser::put_end() {
  if (!state_->collector.got_some()) {
    return tl::unexpected(ParseFault{400, "no answer"});
  }
  BeastError error;
  state_->collector.put_eof(error);
  if (error) return tl::unexpected(fault_from(error));
  return {};
}

bool ResponseParser::is_header_done() const {
  return state_->collector.is_header_done();
}

bool ResponseParser::is_done() const {
  return state_->collector.is_done();
}

bool ResponseParser::keeps_alive() const {
  return state_->collector.keep_alive();
}

Response& ResponseParser::response() {
  return state_->response;
}

}  // namespace flotte::net
