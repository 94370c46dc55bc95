#include "net/base64.h"

#include <gtest/gtest.h>

namespace flotte::net {
namespace {

TEST(Base64, of_rfc_4648_section_10) {
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("Zg=="), "f");
  EXPECT_EQ(from_base64("Zm8="), "fo");
  EXPECT_EQ(from_base64("Zm9v"), "foo");
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(from_base64("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64, what_is_none) {
  for (auto const* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zm=v", "Zg==Zg==", " Zg==", "Zg==\n",
                           "Zm9-", "Z\xc3\xa9g"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

}  // namespace
}  // namespace flotte::net
