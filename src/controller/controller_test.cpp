#include "controller/controller.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/clock.h"
#include "base/random.h"

namespace flotte::controller {
namespace {

TEST(ControllerFiles, are_open_to_its_group_at_most) {
  Paths const paths(
      (std::filesystem::temp_directory_path() / fmt::format("flotte-controller-{}", ::getpid()))
          .string());
  std::filesystem::create_directories(paths.controller_sockets());
  SystemClock clock;
  SystemRandom random;
  auto const mask = ::umask(0);
  auto controller = Controller::create(paths, clock, random);
  ::umask(mask);
  ASSERT_TRUE(controller) << controller.error().message;
  auto const mode_of = [](std::string const& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  };
  EXPECT_EQ(mode_of(paths.controller_socket()), 0660U);
  EXPECT_EQ(mode_of(paths.store()), 0600U);
  EXPECT_EQ(mode_of(paths.controller() + "/crashes"), 0600U);
  controller->reset();
  std::filesystem::remove_all(paths.root());
}

}  // namespace
}  // namespace flotte::controller
