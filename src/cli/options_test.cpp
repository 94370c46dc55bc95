#include "cli/options.h"

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "cli/print.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

using ::testing::ElementsAre;

std::vector<Option> const known{{'f', "force", false},
                                {'o', "output", true},
                                {0, "no-headers", false},
                                {0, "no-start", false},
                                {0, "rare", false, "", false}};

std::string error_of(std::vector<std::string> const& argv) {
  auto const parsed = parse_options(known, argv);
  return parsed ? "parsed" : parsed.error().message;
}

TEST(Options, every_spelling) {
  for (auto const& argv : std::vector<std::vector<std::string>>{{"-o", "a,b", "-f", "x"},
                                                                {"-oa,b", "-f", "x"},
                                                                {"-foa,b", "x"},
                                                                {"--output=a,b", "--force", "x"},
                                                                {"--out", "a,b", "--fo", "x"},
                                                                {"-f", "-oa,b", "--", "x"}}) {
    auto const parsed = parse_options(known, argv);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->value("output"), "a,b");
    EXPECT_TRUE(parsed->has("force"));
    EXPECT_THAT(parsed->positional(), ElementsAre("x"));
  }
}

TEST(Options, nothing_is_an_option_after_the_first_argument) {
  auto const parsed = parse_options(known, {"x", "-f", "--nosuch"});
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->positional(), ElementsAre("x", "-f", "--nosuch"));
}

TEST(Options, some_programs_take_them_anywhere) {
  auto const parsed =
      parse_options(known, {"x", "-f", "y", "--output", "a", "--", "-f", "z"}, Order::Mixed);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->has("force"));
  EXPECT_EQ(parsed->value("output"), "a");
  EXPECT_THAT(parsed->positional(), ElementsAre("x", "y", "-f", "z"));
}

TEST(Options, errors_are_those_of_optparse) {
  EXPECT_EQ(error_of({"--frob"}), "no such option: --frob");
  EXPECT_EQ(error_of({"-z"}), "no such option: -z");
  EXPECT_EQ(error_of({"--no"}), "ambiguous option: --no (--no-headers, --no-start?)");
  EXPECT_EQ(error_of({"-o"}), "-o option requires 1 argument");
  EXPECT_EQ(error_of({"--force=yes"}), "--force option does not take a value");
  EXPECT_EQ(error_of({"--rare"}), "--rare is not built yet");
}

TEST(Options, values_are_checked_while_they_are_parsed) {
  auto const error_with = [](std::vector<std::string> const& argv) {
    auto const parsed = parse_options(
        {choice({'t', "type", true, ""}, {"soft", "hard"}), integer({0, "timeout", true, ""}),
         number({0, "delay", true, ""}), size({'s', "os-size", true, ""})},
        argv);
    return parsed ? "parsed" : parsed.error().message;
  };
  EXPECT_EQ(error_with({"-t", "soft", "--timeout=+3", "--delay", "0.5", "-s10G"}), "parsed");
  EXPECT_EQ(error_with({"-t", "foo"}),
            "option -t: invalid choice: 'foo' (choose from 'soft', 'hard')");
  EXPECT_EQ(error_with({"--ty=foo"}),
            "option --type: invalid choice: 'foo' (choose from 'soft', 'hard')");
  EXPECT_EQ(error_with({"--timeout", "1.5"}), "option --timeout: invalid integer value: '1.5'");
  EXPECT_EQ(error_with({"--delay", "x"}), "option --delay: invalid floating-point value: 'x'");
  EXPECT_THAT(error_with({"-s", "pony"}),
              ::testing::StartsWith("option -s: Invalid format; a size "));
  EXPECT_THAT(error_with({"-s", "1x"}), ::testing::StartsWith("option -s: Unknown unit: x; "));
}

TEST(Options, of_several_ways_the_last_one_counts) {
  std::vector<Option> const ways{{0, "all", false}, {0, "node", false}, {0, "tags", false}};
  auto const parsed = parse_options(ways, {"--node", "--all", "--tags", "--node"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->last_of({"all", "node"}), "node");
  EXPECT_EQ(parsed->last_of({"all"}), "all");
  EXPECT_EQ(parsed->last_of({"primary"}), "");
}

TEST(Values, pairs) {
  auto const pairs = parse_pairs("a=1,no_b,c,-d,e=x\\,y,f=", "-B");
  ASSERT_TRUE(pairs) << pairs.error().message;
  EXPECT_EQ(*pairs,
            (json::object{
                {"a", "1"}, {"b", false}, {"c", true}, {"d", nullptr}, {"e", "x,y"}, {"f", ""}}));
  EXPECT_FALSE(parse_pairs("a=1,a=2", "-B"));
  EXPECT_EQ(*parse_pairs("a=b\\:c\\\\d\\e", "-B"), (json::object{{"a", "b:c\\de"}}));
  EXPECT_EQ(*parse_removed_group("-kvm"), "kvm");
  EXPECT_EQ(*parse_removed_group("no_kvm"), "kvm");
  EXPECT_EQ(*parse_removed_group("-1:size=1G"), "");
  EXPECT_EQ(*parse_removed_group("kvm:a=1"), "");
  EXPECT_FALSE(parse_removed_group("-kvm:a=1"));
  auto const named = parse_named_pairs("kvm:kernel_path=", "-H");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->first, "kvm");
  EXPECT_EQ(named->second, (json::object{{"kernel_path", ""}}));
  EXPECT_EQ(split_escaped("a,b\\,c,,\\\\"), (std::vector<std::string>{"a", "b,c", "", "\\"}));
  EXPECT_TRUE(parse_count("12", "--repeat"));
  EXPECT_FALSE(parse_count("-1", "--repeat"));
  EXPECT_FALSE(parse_count("12x", "--repeat"));
}

std::string change_of(std::string_view text) {
  auto const change = parse_device_change(text, "--net");
  return change ? json::serialize(*change) : change.error().message;
}

TEST(Values, device_changes) {
  EXPECT_EQ(change_of("add"), R"(["add",-1,{}])");
  EXPECT_EQ(change_of("add:link=br0,mac=aa:00:00:11:22:33"),
            R"(["add",-1,{"link":"br0","mac":"aa:00:00:11:22:33"}])");
  EXPECT_EQ(change_of("add,mac=aa:00:00:11:22:33"), R"(["add",-1,{"mac":"aa:00:00:11:22:33"}])");
  EXPECT_EQ(change_of("-1:add,link=br0"), R"(["add",-1,{"link":"br0"}])");
  EXPECT_EQ(change_of("0:add,link=br0"), R"(["add",0,{"link":"br0"}])");
  EXPECT_EQ(change_of("0:modify,link=br0"), R"(["modify",0,{"link":"br0"}])");
  EXPECT_EQ(change_of("0:link=br0"), R"(["modify",0,{"link":"br0"}])");
  EXPECT_EQ(change_of("lan:ip=none"), R"(["modify","lan",{"ip":"none"}])");
  EXPECT_EQ(change_of("remove"), R"(["remove",-1,{}])");
  EXPECT_EQ(change_of("1:remove"), R"(["remove",1,{}])");
  EXPECT_EQ(change_of("1:detach"), R"(["detach",1,{}])");
  // Only as a word of its own is it an action.
  EXPECT_EQ(change_of("0:name=add"), R"(["modify",0,{"name":"add"}])");

  for (auto const* text : {"0:add,remove", "add:modify"}) {
    EXPECT_EQ(change_of(text),
              "Cannot do more than one of the following operations at the same time: add, attach, "
              "remove, detach, modify");
  }
  EXPECT_EQ(change_of("1:remove,link=br0"), "Not accepting parameters on removal/detach");
  EXPECT_EQ(change_of("0:link"), "Option --net: 'link' has no value");
  EXPECT_EQ(change_of(""),
            "Option --net names no device and no action: ''; such are add:…, 0:modify,… and "
            "1:remove");
}

TEST(Print, values_look_as_in_python) {
  EXPECT_EQ(python_text(json::object{{"k", json::array{1, "a", nullptr, true}}}),
            "{'k': [1, 'a', None, True]}");
  EXPECT_EQ(python_text("it's"), "it's");
}

json::value a_table() {
  return {{"fields",
           {{{"name", "name"}, {"title", "Instance"}, {"kind", "text"}},
            {{"name", "oper_ram"}, {"title", "Memory"}, {"kind", "unit"}},
            {{"name", "admin"}, {"title", "Up"}, {"kind", "bool"}}}},
          {"data",
           {{{0, "web1"}, {0, 2048}, {0, true}}, {{0, "database1"}, {3, nullptr}, {2, nullptr}}}}};
}

TEST(Print, tables) {
  EXPECT_EQ(render_table(a_table(), {}),
            "Instance  Memory Up\nweb1        2.0G Y\ndatabase1      - ?\n");
  EXPECT_EQ(render_table(a_table(), {.has_headers = false, .separator = ":"}),
            "web1:2048:Y\ndatabase1:-:?\n");
  EXPECT_EQ(render_table(a_table(), {.has_headers = false, .separator = ":", .is_verbose = true}),
            "web1:2048:Y\ndatabase1:(unavail):(nodata)\n");
  EXPECT_EQ(table_json(a_table()),
            (json::array{{{"name", "web1"}, {"oper_ram", 2048}, {"admin", true}},
                         {{"name", "database1"}, {"oper_ram", nullptr}, {"admin", nullptr}}}));
}

TEST(Print, info_pages) {
  EXPECT_EQ(render_info(json::array{json::object{
                {"Name", "web1"}, {"Disks", json::array{json::object{{"size", "1.0G"}}}}}}),
            "- Name: web1\n  Disks: \n    - size: 1.0G\n");
}

}  // namespace
}  // namespace flotte::cli
