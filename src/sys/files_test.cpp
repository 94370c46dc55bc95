#include "sys/files.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sys/deeds.h"

namespace {
std::vector<std::string> seen;
}  // namespace

// In front of the C library's.
extern "C" int fsync(int fd) {
  struct stat status{};
  ::fstat(fd, &status);
  seen.emplace_back(S_ISDIR(status.st_mode) ? "sync of the directory" : "sync");
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace flotte::sys {
namespace {

class Files : public ::testing::Test {
 protected:
  Files() { std::filesystem::create_directories(directory_); }
  ~Files() override {
    moment_hook = nullptr;
    std::filesystem::remove_all(directory_);
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator(directory_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string directory_ = fmt::format("{}flotte-files-{}", ::testing::TempDir(), ::getpid());
  std::string file_ = directory_ + "/file";
};

TEST_F(Files, what_a_killed_write_left_goes_with_the_next_write_or_the_removal) {
  std::ofstream(file_ + ".new") << "half";
  ASSERT_TRUE(write_file(file_, "whole", 0640));
  EXPECT_EQ(*read_file(file_), "whole");
  EXPECT_THAT(entries(), ::testing::ElementsAre("file"));
  std::ofstream(file_ + ".new") << "half";
  ASSERT_TRUE(remove_file(file_));
  EXPECT_THAT(entries(), ::testing::IsEmpty());
  EXPECT_TRUE(remove_file(file_));
}

TEST_F(Files, a_link_is_replaced) {
  ASSERT_TRUE(write_link(file_, "/there"));
  std::filesystem::create_symlink("/half", file_ + ".new");
  ASSERT_TRUE(write_link(file_, "/elsewhere"));
  EXPECT_EQ(std::filesystem::read_symlink(file_), "/elsewhere");
  EXPECT_THAT(entries(), ::testing::ElementsAre("file"));
}

TEST_F(Files, modes_are_exact) {
  auto const mask = ::umask(0077);
  EXPECT_TRUE(write_file(file_, "", 0644));
  auto const log = LogFile::open(directory_ + "/log", 0640);
  ::umask(mask);
  struct stat status{};
  ::stat(file_.c_str(), &status);
  EXPECT_EQ(status.st_mode & 07777, 0644U);
  ::stat((directory_ + "/log").c_str(), &status);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
}

TEST_F(Files, what_is_no_file_is_neither_read_nor_written_and_nobody_waits_for_it) {
  auto const pipe = directory_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (auto const& path : {pipe, std::string("/dev/zero"), directory_}) {
    auto const read = read_file(path);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, fmt::format("Can't read {}: it is no regular file", path));
    EXPECT_FALSE(write_in_place(path, "x"));
    EXPECT_LT(open_to_read(path), 0);
    EXPECT_LT(open_to_write(path), 0);
    EXPECT_LT(open_to_append(path, 0600), 0);
  }
  EXPECT_TRUE(read_file("/proc/self/stat"));
}

TEST_F(Files, a_write_that_fails_is_told) {
  EXPECT_FALSE(write_in_place(file_, "x")) << "it is not made";
  ASSERT_TRUE(write_file(file_, "", 0600));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit const small{.rlim_cur = 4, .rlim_max = before.rlim_max};
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  auto const failed = write_in_place(file_, "12345678");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, fmt::format("Can't write {}: File too large", file_));
}

TEST_F(Files, a_log_grows) {
  for (auto const* line : {"one", "two"}) {
    auto log = LogFile::open(file_, 0600);
    ASSERT_TRUE(log);
    log->add(line);
  }
  EXPECT_EQ(*read_file(file_), "one\ntwo\n");
}

TEST_F(Files, a_log_ends_where_it_is_too_large_and_says_so) {
  auto log = LogFile::open(file_, 0600);
  ASSERT_TRUE(log);
  std::string const line(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) log->add(line);
  auto const kept = *read_file(file_, 2 * LogFile::bytes_max);
  EXPECT_LE(kept.size(), LogFile::bytes_max + 100);
  EXPECT_TRUE(kept.ends_with("x\n(There was more, which is not kept.)\n"));
}

TEST_F(Files, names_are_listed_whatever_lies_there) {
  ASSERT_TRUE(make_directories(directory_ + "/a", 0700));
  ASSERT_EQ(::symlink("loop", (directory_ + "/loop").c_str()), 0);
  ASSERT_TRUE(write_file(file_, "", 0600));
  EXPECT_THAT(names_in(directory_), ::testing::IsSupersetOf({"a", "loop"}));
  EXPECT_TRUE(is_directory(directory_ + "/a"));
  EXPECT_FALSE(is_directory(directory_ + "/loop"));
  EXPECT_FALSE(is_directory(directory_ + "/nosuch"));
  EXPECT_TRUE(names_in(directory_ + "/nosuch").empty());
  EXPECT_TRUE(names_in(directory_ + "/loop").empty());
}

TEST_F(Files, a_directory_goes_with_its_files) {
  auto const inner = directory_ + "/a/b";
  ASSERT_TRUE(make_directories(inner, 0700));
  ASSERT_TRUE(write_file(inner + "/x", "", 0600));
  EXPECT_TRUE(remove_directory(inner));
  EXPECT_TRUE(remove_directory(inner));
  EXPECT_FALSE(exists(inner));
}

TEST_F(Files, what_is_written_is_synced_before_it_takes_the_place_of_what_was) {
  seen.clear();
  moment_hook = [](std::string_view deed, std::string_view) { seen.emplace_back(deed); };
  ASSERT_TRUE(write_file(file_, "x", 0600));
  EXPECT_THAT(seen, ::testing::ElementsAre("create", "create", "fchmod", "fchmod", "write", "write",
                                           "sync", "rename", "rename", "sync of the directory"));
  seen.clear();
  ASSERT_TRUE(move_file(file_, file_ + ".moved"));
  EXPECT_THAT(seen, ::testing::ElementsAre("rename", "rename", "sync of the directory",
                                           "sync of the directory"));
}

TEST_F(Files, moments_stand_before_and_after_each_deed) {
  seen.clear();
  moment_hook = [](std::string_view deed, std::string_view) {
    seen.emplace_back(deed);
    errno = EIO;
  };
  EXPECT_EQ(unlink(file_), -1);
  EXPECT_EQ(errno, ENOENT);
  ASSERT_TRUE(write_file(file_, "x", 0600));
  std::erase_if(seen, [](std::string const& deed) { return deed.starts_with("sync"); });
  EXPECT_THAT(seen, ::testing::ElementsAre("unlink", "unlink", "create", "create", "fchmod",
                                           "fchmod", "write", "write", "rename", "rename"));
}

}  // namespace
}  // namespace flotte::sys
