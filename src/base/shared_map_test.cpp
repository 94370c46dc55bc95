#include "base/shared_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace flotte {
namespace {

using Numbers = SharedMap<int, int>;

std::map<int, int> content(Numbers const& map) {
  std::map<int, int> all;
  auto last = -1;
  for (auto const& [key, value] : map) {
    EXPECT_LT(last, key) << "out of order";
    last = key;
    all[key] = value;
  }
  return all;
}

TEST(SharedMap, does_what_a_map_does) {
  std::mt19937 random(1);
  Numbers map;
  std::map<int, int> model;
  for (int i = 0; i < 20'000; ++i) {
    auto const key = static_cast<int>(random() % 500);
    if (random() % 3 == 0) {
      map.erase(key);
      model.erase(key);
    } else {
      map.insert_or_assign(key, i);
      model[key] = i;
    }
    ASSERT_EQ(map.size(), model.size());
    auto const wanted = static_cast<int>(random() % 500);
    ASSERT_EQ(map.contains(wanted), model.contains(wanted));
    ASSERT_EQ(static_cast<std::ptrdiff_t>(map.rank(wanted)),
              std::distance(model.begin(), model.lower_bound(wanted)));
    auto const next = model.lower_bound(wanted);
    auto const found = map.lower_bound(wanted);
    ASSERT_EQ(found == map.end(), next == model.end());
    if (found != map.end()) {
      ASSERT_EQ(found->first, next->first);
    }
  }
  EXPECT_EQ(content(map), model);
}

TEST(SharedMap, a_copy_keeps_what_it_had) {
  Numbers map;
  EXPECT_TRUE(map.empty());
  for (int i = 0; i < 100; ++i) map.insert_or_assign(i, 0);
  auto const copy = map;
  auto const before = content(copy);
  for (int i = 0; i < 100; i += 2) map.erase(i);
  map.insert_or_assign(1, 7);
  EXPECT_EQ(content(copy), before);
  EXPECT_EQ(map.size(), 50U);
  EXPECT_EQ(map.at(1), 7);
}

// Sorted input is what unbalances a tree: the iterator's path would overflow.
TEST(SharedMap, stays_shallow_whatever_the_order) {
  Numbers map;
  constexpr int count = 200'000;
  for (int i = 0; i < count; ++i) map.insert_or_assign(i, i);
  for (int i = 0; i < count - 10; ++i) map.erase(i);
  EXPECT_EQ(content(map).size(), 10U);
  for (int i = count; i > 0; --i) map.insert_or_assign(i, i);
  EXPECT_EQ(map.begin()->first, 1);
  EXPECT_EQ(map.size(), static_cast<std::size_t>(count));
}

}  // namespace
}  // namespace flotte
