#include "cli/filter.h"

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

namespace flotte::cli {
namespace {

struct Pair {
  char const* text;
  char const* json;
};

class Filter : public ::testing::TestWithParam<Pair> {};

TEST_P(Filter, becomes) {
  auto const filter = parse_filter(GetParam().text);
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(boost::json::serialize(*filter), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Filter,
    ::testing::Values(
        Pair{R"(name == "x")", R"(["==","name","x"])"}, Pair{"name = 'x'", R"(["==","name","x"])"},
        Pair{"be/vcpus>=-4", R"([">=","be/vcpus",-4])"}, Pair{"master", R"(["?","master"])"},
        Pair{"name =~ m/^web[0-9]/is", R"(["=~","name","(?is)^web[0-9]"])"},
        Pair{"name !~ m#a/b#", R"(["!",["=~","name","a/b"]])"},
        Pair{R"(name =* "*.site")", R"(["=~","name","^[^.]*\\.site(\\..*)?$"])"},
        Pair{R"(name !* "w?b")", R"(["!",["=~","name","^w[^.]b(\\..*)?$"]])"},
        Pair{R"("web" in tags)", R"(["=[]","tags","web"])"},
        Pair{R"("web" not in tags)", R"(["!",["=[]","tags","web"]])"},
        Pair{"a and b and not c or d",
             R"(["|",["&",["?","a"],["?","b"],["!",["?","c"]]],["?","d"]])"},
        Pair{"a and (b or c)", R"(["&",["?","a"],["|",["?","b"],["?","c"]]])"},
        Pair{R"(name == "say \"hi\"")", R"(["==","name","say \"hi\""])"},
        Pair{"order==1", R"(["==","order",1])"}, Pair{"nothing", R"(["?","nothing"])"}));

TEST(FilterErrors, name_the_place) {
  auto const error = [](std::string_view text) {
    auto const filter = parse_filter(text);
    return filter ? std::string("accepted") : filter.error().message;
  };
  EXPECT_EQ(error("name == web"),
            "expected a number or a quoted string at column 9\n  name == web\n          ^");
  EXPECT_THAT(error(""), ::testing::HasSubstr("expected a condition"));
  EXPECT_THAT(error("(a"), ::testing::HasSubstr("expected ')'"));
  EXPECT_THAT(error("a b"), ::testing::HasSubstr("expected 'and', 'or' or the end at column 3"));
  EXPECT_THAT(error("name == \"x"), ::testing::HasSubstr("has no end"));
  EXPECT_THAT(error("name =~ /x/"), ::testing::HasSubstr("m/web"));
  EXPECT_THAT(error("\"x\" in"), ::testing::HasSubstr("field name"));
  EXPECT_THAT(error("name =~ m"), ::testing::HasSubstr("m/web"));
  EXPECT_THAT(error("a == 99999999999999999999"), ::testing::HasSubstr("expected a number"));
  EXPECT_THAT(error(std::string(100, '(')), ::testing::HasSubstr("too deeply"));
}

}  // namespace
}  // namespace flotte::cli
