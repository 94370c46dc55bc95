#include "cli/serial_console.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flotte::cli {
namespace {

namespace fs = std::filesystem;

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

// A guest that is a process which waits, the record of what it says, and a console that watches it.
class WatchedConsole : public ::testing::Test {
 protected:
  WatchedConsole() {
    fs::create_directories(fs::path(record_).parent_path());
    fs::create_directories(fs::path(paths_.kvm_pid_file("vm1")).parent_path());
    guest_ = ::fork();
    if (guest_ == 0) {
      for (;;) ::pause();
    }
    std::ofstream(paths_.kvm_pid_file("vm1")) << guest_ << "\n";
  }
  ~WatchedConsole() override {
    end_guest();
    if (shown_[0] >= 0) ::close(shown_[0]);
    fs::remove_all(paths_.root());
  }

  void watch() {
    ASSERT_EQ(::pipe(shown_), 0);
    console_ = ::fork();
    if (console_ == 0) {
      ::dup2(shown_[1], STDOUT_FILENO);
      ::close(shown_[0]);
      ::close(shown_[1]);
      auto const code = serial_console(paths_, "vm1", Keyboard::Never);
      ::_exit(code ? *code : 99);
    }
    ::close(shown_[1]);
  }
  void says(std::string_view text) { std::ofstream(record_, std::ios::app) << text; }
  // What is shown until that text has come; all there is when it does not come.
  std::string shown_up_to(std::string_view text) {
    constexpr int patience_ms = 20'000;
    std::string shown;
    while (shown.find(text) == std::string::npos) {
      pollfd waiting{shown_[0], POLLIN, 0};
      char bytes[4096];
      if (::poll(&waiting, 1, patience_ms) <= 0) break;
      auto const count = ::read(shown_[0], bytes, sizeof bytes);
      if (count <= 0) break;
      shown.append(bytes, static_cast<std::size_t>(count));
    }
    return shown;
  }
  void end_guest() {
    if (guest_ <= 0) return;
    ::kill(guest_, SIGKILL);
    ::waitpid(guest_, nullptr, 0);
    guest_ = 0;
  }
  int exit_code() const {
    int status = 0;
    ::waitpid(console_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  Paths const paths_{
      (fs::temp_directory_path() / fmt::format("flotte-console-{}", ::getpid())).string()};
  std::string const record_ = paths_.console_log("vm1");

 private:
  pid_t guest_ = 0;
  pid_t console_ = 0;
  int shown_[2] = {-1, -1};
};

TEST_F(WatchedConsole, shows_what_was_said_before_and_goes_on_until_the_guest_ends) {
  says("before\n");
  watch();
  EXPECT_EQ(shown_up_to("before\n"), "before\n");
  says("after\n");
  EXPECT_EQ(shown_up_to("after\n"), "after\n");
  says("the end\n");
  end_guest();
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(shown_up_to("the end\n"), "the end\n");
}

// As the node daemon does where a file system can't give a beginning back.
TEST_F(WatchedConsole, goes_on_when_the_record_was_emptied) {
  says("a long line before\n");
  watch();
  shown_up_to("before\n");
  fs::resize_file(record_, 0);
  says("after\n");
  EXPECT_EQ(shown_up_to("after\n"), "after\n");
  end_guest();
  EXPECT_EQ(exit_code(), 0);
}

}  // namespace
}  // namespace flotte::cli
