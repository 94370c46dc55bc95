// What a daemon does to files before it is one: root must not be led to others by links.
#include "base/daemon.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

// One that comes late ends the daemon.
TEST(DaemonServes, tells_systemd_that_it_lives_twice_within_its_limit_at_least) {
  auto const milliseconds = [](char const* limit_us) {
    ::setenv("WATCHDOG_USEC", limit_us, 1);
    auto const interval = ping_interval();
    ::unsetenv("WATCHDOG_USEC");
    return interval.tv_sec * 1000 + interval.tv_nsec / 1'000'000;
  };
  for (auto const limit_ms : {100, 1'000, 1'500, 30'000, 180'000}) {
    auto const interval = milliseconds(std::to_string(limit_ms * 1000).c_str());
    EXPECT_GT(interval, 0) << limit_ms;
    EXPECT_LE(2 * interval, limit_ms);
  }
  for (auto const* none : {"", "0", "-5", "never"}) EXPECT_GT(milliseconds(none), 60'000) << none;
}

TEST_F(DaemonBegins, and_says_when_it_is_ready_that_it_lives_and_when_it_ends) {
  auto const path = paths_.run() + "/notify";
  int const heard = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(heard, reinterpret_cast<sockaddr const*>(&address), sizeof address), 0);
  auto const child = ::fork();
  if (child == 0) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "30000", 1);
    DaemonOptions const options{.name = "flotte-noded", .paths = paths_, .logs_to_stderr = true};
    if (!daemon_begin(options)) ::_exit(1);
    // It seems to hang at first.
    int looks = 0;
    daemon_serve(options, [&] { return ++looks > 2; });
    ::_exit(looks > 2 ? 0 : 2);
  }
  auto const next = [heard] {
    char text[64];
    auto const count = ::recv(heard, text, sizeof text, 0);
    return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  };
  EXPECT_EQ(next(), "READY=1");
  EXPECT_GT(fs::file_size(pid_), 0U);
  EXPECT_EQ(next(), "WATCHDOG=1");
  ::kill(child, SIGTERM);
  auto last = next();
  while (last == "WATCHDOG=1") last = next();
  EXPECT_EQ(last, "STOPPING=1");
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(fs::exists(pid_));
  ::close(heard);
}

TEST_F(DaemonBegins, in_a_directory_that_is_not_the_controllers) {
  EXPECT_EQ(fs::path(pid_).parent_path(), paths_.run());
  EXPECT_EQ(fs::path(paths_.daemon_pid_file("flotte-controllerd")).parent_path(),
            paths_.controller_run());
  EXPECT_NE(fs::path(paths_.node_socket()).parent_path(), paths_.controller_sockets());
}

}  // namespace
}  // namespace flotte
