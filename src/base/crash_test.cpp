#include "base/crash.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>

#include "base/boundary.h"

namespace flotte::crash {
namespace {

namespace fs = std::filesystem;

class Crash : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_);
    file_ = directory_ / "crashes";
  }
  void TearDown() override { fs::remove_all(directory_); }

  // In a process of its own; the answer: the signal that ended it.
  int end_of(std::function<void()> const& body) const {
    auto const child = ::fork();
    if (child == 0) {
      if (!record_in(file_)) ::_exit(1);
      std::thread(body).join();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
  }
  std::vector<std::string> recorded() const {
    std::vector<std::string> lines;
    std::ifstream text(file_);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  fs::path directory_ = fs::temp_directory_path() / fmt::format("flotte-crash-{}", ::getpid());
  std::string file_;
};

// Each call needs the frame of its own.
[[gnu::noinline]] std::size_t deeper(std::size_t level) {  // NOLINT(misc-no-recursion)
  std::array<char volatile, 512> frame{};
  frame[level % frame.size()] = 'x';
  return level == 0 ? 0 : deeper(level - 1) + static_cast<std::size_t>(frame[0]);
}

TEST_F(Crash, is_put_down_to_what_the_thread_was_at) {
  EXPECT_EQ(end_of([] {
              Blame const blame("3 17\n");
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(recorded(), std::vector<std::string>({"3 17"}));
}

TEST_F(Crash, of_another_thread_is_nobodys) {
  EXPECT_EQ(end_of([] {
              {
                Blame const blame("3 17\n");
              }
              std::abort();
            }),
            SIGABRT);
  EXPECT_TRUE(recorded().empty());
}

TEST_F(Crash, counts_for_the_innermost_and_then_again_for_the_outer) {
  EXPECT_EQ(end_of([] {
              Blame const outer("1 1\n");
              Blame const inner("1 2\n");
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(end_of([] {
              Blame const outer("2 1\n");
              {
                Blame const inner("2 2\n");
              }
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(recorded(), std::vector<std::string>({"1 2", "2 1"}));
}

TEST_F(Crash, by_a_stack_without_end_is_noted_too) {
  EXPECT_EQ(end_of([] {
              Blame const blame("4 5\n");
              deeper(1'000'000);
            }),
            SIGSEGV);
  EXPECT_EQ(recorded(), std::vector<std::string>({"4 5"}));
}

TEST_F(Crash, is_no_kill) {
  EXPECT_EQ(end_of([] {
              Blame const blame("4 5\n");
              ::kill(::getpid(), SIGKILL);
              ::pause();
            }),
            SIGKILL);
  EXPECT_TRUE(recorded().empty());
}

TEST_F(Crash, is_told_once_to_the_next) {
  end_of([] {
    Blame const blame("3 17\n");
    std::abort();
  });
  EXPECT_EQ(end_of([this] {
              auto const told = record_in(file_);
              ::_exit(told && *told == std::vector<std::string>({"3 17"}) && forget(file_) ? 7 : 8);
            }),
            -7);
  EXPECT_TRUE(recorded().empty());
}

TEST_F(Crash, is_not_written_through_a_link) {
  fs::create_symlink(directory_ / "elsewhere", file_);
  EXPECT_FALSE(record_in(file_));
  EXPECT_FALSE(fs::exists(directory_ / "elsewhere"));
}

TEST(Boundary, makes_an_error_of_an_exception) {
  auto const thrown =
      boundary("The look", []() -> Result<int> { throw std::runtime_error("no memory"); });
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().code, ErrorCode::InternalError);
  EXPECT_EQ(thrown.error().message, "The look ended with an exception: no memory");
  EXPECT_EQ(*boundary("The look", []() -> Result<int> { return 3; }), 3);
  auto const out_of_nothing = boundary("The look", [] { throw std::runtime_error("no memory"); });
  ASSERT_FALSE(out_of_nothing);
  EXPECT_EQ(out_of_nothing.error().message, "The look ended with an exception: no memory");
  EXPECT_TRUE(boundary("The look", [] {}));
}

TEST(Exception, that_nobody_caught_is_named) {
  EXPECT_DEATH(
      {
        name_exceptions();
        std::thread([] {
          ::pthread_setname_np(::pthread_self(), "looker");
          throw std::runtime_error("no memory");
        }).join();
      },
      "The thread looker ended with an exception that nobody caught: no memory");
}

}  // namespace
}  // namespace flotte::crash
