#include "sys/defaults_file.h"

#include <gtest/gtest.h>

namespace flotte::sys {
namespace {

std::string told(std::string_view contents) {
  auto const found = setting_in(contents, "ARGS");
  if (!found) return "error: " + found.error().message;
  return found->value_or("nothing");
}

TEST(SettingIn, as_a_shell_reads_it) {
  EXPECT_EQ(told(""), "nothing");
  EXPECT_EQ(told("# ARGS=1\nARGS2=2\nXARGS=3\n"), "nothing");
  EXPECT_EQ(told("ARGS="), "");
  EXPECT_EQ(told("ARGS=\"\"\r\n"), "");
  EXPECT_EQ(told("ARGS=-p\nARGS='-b 1'\n"), "-b 1");
  EXPECT_EQ(told("export ARGS=\"-b 127.0.0.1\" # only local\n"), "-b 127.0.0.1");
  EXPECT_EQ(told("  ARGS=x # why\n"), "x");
}

TEST(SettingIn, what_is_not_understood_is_no_nothing) {
  for (auto const* text :
       {"ARGS=\"-b 1 \\\n  -p 2\"", "ARGS=\"-b $IP\"", "ARGS=-b 1", "ARGS=`ip`", "ARGS='x' y"}) {
    EXPECT_TRUE(told(text).starts_with("error: ARGS is not understood"))
        << text << ": " << told(text);
  }
}

}  // namespace
}  // namespace flotte::sys
