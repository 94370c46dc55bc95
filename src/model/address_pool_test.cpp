#include "model/address_pool.h"

#include <gmock/gmock.h>

namespace flotte::model {
namespace {

using ::testing::ElementsAre;

Network lan(std::string cidr = "192.0.2.0/29") {
  return {.uuid = NetworkId("lan"), .name = "lan", .network = std::move(cidr)};
}

std::string error_of(std::string cidr) {
  auto const pool = AddressPool::create(lan(std::move(cidr)));
  return pool ? "" : pool.error().message;
}

TEST(AddressPool, is_neither_too_large_nor_too_small) {
  EXPECT_EQ(error_of("192.0.2.0/30"), "");
  EXPECT_EQ(error_of("10.1.0.0/16"), "");
  EXPECT_EQ(error_of("192.0.2.0/31"),
            "A network with only 2 host(s) is too small, please specify at least a /30 network");
  EXPECT_EQ(error_of("10.0.0.0/15"),
            "A big network with 131072 host(s) is currently not supported. please specify at most "
            "a /16 network");
  EXPECT_EQ(error_of("0.0.0.0/0"),
            "A big network with 4294967296 host(s) is currently not supported. please specify at "
            "most a /16 network");
}

TEST(AddressPool, a_new_network_keeps_its_ends_and_its_gateway) {
  auto network = lan();
  network.gateway = "192.0.2.1";
  ASSERT_TRUE(reserve_ends(network));
  EXPECT_EQ(network.ext_reservations, "11000001");
  auto const pool = AddressPool::create(network, {"192.0.2.2", "192.0.2.4", "203.0.113.1", "x"});
  EXPECT_EQ(pool->map(), "XXX.X..X");
  EXPECT_EQ(pool->free_count(), 3U);
  EXPECT_THAT(pool->external(), ElementsAre("192.0.2.0", "192.0.2.1", "192.0.2.7"));
  EXPECT_TRUE(is_external(network, "192.0.2.7"));
  EXPECT_FALSE(is_external(network, "192.0.2.2"));
  EXPECT_FALSE(is_external(network, "192.0.2.8"));
  EXPECT_FALSE(is_external(network, "192.0.1.255"));
  EXPECT_TRUE(*pool->is_used("192.0.2.2"));
  EXPECT_FALSE(*pool->is_external("192.0.2.2"));
}

TEST(AddressPool, a_gateway_from_elsewhere_is_refused) {
  auto network = lan();
  network.gateway = "192.0.2.9";
  EXPECT_EQ(reserve_ends(network).error().message, "192.0.2.0/29 does not contain 192.0.2.9");
  network = lan();
  network.network6 = "2001:db8::/64";
  network.gateway6 = "2001:db8:1::1";
  EXPECT_EQ(check_gateway6(network).error().message,
            "The IPv6 gateway 2001:db8:1::1 is neither in the network 2001:db8::/64 nor "
            "link-local");
  network.gateway6 = "fe80::1";
  EXPECT_TRUE(check_gateway6(network));
}

TEST(AddressPool, the_lowest_free_ones_come_first) {
  auto network = lan();
  ASSERT_TRUE(reserve_ends(network));
  auto const pool = AddressPool::create(network, {"192.0.2.1", "192.0.2.3"});
  EXPECT_THAT(pool->free(2), ElementsAre("192.0.2.2", "192.0.2.4"));
  EXPECT_EQ(pool->free(100).size(), 4U);
}

TEST(AddressPool, what_is_reserved_twice_or_released_unasked_is_told) {
  auto pool = *AddressPool::create(lan());
  EXPECT_TRUE(pool.reserve("192.0.2.3"));
  EXPECT_EQ(pool.reserve("192.0.2.3").error().message,
            "IP 192.0.2.3 is already externally reserved");
  EXPECT_TRUE(pool.release("192.0.2.3"));
  EXPECT_EQ(pool.release("192.0.2.3").error().message, "IP 192.0.2.3 is not externally reserved");
  EXPECT_EQ(pool.reserve("192.0.2.8").error().message, "192.0.2.0/29 does not contain 192.0.2.8");
  EXPECT_FALSE(pool.is_used("nonsense"));
}

}  // namespace
}  // namespace flotte::model
