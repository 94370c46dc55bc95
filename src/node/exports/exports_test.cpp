#include "node/exports/exports.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "node/daemon/test_daemon.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ExportsTest : public ::testing::Test {
 protected:
  static rpc::Dump dump_of(std::string_view content) {
    return {.file = "disk", .size = {static_cast<std::int64_t>(content.size())}, .checksum = "x"};
  }
  Result<void> finish(std::string const& instance, std::string_view content) const {
    auto const config = fmt::format("[instance]\nname = {}\nis = {}\n", instance, content);
    return exports_.finish({instance, config, {dump_of(content)}});
  }
  void begin(std::string const& instance, std::string_view content) const {
    auto const path = exports_.new_dump(instance, "disk");
    ASSERT_TRUE(path) << path.error().message;
    std::ofstream(*path) << content;
  }
  void make(std::string const& instance, std::string_view content) const {
    begin(instance, content);
    auto const done = finish(instance, content);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::string dump_in(std::string const& name) const {
    return contents_of(directory_ + "/" + name + "/disk");
  }
  std::vector<std::string> names() const {
    return exports_.list().value_or(rpc::ExportNames()).names;
  }
  std::vector<std::string> all_names() const {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  TemporaryRoot root_;
  Exports exports_{Paths(root_.path())};
  std::string directory_ = Paths(root_.path()).exports();
};

TEST_F(ExportsTest, one_that_is_being_made_is_under_no_name_that_an_instance_can_have) {
  make("a.new", "of a.new");
  begin("a", "of a");
  begin("a.new", "more of a.new");
  EXPECT_THAT(names(), ElementsAre("a.new"));
  ASSERT_TRUE(exports_.discard("a"));
  EXPECT_EQ(dump_in("a.new"), "of a.new");
  auto const done = finish("a.new", "more of a.new");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(dump_in("a.new"), "more of a.new");
  ASSERT_TRUE(exports_.discard("a.new"));
  EXPECT_THAT(all_names(), ElementsAre("a.new"));
}

TEST_F(ExportsTest, what_is_half_made_can_not_be_asked_for) {
  begin("a", "of a");
  for (auto const* name : {".a.new", "..", ".", "", "a/b"}) {
    EXPECT_FALSE(exports_.remove(name)) << name;
    EXPECT_FALSE(exports_.info(name)) << name;
  }
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_EQ(dump_in(".a.new"), "of a");
  ASSERT_TRUE(exports_.remove("a"));
  EXPECT_EQ(dump_in(".a.new"), "of a");
}

TEST_F(ExportsTest, a_file_is_no_export) {
  fs::create_directories(directory_ + "/empty.new");
  std::ofstream(directory_ + "/zzz.new") << "a file";
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_FALSE(exports_.remove("zzz.new"));
  EXPECT_FALSE(exports_.remove("empty.new"));
  EXPECT_THAT(all_names(), ElementsAre("empty.new", "zzz.new"));
}

TEST_F(ExportsTest, asked_twice_it_is_finished_once) {
  make("a", "first");
  make("a", "second");
  auto const again = finish("a", "second");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(dump_in("a"), "second");
  EXPECT_THAT(all_names(), ElementsAre("a"));
}

TEST_F(ExportsTest, a_link_is_not_followed) {
  make("a", "first");
  fs::create_directories(root_.path() + "/elsewhere");
  std::ofstream(root_.path() + "/elsewhere/disk") << "precious";
  fs::create_directory_symlink(root_.path() + "/elsewhere", directory_ + "/.a.new");
  EXPECT_FALSE(exports_.new_dump("a", "disk"));
  EXPECT_FALSE(finish("a", "precious"));
  EXPECT_FALSE(finish("a", "first"));
  EXPECT_TRUE(exports_.discard("a"));
  EXPECT_EQ(contents_of(root_.path() + "/elsewhere/disk"), "precious");
}

}  // namespace
}  // namespace flotte::node
