#include "jobs/claims.h"

#include <gtest/gtest.h>

namespace flotte::jobs {
namespace {

constexpr JobId one{1};
constexpr JobId two{2};

TEST(Claims, what_one_job_has_no_other_gets) {
  Claims claims;
  auto const look = claims.begin_look();
  EXPECT_TRUE(claims.take(one, look, {"a", "b"}));
  EXPECT_TRUE(claims.take(one, look, {"a"}));
  EXPECT_FALSE(claims.take(two, look, {"c", "b"}));
  EXPECT_TRUE(claims.take(two, look, {"c"}));
  claims.end_look(look);
  claims.let_go(one);
  claims.let_go(two);
  EXPECT_EQ(claims.size(), 0U);
}

TEST(Claims, what_was_let_go_of_may_be_in_a_configuration_newer_than_that_looked_at) {
  Claims claims;
  auto const first = claims.begin_look();
  EXPECT_TRUE(claims.take(one, first, {"a"}));
  claims.end_look(first);
  auto const early = claims.begin_look();
  claims.let_go(one);
  auto const late = claims.begin_look();
  EXPECT_FALSE(claims.take(two, early, {"a"}));
  EXPECT_TRUE(claims.take(two, late, {"a"}));
  claims.let_go(two);
  claims.end_look(early);
  EXPECT_EQ(claims.size(), 1U);
  claims.end_look(late);
  EXPECT_EQ(claims.size(), 0U);
}

TEST(Claims, who_takes_some_of_many_gets_the_first_that_no_other_has) {
  Claims claims;
  auto const look = claims.begin_look();
  using Names = std::vector<std::string>;
  EXPECT_EQ(claims.take_some_of(one, look, {"a", "b", "c"}, 2), (Names{"a", "b"}));
  EXPECT_EQ(claims.take_some_of(one, look, {"a", "b"}, 2), (Names{"a", "b"}));
  EXPECT_EQ(claims.take_some_of(two, look, {"a", "b", "c", "d"}, 1), (Names{"c"}));
  EXPECT_EQ(claims.in_the_way(two, look, {"c", "b"}), std::pair(std::string("b"), one));
  EXPECT_EQ(claims.in_the_way(two, look, {"c", "d"}), std::nullopt);
  claims.let_go(one);
  EXPECT_EQ(claims.take_some_of(two, look, {"a"}, 1), Names());
  EXPECT_EQ(claims.take_some_of(two, claims.begin_look(), {"a"}, 1), (Names{"a"}));
}

}  // namespace
}  // namespace flotte::jobs
