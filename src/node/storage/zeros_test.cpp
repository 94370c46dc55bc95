#include "node/storage/zeros.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "node/storage/disk_copy.h"
#include "sys/deeds.h"

namespace {
std::atomic<int> writes_since_sync = 0;
}  // namespace

// In front of the C library's.
extern "C" int fsync(int fd) {
  writes_since_sync = 0;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace flotte::node {
namespace {

namespace fs = std::filesystem;

class Synced : public ::testing::Test {
 protected:
  Synced() {
    std::ofstream(disk_) << std::string(bytes, 'x');
    writes_since_sync = 0;
    sys::moment_hook = [](std::string_view deed, std::string_view) {
      if (deed == "pwrite") ++writes_since_sync;
    };
  }
  ~Synced() override {
    sys::moment_hook = nullptr;
    fs::remove(disk_);
    fs::remove(copy_);
  }
  static std::string content(std::string const& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static constexpr std::size_t bytes = (3 << 20) + 512;
  std::string const disk_ =
      (fs::temp_directory_path() / fmt::format("flotte-zeros-{}", ::getpid())).string();
  std::string const copy_ = disk_ + ".copy";
};

TEST_F(Synced, what_is_wiped_is_zeros_from_there_on_and_on_the_disk) {
  constexpr std::size_t from = 1000;
  ASSERT_TRUE(fill_with_zeros(disk_, Bytes{from}, {}));
  EXPECT_TRUE(content(disk_) == std::string(from, 'x') + std::string(bytes - from, '\0'));
  EXPECT_EQ(writes_since_sync, 0);
}

TEST_F(Synced, what_is_copied_is_the_same_and_on_the_disk) {
  std::ofstream(copy_).close();
  fs::resize_file(copy_, bytes + 4096);
  DiskCopy copy;
  copy.from = disk_;
  copy.to = copy_;
  ASSERT_TRUE(copy_disk(copy, {}));
  EXPECT_TRUE(content(copy_) == std::string(bytes, 'x') + std::string(4096, '\0'));
  EXPECT_EQ(writes_since_sync, 0);
}

}  // namespace
}  // namespace flotte::node
