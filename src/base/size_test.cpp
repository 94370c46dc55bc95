#include "base/size.h"

#include <gtest/gtest.h>

namespace flotte {
namespace {

TEST(Size, reads_what_people_type) {
  EXPECT_EQ(parse_size("512")->value, 512);
  EXPECT_EQ(parse_size("513")->value, 516);
  EXPECT_EQ(parse_size("10G")->value, 10240);
  EXPECT_EQ(parse_size("10g")->value, 10240);
  EXPECT_EQ(parse_size("1.5GiB")->value, 1536);
  EXPECT_EQ(parse_size("2tb")->value, 2 * 1024 * 1024);
  EXPECT_EQ(parse_size("0.1")->value, 4);
}

TEST(Size, refuses_what_is_no_size) {
  for (auto const* text :
       {"", "pony", "-1", "1x", "1e5", "G", "1..2", "1 gigabyte", "99999999999999999999T"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
  EXPECT_EQ(parse_size("pony").error().message, "Can't parse the given amount 'pony'");
}

TEST(Size, prints_as_ganeti_does) {
  EXPECT_EQ(format_size({512}, Unit::Human), "512M");
  EXPECT_EQ(format_size({10240}, Unit::Human), "10.0G");
  EXPECT_EQ(format_size({1024 * 1536}, Unit::Human), "1.5T");
  EXPECT_EQ(format_size({1536}, Unit::Gibi), "1.5");
  EXPECT_EQ(format_size({1536}, Unit::Mebi), "1536");
}

}  // namespace
}  // namespace flotte
