#include "model/vlans.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string parsed(std::string_view text) {
  auto const vlans = parse_vlans(text);
  if (!vlans) return "refused";
  return fmt::format("{}|{}", vlans->untagged.value_or(0), fmt::join(vlans->tagged, ","));
}

TEST(Vlans, untagged_tagged_or_both) {
  EXPECT_EQ(parsed(""), "0|");
  EXPECT_EQ(parsed(".5"), "5|");
  EXPECT_EQ(parsed("5"), "5|");
  EXPECT_EQ(parsed(":5"), "0|5");
  EXPECT_EQ(parsed(":5:4094"), "0|5,4094");
  EXPECT_EQ(parsed(".1:5:6"), "1|5,6");
}

TEST(Vlans, are_stored_as_ganeti_stores_them) {
  for (auto const* text : {"", ".5", ":5:6", ".1:5:6"}) {
    EXPECT_EQ(parse_vlans(text)->text(), text);
  }
  EXPECT_EQ(parse_vlans("5")->text(), ".5");
}

TEST(Vlans, a_mistake_is_named_in_ganetis_words) {
  for (auto const* text :
       {"x",    ".",    ":",    "..5",  ".5:",   ":5:", "::5",
        ":5.6", ".5.6", "5:6",  ".0",   ".4095", "-5",  "+5",
        " 5",   "5 ",   ":5:5", ".5:5", "5,6",   "0x5", "99999999999999999999"}) {
    EXPECT_EQ(parsed(text), "refused") << text;
  }
  EXPECT_EQ(parse_vlans(".pinky").error().message,
            "Specified VLAN parameter is invalid : .pinky; VLANs are numbers from 1 to 4094, each "
            "of them once: .N (untagged), :N:M (tagged) or .N:M (both)");
}

}  // namespace
}  // namespace flotte::model
