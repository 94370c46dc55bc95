#include "cli/print.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace flotte::cli {
namespace {

TEST(Print, stamps_are_local_times_with_six_digits_of_a_second) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(stamp_text(json::array{1'800'000'000, 42}), "2027-01-15 08:00:00.000042");
  EXPECT_EQ(stamp_text(json::array{1'800'000'000, 999'999}), "2027-01-15 08:00:00.999999");
  EXPECT_EQ(stamp_text(nullptr), "N/A");
}

TEST(Print, values_are_shown_as_python_would) {
  EXPECT_EQ(python_text(nullptr), "None");
  EXPECT_EQ(python_text(true), "True");
  EXPECT_EQ(python_text(5.0), "5.0");
  EXPECT_EQ(python_text(0.25), "0.25");
  EXPECT_EQ(python_text(json::array{"a", 1}), "['a', 1]");
  EXPECT_EQ(python_text(json::object{{"k", json::array{}}}), "{'k': []}");
}

// One column of text, one of a size, and what is said where a cell has no value.
TEST(Print, columns_are_as_wide_as_they_are_seen) {
  json::object const answer{
      {"fields", json::array{json::object{{"name", "name"}, {"title", "Name"}, {"kind", "text"}},
                             json::object{{"name", "m"}, {"title", "Mem"}, {"kind", "unit"}}}},
      {"data", json::array{json::array{json::array{0, "wéb"}, json::array{0, 2048}},
                           json::array{json::array{0, "database"}, json::array{2, nullptr}},
                           json::array{json::array{1, nullptr}, json::array{4, nullptr}}}}};
  EXPECT_EQ(render_table(answer, {}),
            "Name      Mem\n"
            "wéb      2.0G\n"
            "database    ?\n"
            "??          *\n");
  EXPECT_EQ(render_table(answer, {.has_headers = false, .separator = "|", .is_verbose = true}),
            "wéb|2048\n"
            "database|(nodata)\n"
            "(unknown)|(offline)\n");
}

TEST(Print, lists_of_networks_are_told_as_ganeti_tells_them) {
  json::array fields;
  for (auto const* name : {"group_list", "inst_list", "tags"}) {
    fields.push_back(json::object{{"name", name}, {"title", name}, {"kind", "other"}});
  }
  json::array const groups{json::array{"default", "bridged", "br0", ""},
                           json::array{"rack1", "routed", "42", ".7"}};
  json::array const row{json::array{0, groups}, json::array{0, json::array{"web1", "web2"}},
                        json::array{0, json::array()}};
  EXPECT_EQ(render_table(json::object{{"fields", fields}, {"data", json::array{row}}},
                         {.has_headers = false, .separator = "|"}),
            "default (bridged, br0, ), rack1 (routed, 42, .7)|web1,web2|\n");
}

}  // namespace
}  // namespace flotte::cli
