#include "model/params.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string refusal(Result<json::object> const& enforced) {
  return enforced ? "" : enforced.error().message.substr(0, enforced.error().message.find('.'));
}

TEST(Params, memory_of_a_start_is_both_its_bounds_before_it_is_looked_at) {
  EXPECT_EQ(refusal(enforce_backend_of_start({{"memory", "pony"}})),
            "'maxmem' (value pony) is not a valid size");
  EXPECT_EQ(refusal(enforce_backend({{"memory", "pony"}})),
            "'memory' (value pony) is not a valid size");
  EXPECT_EQ(*enforce_backend_of_start({{"maxmem", "1G"}, {"memory", "64"}}),
            (json::object{{"maxmem", 64}, {"minmem", 64}}));
  EXPECT_EQ(*enforce_backend({{"maxmem", "1G"}, {"memory", "64"}}),
            (json::object{{"maxmem", 1024}, {"minmem", 64}}));
  EXPECT_EQ(*enforce_backend_of_start({{"vcpus", 2}}), (json::object{{"vcpus", 2}}));
}

}  // namespace
}  // namespace flotte::model
