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

}  // namespace
}  // namespace flotte
