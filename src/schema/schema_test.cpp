#include "schema/schema.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace flotte::schema {
enum class Colour { Red, Blue };
template <>
struct EnumNames<Colour> {
  static constexpr std::string_view type_name = "one of red, blue";
  static constexpr std::pair<Colour, std::string_view> names[] = {{Colour::Red, "red"},
                                                                  {Colour::Blue, "blue"}};
};

namespace {

struct Inner {
  std::int64_t number = 7;
  static Fields fields() {
    static constexpr Field table[] = {field<&Inner::number>("number", "A number.")};
    return table;
  }
};

struct Sample {
  std::string name;
  std::optional<bool> flag;
  std::vector<Inner> inners;
  Colour colour = Colour::Blue;
  MiB size;
  std::string password;
  static Fields fields() {
    static constexpr Field table[] = {
        required<&Sample::name>("name", "Its name."),
        field<&Sample::flag>("flag", "A flag."),
        field<&Sample::inners>("inners", "A list."),
        field<&Sample::colour>("colour", "A colour."),
        field<&Sample::size>("size", "A size in MiB."),
        secret<&Sample::password>("password", "A password."),
    };
    return table;
  }
};

std::string error_of(std::string_view text) {
  auto const value = parse(text);
  if (!value) return value.error().message;
  auto const sample = decode<Sample>(*value);
  return sample ? "" : sample.error().message;
}

TEST(Schema, round_trips) {
  auto const value = parse(
      R"({"name":"a","flag":true,"inners":[{"number":1},{}],"colour":"red","size":512,"password":"x"})");
  auto const sample = decode<Sample>(*value);
  ASSERT_TRUE(sample) << sample.error().message;
  EXPECT_EQ(sample->inners[1].number, 7);
  EXPECT_EQ(json::serialize(encode(*sample)),
            R"({"name":"a","flag":true,"inners":[{"number":1},{"number":7}],"colour":"red",)"
            R"("size":512,"password":"x"})");
  EXPECT_EQ(encode(*sample, Secrets::Hide).at("password").as_string(), "<secret>");
}

TEST(Schema, absent_fields_keep_their_default) {
  auto const sample = decode<Sample>(*parse(R"({"name":"a"})"));
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->colour, Colour::Blue);
  EXPECT_FALSE(sample->flag);
}

TEST(Schema, what_no_field_has_is_refused_or_ignored_at_every_level) {
  auto const outside = *parse(R"({"name":"a","x":1,"inners":[{"number":1}]})");
  auto const inside = *parse(R"({"name":"a","inners":[{"number":1,"x":1}]})");
  EXPECT_FALSE(decode<Sample>(outside));
  EXPECT_FALSE(decode<Sample>(inside));
  EXPECT_EQ(decode<Sample>(inside).error().message, "Unknown parameter 'inners[0].x'");
  EXPECT_TRUE(decode<Sample>(outside, UnknownKeys::Ignore));
  EXPECT_TRUE(decode<Sample>(inside, UnknownKeys::Ignore));
  EXPECT_TRUE(decode<Sample>(outside, UnknownKeys::IgnoreOutermost));
  EXPECT_FALSE(decode<Sample>(inside, UnknownKeys::IgnoreOutermost));
}

// Who reads JSON goes down into it: the depth is bounded, for the stack is.
TEST(Schema, what_is_nested_too_deeply_is_refused) {
  auto const nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse(nested(32)));
  EXPECT_FALSE(parse(nested(33)));
}

TEST(Schema, errors_name_the_field) {
  EXPECT_EQ(error_of("{}"), "Required parameter 'name' is missing");
  EXPECT_EQ(error_of(R"({"name":1})"), "Parameter 'name' must be str, not 1");
  EXPECT_EQ(error_of(R"({"name":"a","x":1})"), "Unknown parameter 'x'");
  EXPECT_EQ(error_of(R"({"name":"a","inners":[{"number":"q"}]})"),
            "Parameter 'inners[0].number' must be int, not \"q\"");
  EXPECT_EQ(error_of(R"({"name":"a","colour":"pink"})"),
            "Parameter 'colour' must be one of red, blue, not \"pink\"");
  EXPECT_EQ(error_of(R"({"name":"a","size":-4})"),
            "Parameter 'size' must be a size in MiB, not -4");
  EXPECT_NE(error_of("[["), "");
  EXPECT_NE(error_of(std::string(1000, '[')), "");
  // What is long is shortened, and no character is cut.
  EXPECT_EQ(
      error_of(fmt::format(R"({{"name":"a","colour":"{}\u20ac\u20ac"}})", std::string(78, 'x'))),
      fmt::format("Parameter 'colour' must be one of red, blue, not \"{}...",
                  std::string(78, 'x')));
}

}  // namespace
}  // namespace flotte::schema
