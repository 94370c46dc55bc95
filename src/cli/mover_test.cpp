#include "cli/mover.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

TEST(Mover, lives_as_long_as_its_process) {
  auto const mover = this_mover();
  EXPECT_FALSE(is_gone(mover));
  auto words = split(mover, ' ');
  ASSERT_EQ(words.size(), 4U) << mover;
  words[3] = "1";
  EXPECT_TRUE(is_gone(fmt::format("{}", fmt::join(words, " ")))) << "its number was given again";
  words[2] = "999999999";
  EXPECT_TRUE(is_gone(fmt::format("{}", fmt::join(words, " "))));
  words[1] = "elsewhere";
  EXPECT_FALSE(is_gone(fmt::format("{}", fmt::join(words, " ")))) << "nobody can know";
  for (auto const* odd : {"", "move-instance", "move-instance a b", "move-instance a b c d e"}) {
    EXPECT_FALSE(is_gone(odd)) << odd;
  }
}

TEST(Mover, is_found_in_a_trail_of_reasons) {
  auto const trail = *schema::parse(
      R"([["gnt:user", "move-instance h 1 2: the disks are full", 5], ["gnt:opcode:x", "job=1", 6]])");
  EXPECT_EQ(mover_of(trail), "move-instance h 1 2");
  EXPECT_EQ(mover_of(*schema::parse(R"([["gnt:user", "somebody", 5]])")), std::nullopt);
  EXPECT_EQ(mover_of(nullptr), std::nullopt);
}

}  // namespace
}  // namespace flotte::cli
