#include "net/base64.h"

#include <gtest/gtest.h>

namespace flotte::net {
namespace {

TEST(Base64, of_rfc_4648_section_10) {
  for (auto const& [text, bytes] : {std::pair{"", ""},
                                    {"Zg==", "f"},
                                    {"Zm8=", "fo"},
                                    {"Zm9v", "foo"},
                                    {"Zm9vYmFy", "foobar"},
                                    {"+/+/", "\xfb\xff\xbf"}}) {
    EXPECT_EQ(from_base64(text), bytes);
    EXPECT_EQ(to_base64(bytes), text);
  }
}

TEST(Base64, what_is_none) {
  for (auto const* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zm=v", "Zg==Zg==", " Zg==", "Zg==\n",
                           "Zm9-", "Z\xc3\xa9g"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

}  // namespace
}  // namespace flotte::net
