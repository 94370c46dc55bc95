#include "opcodes/opcode.h"

#include <gtest/gtest.h>

namespace flotte::opcodes {
namespace {

std::string error_of(std::string_view text) {
  auto const opcode = normalise(*schema::parse(text));
  return opcode ? "" : opcode.error().message;
}

TEST(Opcode, fills_in_defaults) {
  auto const opcode =
      normalise(*schema::parse(R"({"OP_ID":"OP_INSTANCE_STARTUP","instance_name":"web1"})"));
  ASSERT_TRUE(opcode) << opcode.error().message;
  EXPECT_EQ(opcode->at("force"), json::value(false));
  EXPECT_EQ(opcode->at("priority"), json::value(0));
  EXPECT_EQ(summary(*opcode), "INSTANCE_STARTUP(web1)");
}

TEST(Opcode, summary_prints_numbers_as_python) {
  auto const opcode = normalise(*schema::parse(R"({"OP_ID":"OP_TEST_DELAY","duration":0.1})"));
  ASSERT_TRUE(opcode) << opcode.error().message;
  EXPECT_EQ(summary(*opcode), "TEST_DELAY(0.1)");
}

TEST(Opcode, refuses_by_name) {
  EXPECT_EQ(error_of(R"({"OP_ID":"OP_NO_SUCH"})"),
            "Opcode 'OP_NO_SUCH' is not known or not built yet");
  EXPECT_EQ(error_of(R"({"OP_ID":"OP_TEST_DELAY","duration":1,"x":1})"),
            "OP_TEST_DELAY: Unknown parameter 'x'");
  EXPECT_EQ(error_of(R"({"OP_ID":"OP_TEST_DELAY"})"),
            "OP_TEST_DELAY: Required parameter 'duration' is missing");
  EXPECT_EQ(error_of(R"({"OP_ID":"OP_TEST_DELAY","duration":1,"priority":-21})"),
            "OP_TEST_DELAY: priority -21 is none of -10, 0, 10");
  for (auto const* given : {"-10", "0", "10"}) {
    EXPECT_EQ(
        error_of(fmt::format(R"({{"OP_ID":"OP_TEST_DELAY","duration":1,"priority":{}}})", given)),
        "");
  }
  EXPECT_EQ(error_of(R"({"OP_ID":"OP_TEST_DELAY","duration":1,"priority":1})"),
            "OP_TEST_DELAY: priority 1 is none of -10, 0, 10");
  EXPECT_EQ(error_of("3"), "An opcode must be a dict");
}

TEST(Opcode, hides_secrets) {
  auto const opcode = normalise(*schema::parse(
      R"({"OP_ID":"OP_INSTANCE_REINSTALL","instance_name":"a","osparams_secret":{"p":"x"}})"));
  ASSERT_TRUE(opcode) << opcode.error().message;
  EXPECT_EQ(without_secrets(*opcode).at("osparams_secret"), json::value("<secret>"));
}

TEST(Opcode, what_is_sealed_is_found_at_every_depth) {
  auto opcode = schema::parse(R"({"OP_ID":"OP_INSTANCE_MULTI_ALLOC","instances":[
      {"OP_ID":"OP_INSTANCE_CREATE","osparams_secret":{"p":"one"}},
      {"OP_ID":"OP_INSTANCE_CREATE","osparams":{"p":"open"},"osparams_secret":{"q":"two"}}],
      "one":{"osparams_secret":{"r":"three"}}})")
                    ->get_object();
  std::vector<std::string> found;
  for_each_sealed(opcode, [&](json::value& value) {
    found.emplace_back(std::string_view(value.get_string()));
  });
  EXPECT_EQ(found, (std::vector<std::string>{"one", "two", "three"}));
}

}  // namespace
}  // namespace flotte::opcodes
