// What a daemon does to files before it is one: root must not be led to others by links.
#include "base/daemon.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/log.h"

namespace flotte {
namespace {

namespace fs = std::filesystem;

class DaemonBegins : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(paths_.run());
    fs::create_directories(paths_.logs());
    std::ofstream(victim_) << "precious\n";
  }
  void TearDown() override { fs::remove_all(paths_.root()); }

  // In a process of its own; empty: it may go on.
  std::string refusal(bool logs_to_stderr = true) const {
    int pipe[2] = {};
    EXPECT_EQ(::pipe(pipe), 0);
    auto const child = ::fork();
    if (child == 0) {
      DaemonOptions const options{
          .name = "flotte-noded", .paths = paths_, .logs_to_stderr = logs_to_stderr};
      auto const begun = daemon_begin(options);
      if (begun) log::info("It begins");
      auto const said = begun ? std::string() : begun.error().message;
      (void)!::write(pipe[1], said.data(), said.size());
      ::_exit(0);
    }
    ::close(pipe[1]);
    ::waitpid(child, nullptr, 0);
    std::string said(4096, '\0');
    said.resize(
        static_cast<std::size_t>(std::max<ssize_t>(0, ::read(pipe[0], said.data(), said.size()))));
    ::close(pipe[0]);
    return said;
  }
  std::string precious() const {
    std::ifstream file(victim_);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  Paths const paths_{
      (fs::temp_directory_path() / fmt::format("flotte-daemon-{}", ::getpid())).string()};
  std::string const victim_ = paths_.run() + "/victim";
  std::string const pid_ = paths_.daemon_pid_file("flotte-noded");
  std::string const log_ = paths_.logs() + "/flotte-noded.log";
};

TEST_F(DaemonBegins, in_files_of_its_own) {
  EXPECT_EQ(refusal(false), "");
  struct stat status{};
  ASSERT_EQ(::stat(log_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
  EXPECT_GT(status.st_size, 0);
}

TEST_F(DaemonBegins, with_no_pid_file_that_is_a_link) {
  fs::create_symlink(victim_, pid_);
  EXPECT_EQ(refusal(), fmt::format("Can't open {}: Too many levels of symbolic links", pid_));
  fs::remove(pid_);
  fs::create_hard_link(victim_, pid_);
  EXPECT_EQ(refusal(), fmt::format("{} is no plain file of its own; remove it", pid_));
  EXPECT_EQ(precious(), "precious\n");
}

TEST_F(DaemonBegins, with_no_log_that_is_a_link) {
  fs::create_symlink(victim_, log_);
  EXPECT_EQ(refusal(false),
            fmt::format("Can't write the log {}: Too many levels of symbolic links", log_));
  EXPECT_EQ(precious(), "precious\n");
}

// Neither as root nor with any of root's groups.
TEST_F(DaemonBegins, as_the_user_it_is_told_to) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  auto const* nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  auto const user = nobody->pw_uid;
  auto const group = nobody->pw_gid;
  auto const child = ::fork();
  if (child == 0) {
    // Where it may write it doesn't matter here: it becomes another before it looks at any file.
    static_cast<void>(daemon_begin(
        {.name = "flotte-controllerd", .paths = paths_, .logs_to_stderr = true, .user = "nobody"}));
    std::array<uid_t, 3> users{};
    std::array<gid_t, 3> groups{};
    ::getresuid(&users[0], &users[1], &users[2]);
    ::getresgid(&groups[0], &groups[1], &groups[2]);
    std::array<gid_t, 64> others{};
    auto const count = ::getgroups(static_cast<int>(others.size()), others.data());
    auto const is_it = std::ranges::count(users, user) == 3 &&
                       std::ranges::count(groups, group) == 3 && count >= 0 &&
                       std::count(others.begin(), others.begin() + count, gid_t{0}) == 0;
    ::_exit(is_it ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(DaemonBegins, in_a_directory_that_is_not_the_controllers) {
  EXPECT_EQ(fs::path(pid_).parent_path(), paths_.run());
  EXPECT_EQ(fs::path(paths_.daemon_pid_file("flotte-controllerd")).parent_path(),
            paths_.controller_run());
  EXPECT_NE(fs::path(paths_.node_socket()).parent_path(), paths_.controller_sockets());
}

}  // namespace
}  // namespace flotte
