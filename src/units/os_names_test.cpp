#include "units/os_names.h"

#include <gmock/gmock.h>

namespace flotte::units {
namespace {

std::string error_of_image(boost::json::object const& params) {
  auto const checked = check_os_image(params);
  return checked ? "" : checked.error().message;
}

TEST(OsNames, an_image_is_not_taken_for_one_of_the_scripts_parameters) {
  EXPECT_EQ(error_of_image({{"size", "3"}}), "");
  EXPECT_EQ(error_of_image({{"os-image", nullptr}}), "");
  EXPECT_EQ(error_of_image({{"os-image", "bookworm.img"}}),
            "OS image must be an absolute path or a URL, not 'bookworm.img'");
  for (auto const* image : {"/srv/bookworm.img", "http://example.com/bookworm.img"}) {
    EXPECT_THAT(error_of_image({{"os-image", image}}), ::testing::HasSubstr("is not built yet"));
  }
}

}  // namespace
}  // namespace flotte::units
