// Parsers of HTTP/1.1 messages, fed with bytes as they arrive; hostile input ends in a ParseFault.
//
// Inside net only: Session reads requests with it, Client answers. Values of one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "net/http.h"

namespace flotte::net {

struct ParseFault {
  unsigned status = 400;  // what a server answers
  std::string text;
};

struct ParserLimits {
  std::size_t header_bytes_max;
  std::size_t body_bytes_max;
};

// At most so many header fields, whatever their size.
constexpr std::size_t header_fields_max = 100;

class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();

  // How many of the bytes were used; the others are to be offered again with more behind them.
  tl::expected<std::size_t, ParseFault> put(std::string_view bytes);

  bool is_header_done() const;
  bool is_done() const;
  bool keeps_alive() const;
  bool is_http_1_1() const;
  // The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;

  // When done: with path, query and content type filled in.
  tl::expected<Request, ParseFault> take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ResponseParser {
 public:
  explicit ResponseParser(std::size_t header_bytes_max);
  ~ResponseParser();

  tl::expected<std::size_t, ParseFault> put(std::string_view bytes);
  // The connection ended: fine for an answer without a length, a fault otherwise.
  tl::expected<void, ParseFault> put_end();

  bool is_header_done() const;
  bool is_done() const;
  bool keeps_alive() const;

  // Status and headers when is_header_done(). The body grows with every put(): the caller bounds it
  // or takes it away piece by piece.
  Response& response();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flotte::net
