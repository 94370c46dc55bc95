#include "net/parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace flotte::net {
namespace {

using namespace std::string_view_literals;

constexpr ParserLimits limits{.header_bytes_max = 500, .body_bytes_max = 100};
constexpr int mutations = 20'000;

// As a connection feeds it: what was not used is offered again with more behind it. Empty when the
// message was refused or is not complete.
template <class Parser>
bool feed(Parser& parser, std::string_view bytes, std::mt19937& random, std::size_t piece_max) {
  std::string pending;
  while (!bytes.empty() && !parser.is_done()) {
    auto const size = std::min<std::size_t>(bytes.size(), 1 + random() % piece_max);
    pending += bytes.substr(0, size);
    bytes.remove_prefix(size);
    auto const used = parser.put(pending);
    if (!used) return false;
    EXPECT_LE(*used, pending.size());
    pending.erase(0, *used);
  }
  return parser.is_done();
}

std::string mutate(std::string text, std::mt19937& random) {
  constexpr auto spice = "\r\n:; \t0f,\0\x7f\xff%/"sv;
  for (auto changes = random() % 4; changes > 0; --changes) {
    auto const at = random() % (text.size() + 1);
    auto const character = spice[random() % spice.size()];
    switch (random() % 4) {
      case 0:
        text.insert(at, 1, character);
        break;
      case 1:
        text.erase(at, 1 + random() % 3);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), random() % 20));
        break;
      default:
        if (at < text.size()) text[at] = character;
    }
    if (text.empty()) text = "\r";
  }
  return text;
}

TEST(RequestParser, means_the_same_in_one_piece_and_in_many) {
  std::mt19937 random(4711);
  std::vector<std::string> const seeds{
      "GET /2/instances?bulk=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Basic eDp5\r\n\r\n",
      "POST /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
      "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
      "PUT /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"};
  int complete = 0;
  for (int i = 0; i < mutations; ++i) {
    auto const text = mutate(seeds[random() % seeds.size()], random);
    RequestParser whole(limits);
    RequestParser pieces(limits);
    auto const is_whole_done = feed(whole, text, random, 100'000);
    auto const are_pieces_done = feed(pieces, text, random, 4);
    ASSERT_EQ(is_whole_done, are_pieces_done) << text;
    if (!is_whole_done) continue;
    ++complete;
    auto const one = whole.take();
    auto const other = pieces.take();
    ASSERT_EQ(one.has_value(), other.has_value()) << text;
    if (!one) continue;
    EXPECT_EQ(one->target, other->target);
    EXPECT_EQ(one->body, other->body);
    EXPECT_EQ(one->headers.size(), other->headers.size());
    EXPECT_LE(one->body.size(), limits.body_bytes_max);
  }
  EXPECT_GT(complete, mutations / 10);
}

TEST(ResponseParser, means_the_same_in_one_piece_and_in_many) {
  std::mt19937 random(4712);
  std::vector<std::string> const seeds{
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n"};
  for (int i = 0; i < mutations; ++i) {
    auto const text = mutate(seeds[random() % seeds.size()], random);
    ResponseParser whole(limits.header_bytes_max);
    ResponseParser pieces(limits.header_bytes_max);
    auto const is_whole_done = feed(whole, text, random, 100'000);
    ASSERT_EQ(is_whole_done, feed(pieces, text, random, 4)) << text;
    if (!is_whole_done) continue;
    EXPECT_EQ(whole.response().status, pieces.response().status);
    EXPECT_EQ(whole.response().body, pieces.response().body);
  }
}

}  // namespace
}  // namespace flotte::net
