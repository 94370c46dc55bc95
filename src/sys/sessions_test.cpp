#include "sys/sessions.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "sys/files.h"
#include "sys/process.h"

namespace flotte::sys {
namespace {

class Sessions : public ::testing::Test {
 protected:
  Sessions() { std::filesystem::create_directories(directory_); }
  ~Sessions() override { std::filesystem::remove_all(directory_); }

  std::string directory_ = fmt::format("{}flotte-sessions-{}", ::testing::TempDir(), ::getpid());
  std::string record_ = directory_ + "/web1";
};

TEST_F(Sessions, all_of_a_recorded_session_ends) {
  SystemProcesses processes;
  Result<Finished> finished = Finished{};
  std::thread script([&] {
    finished = processes.run(
        {.argv = {"/bin/sh", "-c", "set -m; sleep 600 & sleep 600"}, .session_record = record_});
  });
  while (read_file(record_).value_or("").empty()) std::this_thread::yield();
  EXPECT_TRUE(end_recorded_sessions(directory_));
  script.join();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->exit_status, 128 + SIGKILL);
  EXPECT_FALSE(exists(record_));
}

TEST_F(Sessions, a_number_that_means_another_process_by_now_is_left_alone) {
  int ready[2] = {};
  ASSERT_EQ(::pipe(ready), 0);
  auto const pid = ::fork();
  if (pid == 0) {
    ::setsid();
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char begun = 0;
  ASSERT_EQ(::read(ready[0], &begun, 1), 1);
  // As if it had been recorded at another time.
  ASSERT_TRUE(write_file(
      record_, fmt::format("{} (sh) S 1 {} {} 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0", pid, pid, pid),
      0600));
  EXPECT_TRUE(end_recorded_sessions(directory_));
  EXPECT_FALSE(exists(record_));
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "it was ended";
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  for (int const fd : ready) ::close(fd);
}

TEST_F(Sessions, a_broken_record_is_no_reason_not_to_start) {
  ASSERT_TRUE(write_file(record_, "12 (half", 0600));
  EXPECT_TRUE(end_recorded_sessions(directory_));
}

TEST_F(Sessions, the_record_goes_with_the_program) {
  SystemProcesses processes;
  auto const finished = processes.run({.argv = {"/bin/cat", record_}, .session_record = record_});
  ASSERT_TRUE(finished);
  EXPECT_NE(finished->output, "");
  EXPECT_FALSE(exists(record_));
}

}  // namespace
}  // namespace flotte::sys
