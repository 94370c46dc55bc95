#include "cli/manual.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace flotte::cli {
namespace {

using ::testing::HasSubstr;

Outcome<int> nothing(Call&) {
  return 0;
}

Program pumps() {
  return {"gnt-pump",
          {{"drain",
            "[options...] <pump-name>",
            1,
            1,
            {{'f', "fast_er", true, "At <this> speed"},
             {0, "submit", false, "Submit the job and return at once"},
             {0, "slowly", false, "", false}},
            "Drains a pump",
            nothing},
           {"fill", "<pump-name>", 1, 1, {}, "Fills a pump", nothing},
           {"sell", "<pump-name>", 1, 1, {}, "Sells a pump"}},
          {{"empty", "drain"}}};
}

constexpr auto prose = R"(# NAME

gnt-pump - move water

# COMMANDS

All of them are wet.

## drain

Until it is `empty`.

# COMMON OPTIONS

# SEE ALSO

**sea**(7)
)";

std::string error_of(std::string const& page, std::string const& text) {
  auto const made = manual_page(page, text, {pumps()});
  return made ? "made" : made.error().message;
}

// The text between a heading and the next one of the same depth.
std::string section(std::string const& page, std::string const& heading) {
  auto const at = page.find("\n" + heading + "\n");
  if (at == std::string::npos) return "";
  auto const from = at + heading.size() + 2;
  return page.substr(from, page.find("\n" + heading.substr(0, heading.find(' ') + 1), from) - from);
}

TEST(Manual, prose_and_tables) {
  auto const page = manual_page("gnt-pump", prose, {pumps()});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_THAT(*page, HasSubstr(R"(# gnt-pump 8 "" "flotte" "Flotte")"));
  EXPECT_THAT(*page, HasSubstr(R"(
### drain, empty

**gnt-pump drain** [options...] *pump-name*

Until it is `empty`.

**-f**, **--fast\_er**=*VALUE*
: At \<this\> speed.

Common options: **--submit**.

Not built yet: **--slowly**.

### fill

**gnt-pump fill** *pump-name*

Fills a pump.

### Not built yet

Known by name, and refused: **sell**.

# COMMON OPTIONS
)"));
  EXPECT_THAT(section(*page, "# COMMON OPTIONS"), HasSubstr("**--submit**\n: Submit the job"));
  EXPECT_THAT(*page, HasSubstr("# SEE ALSO\n\n**sea**(7)"));
}

TEST(Manual, prose_that_fits_no_command) {
  auto const with_heading = [](std::string const& heading) {
    return fmt::format("{}## {}\n\nWords.\n", prose, heading);
  };
  EXPECT_EQ(error_of("gnt-pump", with_heading("paint")), "gnt-pump: there is no command 'paint'");
  EXPECT_EQ(error_of("gnt-pump", with_heading("sell")), "gnt-pump: 'sell' is not built yet");
  EXPECT_EQ(error_of("gnt-pump", "# NAME\n"), "gnt-pump: there is no section '# COMMANDS'");
}

TEST(Manual, a_page_of_no_program_is_its_prose) {
  auto const page = manual_page("pumpd", "# NAME\n\npumpd - pump\n", {pumps()});
  ASSERT_TRUE(page);
  EXPECT_EQ(*page, "# pumpd 8 \"\" \"flotte\" \"Flotte\"\n\n# NAME\n\npumpd - pump\n");
}

TEST(Manual, every_command_and_every_option_of_ours) {
  for (auto const& program : programs()) {
    auto const page = manual_page(
        program.name,
        program.is_plain ? "# NAME\n# OPTIONS\n" : "# NAME\n# COMMANDS\n# COMMON OPTIONS\n",
        programs());
    ASSERT_TRUE(page) << page.error().message;
    if (program.is_plain) {
      for (auto const& option : program.commands.front().options) {
        EXPECT_THAT(section(*page, "# OPTIONS"), HasSubstr("**--" + option.name + "**"));
      }
      continue;
    }
    for (auto const& command : program.commands) {
      if (!command.function) {
        EXPECT_THAT(section(*page, "### Not built yet"), HasSubstr("**" + command.name + "**"));
        continue;
      }
      auto heading = "### " + command.name;
      for (auto const& [alias, meant] : program.aliases) {
        if (meant == command.name) heading += ", " + alias;
      }
      auto const text = section(*page, heading);
      ASSERT_NE(text, "") << program.name << " " << command.name;
      for (auto const& option : command.options) {
        EXPECT_THAT(text, HasSubstr("**--" + option.name + "**")) << heading;
      }
    }
  }
}

}  // namespace
}  // namespace flotte::cli
