#include "cli/info.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace flotte::cli {
namespace {

TEST(Info, tables_are_sorted_by_name_also_those_inside) {
  json::object const given{{"vcpus", 1},
                           {"debootstrap", {{"kvm", {{"boot_order", "disk"}, {"acpi", true}}}}}};
  EXPECT_EQ(json::serialize(sorted(given)),
            R"({"debootstrap":{"kvm":{"acpi":true,"boot_order":"disk"}},"vcpus":1})");
}

}  // namespace
}  // namespace flotte::cli
