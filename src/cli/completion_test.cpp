#include "cli/completion.h"

#include <gmock/gmock.h>

namespace flotte::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Outcome<int> nothing(Call&) {
  return 0;
}

// What the script does with these is tested in tests/style/test_completion.py.
TEST(Completion, tables) {
  Program const pumps{"gnt-pump",
                      {{"drain",
                        "[-f] {--all | <instance-name>...} {slow|fast} <depth>",
                        0,
                        9,
                        {{'t', "disk-template", true, ""},
                         {0, "depth", true, ""},
                         {'f', "force", false, ""},
                         {0, "later", false, "", false}},
                        "",
                        nothing},
                       {"change", "--priority <priority> <job-id>...", 0, 9, {}, "", nothing},
                       {"sell", "", 0, 0, {}, ""}},
                      {{"empty", "drain"}, {"vend", "sell"}}};
  auto const script = bash_completion({pumps});
  EXPECT_THAT(script, HasSubstr("['gnt-pump']='drain change empty'\n"));
  EXPECT_THAT(script, HasSubstr("['gnt-pump empty']='drain'\n"));
  EXPECT_THAT(script,
              HasSubstr("['gnt-pump drain']='-t,--disk-template=diskless|file|plain|"
                        "sharedfile --depth=? -f,--force -h,--help -d,--debug --reason=?'\n"));
  EXPECT_THAT(script, HasSubstr("['gnt-pump drain']='@instance... slow|fast ?'\n"));
  EXPECT_THAT(script, HasSubstr("['gnt-pump change']='@job...'\n"));
  EXPECT_THAT(script, HasSubstr("complete -F _flotte gnt-pump\n"));
  EXPECT_THAT(script, Not(HasSubstr("sell")));
}

TEST(Completion, a_program_without_commands) {
  Program const pump{"pump",
                     {{"", "<place> <instance...>", 1, 9, {{'f', "fast", false, ""}}, "", nothing}},
                     {},
                     true};
  auto const script = bash_completion({pump});
  EXPECT_THAT(script, HasSubstr("['pump']=''\n"));
  EXPECT_THAT(script, HasSubstr("['pump ']='-f,--fast -h,--help -d,--debug --reason=?'\n"));
  EXPECT_THAT(script, HasSubstr("['pump ']='? @instance...'\n"));
}

TEST(Completion, has_every_built_option_of_ours) {
  auto const script = bash_completion(programs());
  for (auto const& program : programs()) {
    for (auto const& command : program.commands) {
      if (!command.function) continue;
      for (auto const& option : command.options) {
        if (!option.is_built) continue;
        EXPECT_THAT(script, HasSubstr("--" + option.name));
      }
    }
  }
}

}  // namespace
}  // namespace flotte::cli
