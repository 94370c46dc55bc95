#include "controller/key_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flotte::controller {
namespace {

TEST(KeyFiles, one_that_can_not_be_read_takes_no_other_with_it) {
  auto const directory = fmt::format("{}flotte-keys-{}", ::testing::TempDir(), ::getpid());
  KeyFiles keys(directory);
  ASSERT_TRUE(keys.keep(JobId{1}, "one"));
  ASSERT_TRUE(keys.keep(JobId{3}, "three"));
  std::filesystem::create_directory(directory + "/2");
  auto const all = keys.all();
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(*all, (std::map<JobId, std::string>{{JobId{1}, "one"}, {JobId{3}, "three"}}));
}

// Another name shows what becomes of what was written.
TEST(KeyFiles, a_key_that_is_destroyed_is_written_over_where_it_lies) {
  auto const directory = fmt::format("{}flotte-keys-{}", ::testing::TempDir(), ::getpid());
  KeyFiles keys(directory);
  std::string const key(32, 'k');
  ASSERT_TRUE(keys.keep(JobId{1}, key));
  EXPECT_EQ(std::filesystem::status(directory + "/1").permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::filesystem::status(directory).permissions(), std::filesystem::perms(0700));
  std::filesystem::create_hard_link(directory + "/1", directory + "/other");
  EXPECT_TRUE(keys.destroy(JobId{1}));
  EXPECT_TRUE(keys.destroy(JobId{1})) << "it is gone";
  EXPECT_FALSE(std::filesystem::exists(directory + "/1"));
  std::ifstream other(directory + "/other");
  std::string const left{std::istreambuf_iterator<char>(other), {}};
  std::filesystem::remove_all(directory);
  EXPECT_EQ(left.find('k'), std::string::npos);
}

}  // namespace
}  // namespace flotte::controller
