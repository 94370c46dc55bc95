// Where disks that are files may lie. The rest is in the contract of node calls.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/storage/block_device.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;

class FileDisks : public ::testing::Test {
 protected:
  FileDisks() {
    fs::create_directories(Paths(root_).etc());
    std::ofstream(Paths(root_).file_storage_paths_file()) << "# comment\n"
                                                          << allowed_.string() << "/\nrelative\n";
  }
  ~FileDisks() override { fs::remove_all(root_); }

  Result<void> create(std::string const& path) {
    rpc::DiskSpec spec;
    spec.disk.dev_type = model::DiskTemplate::File;
    spec.disk.logical_id = {"loop", path};
    spec.disk.size = {4};
    return make_file_devices(Paths(root_))->create({"web1", spec});
  }

  fs::path const root_ = fs::temp_directory_path() / fmt::format("flotte-disks-{}", ::getpid());
  fs::path const allowed_ = root_ / "srv/disks";
};

TEST_F(FileDisks, lie_below_a_directory_that_is_listed) {
  auto const disk = allowed_ / "web1/disk0";
  auto const created = create(disk);
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(fs::file_size(disk), 4U << 20);
  EXPECT_EQ(fs::status(disk).permissions(), fs::perms(0600));
}

TEST_F(FileDisks, lie_nowhere_else) {
  for (auto const& path :
       {allowed_.string(), (root_ / "srv/other/web1/disk0").string(), allowed_.string() + "2/disk0",
        (allowed_ / "../other/disk0").string(), (allowed_ / "web1/..").string(),
        (allowed_ / "web1/../../other/disk0").string(), std::string("relative/disk0"),
        std::string()}) {
    EXPECT_FALSE(create(path)) << path;
  }
  EXPECT_FALSE(fs::exists(root_ / "srv"));
  fs::remove(Paths(root_).file_storage_paths_file());
  EXPECT_FALSE(create(allowed_ / "web1/disk0")) << "nothing is listed";
}

}  // namespace
}  // namespace flotte::node
