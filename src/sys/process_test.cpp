#include "sys/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace flotte::sys {
namespace {

Command shell(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)}};
}

TEST(Process, runs_with_a_clean_environment) {
  SystemProcesses processes;
  auto const finished = processes.run({.argv = {"/usr/bin/env"}, .environment = {{"A", "1"}}});
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(finished->output, "A=1\n");
  EXPECT_TRUE(finished->is_success());
}

TEST(Process, hands_over_lines_as_they_come) {
  SystemProcesses processes;
  std::vector<std::string> lines;
  auto const finished =
      processes.run(shell("echo one; echo two >&2; printf three"), [&](std::string_view line) {
        lines.emplace_back(line);
        return true;
      });
  ASSERT_TRUE(finished);
  EXPECT_EQ(lines.size(), 3U);
  EXPECT_EQ(finished->errors, "two\n");
}

TEST(Process, a_deadline_ends_the_whole_group) {
  SystemProcesses processes;
  auto command = shell("sleep 600 & sleep 600");
  command.timeout = std::chrono::seconds(1);
  auto const finished = processes.run(command);
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->timed_out);
}

TEST(Process, who_does_not_hear_that_time_is_up_is_ended_all_the_same) {
  SystemProcesses processes;
  auto command = shell("trap '' TERM; while :; do sleep 600; done");
  command.timeout = std::chrono::seconds(1);
  auto const finished = processes.run(command);
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->timed_out);
  EXPECT_EQ(finished->exit_status, 128 + SIGKILL);
}

// One that has a session of its own is not ended with the group.
TEST(Process, who_left_the_group_and_goes_on_writing_holds_nobody_up) {
  SystemProcesses processes;
  auto const begun = fmt::format("/tmp/flotte-process-test-{}", ::getpid());
  auto command = shell(fmt::format(
      "setsid sh -c 'touch {0}; exec yes' & while ! [ -e {0} ]; do :; done; rm {0}", begun));
  command.output_bytes_max = 1000;
  auto const finished = processes.run(command);
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->is_success());
  EXPECT_LE(finished->output.size(), 1000U);
}

TEST(Process, keeps_the_end_of_what_is_said_and_no_more) {
  SystemProcesses processes;
  auto command = shell("yes | head -c 1000000; echo the end; yes | head -c 1000000 >&2");
  command.output_bytes_max = 1000;
  std::size_t longest = 0;
  auto const finished = processes.run(command, [&](std::string_view line) {
    longest = std::max(longest, line.size());
    return true;
  });
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output.size(), 1000U);
  EXPECT_EQ(finished->errors.size(), 1000U);
  EXPECT_TRUE(finished->output.ends_with("the end\n"));
  auto const endless =
      processes.run(shell("tr '\\0' x < /dev/zero | head -c 100000"), [&](std::string_view line) {
        longest = std::max(longest, line.size());
        return true;
      });
  ASSERT_TRUE(endless);
  EXPECT_LE(longest, 4096U) << "a line without an end comes in pieces";
}

TEST(Process, the_sink_can_stop_it) {
  SystemProcesses processes;
  auto const finished =
      processes.run(shell("sleep 600"), [](std::string_view line) { return !line.empty(); });
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->was_stopped);
}

TEST(Process, a_missing_program_names_its_package) {
  SystemProcesses processes;
  auto const finished = processes.run({.argv = {"/nonexistent/lvcreate"}});
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message,
            "/nonexistent/lvcreate: command not found; install the package lvm2");
}

TEST(Process, hears_signals_although_the_daemon_does_not) {
  auto* const before = ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t mask;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);
  SystemProcesses processes;
  auto const finished =
      processes.run({.argv = {"/bin/grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"}});
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::signal(SIGPIPE, before);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

// Else it would write into the log what is somebody's disk.
TEST(Process, without_a_descriptor_that_it_should_have_it_does_not_run) {
  SystemProcesses processes;
  auto command = shell("echo precious");
  command.descriptors = {{-1, 1}};
  auto const given = processes.run(command);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().message, "Can't run /bin/sh: Bad file descriptor");
  command.descriptors.clear();
  command.keep_fds = {-1};
  EXPECT_FALSE(processes.run(command));
}

TEST(Process, inherits_nothing_but_what_is_kept) {
  SystemProcesses processes;
  auto const finished = processes.run(shell("ls /proc/self/fd | wc -l"));
  ASSERT_TRUE(finished);
  EXPECT_LE(std::stoi(finished->output), 4) << "three and the directory that ls reads";
}

}  // namespace
}  // namespace flotte::sys
