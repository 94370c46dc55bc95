#include "base/ip.h"

#include <gtest/gtest.h>

namespace flotte {
namespace {

TEST(Ip, of_one_address_there_is_one_text) {
  EXPECT_EQ(canonical_ip("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(canonical_ip("2001:DB8:0:0::7"), "2001:db8::7");
  EXPECT_EQ(canonical_ip("2001:0db8:0000:0000:0000:0000:0000:0007"), "2001:db8::7");
  EXPECT_EQ(canonical_ip(""), "");
  EXPECT_EQ(canonical_ip("fe80::1%eth0"), "fe80::1%eth0");
  EXPECT_EQ(canonical_ip("nonsense"), "nonsense");
}

TEST(Ip, an_ipv4_address_is_a_number) {
  EXPECT_EQ(ipv4_number("192.0.2.1"), 0xc0000201U);
  EXPECT_EQ(ipv4_text(0xc0000201U), "192.0.2.1");
  for (auto const* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "2001:db8::1"}) {
    EXPECT_FALSE(ipv4_number(text)) << text;
  }
}

TEST(Ip, a_network_has_no_bit_behind_its_prefix) {
  EXPECT_EQ(parse_ipv4_network("192.0.2.0/24")->prefix, 24);
  EXPECT_EQ(parse_ipv4_network("0.0.0.0/0")->address, 0U);
  EXPECT_EQ(parse_ipv4_network("192.0.2.7")->prefix, 32);
  EXPECT_EQ(parse_ipv4_network("192.0.2.7/24").error().message,
            "Invalid network '192.0.2.7/24': the network of this address is 192.0.2.0/24");
  for (auto const* text : {"", "x/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/2x",
                           "192.0.2.0/+24", "192.0.2.0/024"}) {
    EXPECT_FALSE(parse_ipv4_network(text)) << text;
  }
  EXPECT_TRUE(is_ipv6_network("2001:db8::/64"));
  EXPECT_TRUE(is_ipv6_network("2001:db8::1"));
  for (auto const* text : {"", "2001:db8::1/64", "2001:db8::/129", "192.0.2.0/24"}) {
    EXPECT_FALSE(is_ipv6_network(text)) << text;
  }
}

TEST(Ip, link_local_addresses_are_in_every_ipv6_network) {
  EXPECT_TRUE(is_in_ipv6_network("2001:db8::7", "2001:db8::/64"));
  EXPECT_TRUE(is_in_ipv6_network("fe80::1", "2001:db8::/64"));
  EXPECT_FALSE(is_in_ipv6_network("2001:db8:0:1::7", "2001:db8::/64"));
  EXPECT_FALSE(is_in_ipv6_network("192.0.2.7", "2001:db8::/64"));
}

TEST(Ip, an_address_is_in_an_ipv4_network_or_not) {
  EXPECT_TRUE(is_in_ipv4_network("192.0.2.0", "192.0.2.0/30"));
  EXPECT_TRUE(is_in_ipv4_network("192.0.2.3", "192.0.2.0/30"));
  EXPECT_TRUE(is_in_ipv4_network("192.0.2.3", "0.0.0.0/0"));
  EXPECT_FALSE(is_in_ipv4_network("192.0.2.4", "192.0.2.0/30"));
  EXPECT_FALSE(is_in_ipv4_network("192.0.1.255", "192.0.2.0/30"));
  EXPECT_FALSE(is_in_ipv4_network("2001:db8::1", "0.0.0.0/0"));
}

TEST(Ip, nothing_hides_behind_a_nul) {
  using namespace std::string_literals;
  EXPECT_FALSE(ipv4_number("192.0.2.1\0x"s));
  EXPECT_FALSE(parse_ipv4_network("192.0.2.0\0x/24"s));
  EXPECT_FALSE(is_ipv6("fe80::1\0x"s));
  EXPECT_EQ(canonical_ip("192.0.2.1\0x"s), "192.0.2.1\0x"s);
}

}  // namespace
}  // namespace flotte
