#include "base/text.h"

#include <gtest/gtest.h>

namespace flotte {
namespace {

TEST(NaturalOrder, numbers_are_compared_as_numbers_and_stand_among_letters_as_digits) {
  std::vector<std::string> const in_order{"",      "-2",      "1",        "2",      "2-",
                                          "2b",    "10",      "010",      "A1",     "web",
                                          "web-1", "web.1",   "web1",     "web1.x", "web2",
                                          "web10", "web10a2", "web10a10", "webb",   "\xc3\xa4"};
  auto sorted = in_order;
  std::ranges::reverse(sorted);
  sort_naturally(sorted);
  EXPECT_EQ(sorted, in_order);
}

TEST(NaturalOrder, what_has_a_name_goes_with_it) {
  std::vector<std::pair<std::string, int>> all{{"m10", 10}, {"m9", 9}, {"m1", 1}};
  sort_naturally(all, &std::pair<std::string, int>::first);
  EXPECT_EQ(all, (std::vector<std::pair<std::string, int>>{{"m1", 1}, {"m9", 9}, {"m10", 10}}));
}

}  // namespace
}  // namespace flotte
