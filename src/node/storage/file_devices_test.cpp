// What lies where a disk that is a file should be. The rest is in contract_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "node/storage/block_device.h"
#include "node/storage/disk_copy.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NoFile : public ::testing::TestWithParam<std::string> {
 protected:
  NoFile() {
    fs::create_directories(fs::path(paths_.file_storage_paths_file()).parent_path());
    std::ofstream(paths_.file_storage_paths_file()) << directory_ << "\n";
    disk_.disk.dev_type = model::DiskTemplate::File;
    disk_.disk.logical_id = {"loop", path_};
    disk_.disk.size = {4};
  }
  ~NoFile() override { fs::remove_all(paths_.root()); }

  // Not below $TMPDIR: it may be too long for sockets.
  static std::string new_directory() {
    std::string pattern = "/tmp/flotte-file-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  static void put(std::string const& kind, std::string const& path) {
    if (kind == "fifo") {
      ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    } else if (kind == "directory") {
      fs::create_directory(path);
    } else if (kind == "device") {
      fs::create_symlink("/dev/zero", path);
    } else {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path, path.data(), path.size());
      int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      // sockaddr is what the kernel's interface asks for.
      ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      ::close(fd);
    }
  }
  // The disk is there, with all that is written down of it, and something else is put in its place.
  void replace(bool wipes = false) {
    ASSERT_TRUE(wipes ? devices_->create_unwiped({"web1", disk_})
                      : devices_->create({"web1", disk_}));
    fs::remove(path_);
    put(GetParam(), path_);
  }
  template <class T>
  static void expect_refused(Result<T> const& done) {
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("is no regular file"));
  }

  Paths paths_{new_directory()};
  std::string directory_ = paths_.srv() + "/file-storage";
  std::string path_ = directory_ + "/web1/x.file.disk0";
  rpc::DiskSpec disk_;
  std::unique_ptr<BlockDevices> devices_ = make_file_devices(paths_);
};

TEST_P(NoFile, in_place_of_a_disk_is_refused_by_name_and_nobody_waits) {
  replace();
  expect_refused(devices_->create({"web1", disk_}));
  expect_refused(devices_->assemble("web1", disk_, 1));
  expect_refused(devices_->check_wiped("web1", disk_));
  expect_refused(devices_->grow({"web1", disk_, {8}}));
  expect_refused(devices_->find("web1", disk_));
}

TEST_P(NoFile, in_place_of_a_disk_is_not_wiped) {
  replace(true);
  expect_refused(devices_->wipe({"web1", disk_}, {}));
}

TEST_P(NoFile, is_neither_copied_nor_written) {
  ASSERT_TRUE(devices_->create({"web1", disk_}));
  auto const other = directory_ + "/other";
  put(GetParam(), other);
  EXPECT_FALSE(copy_disk({.from = other, .to = path_}, {}));
  EXPECT_FALSE(copy_disk({.from = path_, .to = other}, {}));
}

TEST_P(NoFile, in_place_of_what_is_written_down_of_a_disk_makes_it_nobodys) {
  ASSERT_TRUE(devices_->create({"web1", disk_}));
  fs::remove(path_ + ".flotte");
  put(GetParam(), path_ + ".flotte");
  auto const assembled = devices_->assemble("web1", disk_, 1);
  ASSERT_FALSE(assembled);
  EXPECT_THAT(assembled.error().message, HasSubstr("belongs to ''"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, NoFile, ::testing::Values("fifo", "socket", "device", "directory"),
                         [](auto const& kind) { return kind.param; });

}  // namespace
}  // namespace flotte::node
