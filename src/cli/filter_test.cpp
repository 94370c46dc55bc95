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
        Pair{"name =~ /web/", R"(["=~","name","web"])"}, Pair{"not", R"(["?","not"])"},
        Pair{"order==1", R"(["==","order",1])"}, Pair{"nothing", R"(["?","nothing"])"}));

std::string error_of(std::string_view text) {
  auto const filter = parse_filter(text);
  return filter ? std::string("accepted") : filter.error().message;
}

TEST(FilterErrors, are_told_as_ganeti_tells_them) {
  EXPECT_EQ(error_of("name == web"),
            "Failed to parse query filter 'name == web': Expected end of text, found '='  (at char "
            "5), (line:1, col:6)\n"
            "name == web\n"
            "     ^\n"
            "Expected end of text, found '='  (at char 5), (line:1, col:6)");
}

// Where it begins to be no filter, and what stands there.
TEST(FilterErrors, name_the_place) {
  auto const place = [](std::string_view text) {
    auto const error = error_of(text);
    return error.substr(error.rfind('\n') + 1);
  };
  EXPECT_EQ(place(""), "Expected Suppress:('or') term  (at char 0), (line:1, col:1)");
  for (auto const& [text, end] :
       {std::pair{"name == \"a\" and", "'and'  (at char 12)"},
        std::pair{"name == \"a\" or or x", "'x'  (at char 18)"},
        std::pair{"name == \"a\")", "')'  (at char 11)"},
        std::pair{"name == \"a1", "'='  (at char 5)"}, std::pair{"name == 5x", "'x'  (at char 9)"},
        std::pair{"name foo", "'foo'  (at char 5)"}, std::pair{"name 'x", "\"'\"  (at char 5)"},
        std::pair{"\"x\" inn tags", "'tags'  (at char 8)"},
        std::pair{"a == 99999999999999999999", "'='  (at char 2)"},
        std::pair{"name =~ m/a", "'='  (at char 5)"}}) {
    EXPECT_THAT(place(text),
                ::testing::StartsWith(fmt::format("Expected end of text, found {}", end)))
        << text;
  }
  for (auto const& [text, end] :
       {std::pair{"(name == \"a\"", "end of text  (at char 12)"},
        std::pair{"()", "')'  (at char 1)"}, std::pair{"!name", "'!'  (at char 0)"},
        std::pair{"\"x\" in", "end of text  (at char 6)"},
        std::pair{"5", "end of text  (at char 1)"}}) {
    EXPECT_THAT(place(text),
                ::testing::StartsWith(fmt::format("Expected Suppress:('or') term, found {}", end)))
        << text;
  }
  EXPECT_EQ(place("name =~ m/a/x"),
            "Unknown regular expression flags: 'x'  (at char 8), (line:1, col:9)");
  EXPECT_THAT(error_of(std::string(100, '(')), ::testing::HasSubstr("too deeply"));
}

}  // namespace
}  // namespace flotte::cli
