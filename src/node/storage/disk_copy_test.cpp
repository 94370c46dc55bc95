#include "node/storage/disk_copy.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace flotte::node {
namespace {

constexpr std::int64_t mib = 1024 * 1024;

class DiskCopyTest : public ::testing::Test {
 protected:
  DiskCopyTest() {
    char pattern[] = "/tmp/flotte-copy-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    copy_ = {directory_ + "/from", directory_ + "/to"};
  }
  ~DiskCopyTest() override { std::filesystem::remove_all(directory_); }

  static void make(std::string const& path, std::int64_t bytes) {
    std::ofstream(path) << "";
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(bytes));
  }
  static void put(std::string const& path, std::int64_t at, std::string_view content) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  static std::int64_t bytes_on_disk(std::string const& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_blocks * 512 : -1;
  }

  static std::string contents_of(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  DiskCopy copy_;
  std::vector<std::string> said_;
  rpc::Progress const listens_ = [this](std::string_view line) {
    said_.emplace_back(line);
    return true;
  };
};

TEST_F(DiskCopyTest, data_arrive_where_they_were_and_holes_stay) {
  make(copy_.from, 20 * mib + 4096);
  make(copy_.to, 24 * mib);
  put(copy_.from, 0, "boot");
  put(copy_.from, 13 * mib - 2, "over the edge");
  put(copy_.from, 20 * mib + 4090, "the end");
  std::filesystem::resize_file(copy_.from, 20 * mib + 4096);
  auto const done = copy_disk(copy_, listens_);
  ASSERT_TRUE(done) << done.error().message;
  auto wanted = contents_of(copy_.from);
  wanted.resize(24 * mib);
  EXPECT_TRUE(contents_of(copy_.to) == wanted);
  EXPECT_LT(bytes_on_disk(copy_.to), 8 * mib);
  EXPECT_THAT(said_.back(), ::testing::HasSubstr("\"fraction\":1E0"));
  ASSERT_TRUE(copy_disk(copy_, listens_));
  EXPECT_TRUE(contents_of(copy_.to) == wanted);
}

// As a file that somebody copied here without its holes.
TEST_F(DiskCopyTest, written_zeros_become_holes) {
  make(copy_.from, 16 * mib);
  put(copy_.from, 0, std::string(16 * mib, '\0'));
  make(copy_.to, 16 * mib);
  ASSERT_TRUE(copy_disk(copy_, {}));
  EXPECT_EQ(bytes_on_disk(copy_.to), 0);
}

TEST_F(DiskCopyTest, a_smaller_target_and_a_missing_one_are_refused) {
  make(copy_.from, 2 * mib);
  make(copy_.to, 2 * mib - 1);
  auto const small = copy_disk(copy_, {});
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, ErrorCode::WrongInput);
  EXPECT_EQ(small.error().message,
            fmt::format("{} has 2097152 bytes, {} only 2097151", copy_.from, copy_.to));
  std::filesystem::remove(copy_.to);
  auto const missing = copy_disk(copy_, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            fmt::format("Can't open {}: No such file or directory", copy_.to));
}

// LVM rounds up.
TEST_F(DiskCopyTest, a_source_may_be_larger_than_its_disk) {
  make(copy_.from, 4 * mib);
  put(copy_.from, 2 * mib - 4, "last of it");
  make(copy_.to, 2 * mib);
  PieceChecksum checksum;
  copy_.bytes_max = 2 * mib;
  copy_.checksum = &checksum;
  auto const done = copy_disk(copy_, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(contents_of(copy_.to).ends_with(std::string("\0last", 5)));
  EXPECT_EQ(contents_of(copy_.to).size(), 2U * mib);
  // As of one that is as large as the disk.
  auto of_copy = DiskCopy{copy_.to, copy_.from};
  PieceChecksum again;
  of_copy.checksum = &again;
  ASSERT_TRUE(copy_disk(of_copy, {}));
  EXPECT_EQ(checksum.of(2 * mib), again.of(2 * mib));
}

TEST_F(DiskCopyTest, it_ends_when_nobody_wants_it) {
  make(copy_.from, 70 * mib);
  put(copy_.from, 0, std::string(66 * mib, 'x'));
  make(copy_.to, 70 * mib);
  auto const ended = copy_disk(copy_, [](std::string_view) { return false; });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message,
            fmt::format("The copying of {} was ended after 64 MiB", copy_.from));
}

}  // namespace
}  // namespace flotte::node
