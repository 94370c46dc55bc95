#include "model/nic_rules.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string judged(json::object const& filled) {
  auto const checked = check_nic(filled);
  return checked ? "" : checked.error().message;
}
std::string enforced(json::object const& given) {
  auto const params = enforce_nic(given);
  return params ? text_of(*params, "vlan") : params.error().message;
}

TEST(NicRules, what_is_connected_to_a_switch_needs_one) {
  for (auto const* mode : {"bridged", "openvswitch"}) {
    EXPECT_EQ(judged({{"mode", mode}, {"link", ""}}), fmt::format("Missing {} NIC link", mode));
    EXPECT_EQ(judged({{"mode", mode}, {"link", "br0"}}), "");
  }
  for (auto const* mode : {"routed", "ext"}) EXPECT_EQ(judged({{"mode", mode}, {"link", ""}}), "");
}

TEST(NicRules, modes_are_known_and_vlans_stored_in_one_form) {
  EXPECT_EQ(enforced({{"mode", "tunnel"}}),
            "Invalid NIC mode 'tunnel', must be one of: bridged, routed, openvswitch, ext");
  EXPECT_EQ(enforced({{"mode", "routed"}}), "");
  EXPECT_EQ(enforced({{"vlan", "5"}}), ".5");
  EXPECT_EQ(enforced({{"vlan", "none"}}), "");
  EXPECT_NE(enforced({{"vlan", "4095"}}), "");
}

TEST(NicRules, addresses_are_of_either_family_and_without_a_prefix) {
  for (auto const* ip : {"192.0.2.1", "2001:db8::1", "::"}) EXPECT_TRUE(is_ip(ip)) << ip;
  for (auto const* ip : {"", "192.0.2", "192.0.2.1/24", "2001:db8::/32", "host"}) {
    EXPECT_FALSE(is_ip(ip)) << ip;
  }
}

}  // namespace
}  // namespace flotte::model
