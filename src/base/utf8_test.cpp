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

}  // namespace
}  // namespace flotte
