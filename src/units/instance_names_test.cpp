#include "units/instance_names.h"

#include <gtest/gtest.h>

#include "model/names.h"

namespace flotte::units {
namespace {

TEST(InstanceNames, are_as_long_as_all_files_of_an_instance_can_be_called) {
  auto const longest = std::string(model::instance_name_bytes_max, 'n');
  EXPECT_EQ(*normalized_name(longest), longest);
  auto const refused = normalized_name(longest + "n");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("Invalid hostname 'nnn"));
  EXPECT_NE(refused.error().message.find("at most 240"), std::string::npos);
}

TEST(InstanceNames, are_those_of_hosts) {
  EXPECT_EQ(*normalized_name("Web_1.Example.COM."), "web_1.example.com");
  for (auto const* name : {"", ".", "..", "a..b", ".a", "-a", "a/b", "a b", "a\n", "ä"}) {
    EXPECT_FALSE(normalized_name(name)) << name;
  }
}

// What is said of one would be done to the other.
TEST(InstanceNames, a_new_one_is_no_uuid) {
  model::Cluster const cluster;
  for (auto const* name :
       {"22222222-aaaa-4bbb-8ccc-0123456789ab", "22222222-AAAA-4bbb-8ccc-0123456789AB"}) {
    auto const refused = free_name(name, std::nullopt, cluster);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::WrongInput);
    EXPECT_NE(refused.error().message.find("is a UUID"), std::string::npos);
  }
  for (auto const* name :
       {"22222222-aaaa-4bbb-8ccc-0123456789ag", "22222222-aaaa-4bbb-8ccc-0123456789abc",
        "22222222aaaa4bbb8ccc0123456789ab", "22222222-aaaa-4bbb-8ccc-0123456789ab.example.com"}) {
    EXPECT_TRUE(free_name(name, std::nullopt, cluster)) << name;
  }
}

}  // namespace
}  // namespace flotte::units
