#include "base/utf8.h"

#include <gtest/gtest.h>

namespace flotte {
namespace {

TEST(Utf8, a_text_is_cut_in_front_of_a_character) {
  EXPECT_EQ(beginning_of("short", 5), "short");
  EXPECT_EQ(beginning_of("shorter", 5), "short");
  EXPECT_EQ(beginning_of("aä", 2), "a");
  EXPECT_EQ(beginning_of("aä", 3), "aä");
  EXPECT_EQ(beginning_of("a€b", 2), "a");
  EXPECT_EQ(beginning_of("a€b", 3), "a");
  EXPECT_EQ(beginning_of("a€b", 4), "a€");
  EXPECT_EQ(beginning_of("€", 1), "");
  EXPECT_EQ(beginning_of("\x80\x80", 1), "");
}

TEST(Utf8, what_is_none) {
  for (auto const* text : {"", "a", "ä€\xf0\x9f\x90\xa7", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (auto const* text : {"\xff", "\x80", "\xc3", "a\xc3z", "\xc0\x80", "\xe0\x80\x80",
                           "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace flotte
