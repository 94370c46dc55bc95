#include "node/hypervisor/kvm/console_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "sys/files.h"

namespace flotte::node {
namespace {

class ConsoleLog : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/flotte-console-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ + "/vm1.console";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // As QEMU does it, with logappend.
  void say(std::string const& text) const {
    int const fd = ::open(path_.c_str(), O_WRONLY | O_APPEND);
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  struct stat look() const {
    struct stat seen{};
    EXPECT_EQ(::stat(path_.c_str(), &seen), 0);
    return seen;
  }
  void begin() const {
    auto const begun = begin_console_log(path_);
    ASSERT_TRUE(begun) << begun.error().message;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(ConsoleLog, begins_empty_and_of_root_alone_and_keeps_the_last_life) {
  begin();
  EXPECT_EQ(look().st_size, 0);
  EXPECT_EQ(look().st_mode & 0777, 0600U);
  say("panic\n");
  begin();
  EXPECT_EQ(look().st_size, 0);
  EXPECT_EQ(sys::read_file(path_ + ".old").value_or(""), "panic\n");
  // A life in which nothing was said takes nothing away; nor does a start that is repeated.
  begin();
  EXPECT_EQ(sys::read_file(path_ + ".old").value_or(""), "panic\n");
}

TEST_F(ConsoleLog, what_grows_gives_its_beginning_back_and_keeps_its_end) {
  begin();
  auto const much = std::string(console_bytes_max + 100'000, 'a');
  say(much);
  ::sync();
  bound_console_log(path_);
  say("the end");
  auto const seen = look();
  EXPECT_EQ(seen.st_size, static_cast<off_t>(much.size()) + 7);
  EXPECT_LE(seen.st_blocks * 512, console_bytes_kept + 64 * 1024);
  int const fd = ::open(path_.c_str(), O_RDONLY);
  std::string end(static_cast<std::size_t>(console_bytes_kept), 0);
  ASSERT_EQ(::pread(fd, end.data(), end.size(), seen.st_size - console_bytes_kept),
            console_bytes_kept);
  ::close(fd);
  EXPECT_EQ(end, std::string(end.size() - 7, 'a') + "the end");
  begin();
  EXPECT_EQ(sys::read_file(path_ + ".old").value_or(""), end);
}

TEST_F(ConsoleLog, little_is_left_alone) {
  begin();
  say("login: ");
  bound_console_log(path_);
  EXPECT_EQ(sys::read_file(path_).value_or(""), "login: ");
  bound_console_log(path_ + ".absent");
}

}  // namespace
}  // namespace flotte::node
