#include "controller/key_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

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

}  // namespace
}  // namespace flotte::controller
