#include "net/http.h"

#include <gtest/gtest.h>

namespace flotte::net {
namespace {

TEST(PercentEncoding, goes_there_and_back) {
  std::string every;
  for (int byte = 0x20; byte < 0x7f; ++byte) every += static_cast<char>(byte);
  every += "é€";
  EXPECT_EQ(percent_encode("a b/c?d&e=é"), "a%20b%2Fc%3Fd%26e%3D%C3%A9");
  EXPECT_EQ(percent_decode(percent_encode(every)), every);
}

TEST(PercentEncoding, refuses_broken_and_hidden_characters) {
  for (auto const* text :
       {"%", "%a", "a%4", "%g0", "%0g", "%00", "a%0Ab", "%7f", "\n", "%ff", "%c3", "%ed%a0%80"}) {
    EXPECT_FALSE(percent_decode(text)) << text;
  }
  EXPECT_EQ(percent_decode("%41+%7e"), "A+~");
}

TEST(Query, keeps_the_order_of_equal_keys) {
  EXPECT_EQ(parse_query("tag=b&tag=a&x&=y&&z=1=2+3"),
            (Query{{"tag", "b"}, {"tag", "a"}, {"x", ""}, {"", "y"}, {"z", "1=2 3"}}));
  EXPECT_EQ(parse_query(""), Query{});
  EXPECT_FALSE(parse_query("a=%"));
  EXPECT_FALSE(parse_query("reason=%ff"));
}

TEST(Headers, are_found_in_any_case) {
  Headers const headers{{"Authorization", "Basic x"}, {"authorization", "Basic y"}};
  EXPECT_EQ(header_value(headers, "AUTHORIZATION"), "Basic x");
  EXPECT_EQ(header_value(headers, "Author"), "");
}

}  // namespace
}  // namespace flotte::net
