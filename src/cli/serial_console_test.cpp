#include "cli/serial_console.h"

#include <gtest/gtest.h>

namespace flotte::cli {
namespace {

TEST(SerialConsole, the_last_lines_begin_where_a_line_begins) {
  EXPECT_EQ(last_lines("one\r\ntwo\r\nthree\r\n", 2), "two\r\nthree\r\n");
  EXPECT_EQ(last_lines("one\ntwo\nlogin: ", 2), "two\nlogin: ");
  EXPECT_EQ(last_lines("one\ntwo", 5), "one\ntwo");
  EXPECT_EQ(last_lines("", 5), "");
  EXPECT_EQ(last_lines("\n\n\n", 1), "\n");
}

TEST(SerialConsole, what_stands_before_the_key_is_still_typed) {
  EXPECT_EQ(typed("ls\r").text, "ls\r");
  EXPECT_FALSE(typed("ls\r").leaves);
  EXPECT_EQ(typed("ex\x1dit").text, "ex");
  EXPECT_TRUE(typed("ex\x1dit").leaves);
  EXPECT_TRUE(typed("\x1d").leaves);
}

// As QEMU 7.2 says it.
TEST(SerialConsole, another_connection_is_seen_in_the_monitor) {
  EXPECT_FALSE(
      is_serial_taken("info chardev\r\ncompat_monitor1: filename=unix:/c/x.qmp,server=on\r\n"
                      "serial0: filename=disconnected:unix:/c/x.serial,server=on\r\n(qemu) "));
  EXPECT_TRUE(is_serial_taken(
      "info chardev\r\ncompat_monitor1: filename=disconnected:unix:/c/x.qmp,server=on\r\n"
      "serial0: filename=unix:/c/x.serial,server=on\r\n(qemu) "));
  EXPECT_FALSE(is_serial_taken(""));
}

TEST(SerialConsole, only_a_guest_that_was_paused_is_let_go) {
  EXPECT_TRUE(is_paused("info status\r\nVM status: paused\r\n(qemu) "));
  EXPECT_TRUE(is_paused("info status\r\nVM status: paused (prelaunch)\r\n(qemu) "));
  EXPECT_FALSE(is_paused("info status\r\nVM status: paused (io-error)\r\n(qemu) "));
  EXPECT_FALSE(is_paused("info status\r\nVM status: running\r\n(qemu) "));
}

}  // namespace
}  // namespace flotte::cli
