#include "node/exports/exports.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "node/daemon/test_daemon.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// On a thread of its own, for which one call of the kernel fails; `flags`: its fifth argument.
template <class Function>
auto where_call_fails(unsigned call, std::optional<unsigned> flags, int with, Function function) {
  decltype(function()) answer;
  std::thread([&] {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4])),
        flags ? sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *flags, 0, 1)
              : sock_filter BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(with)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog const program{static_cast<unsigned short>(std::size(code)), code};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    answer = function();
  }).join();
  return answer;
}

template <class Function>
auto where_exchange_fails(int with, Function function) {
  return where_call_fails(SYS_renameat2, RENAME_EXCHANGE, with, function);
}

class ExportsTest : public ::testing::Test {
 protected:
  static rpc::Dump dump_of(std::string_view content) {
    return {.file = "disk", .size = {static_cast<std::int64_t>(content.size())}, .checksum = "x"};
  }
  Result<void> finish(std::string const& instance, std::string_view content) const {
    auto const config = fmt::format("[instance]\nname = {}\nis = {}\n", instance, content);
    return exports_.finish({instance, config, {dump_of(content)}},
                           [this](std::string_view text) { warnings_.emplace_back(text); });
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
  mutable std::vector<std::string> warnings_;
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

TEST_F(ExportsTest, checksums_that_can_not_be_read_are_not_as_good_as_none) {
  make("a", "first");
  std::ofstream(directory_ + "/a/flotte.json") << "{\"dumps\": [{";
  auto const broken = exports_.info("a");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("/a/flotte.json can't be read"));
  fs::remove(directory_ + "/a/flotte.json");
  auto const without = exports_.info("a");
  ASSERT_TRUE(without) << without.error().message;
  ASSERT_EQ(without->dumps.size(), 1U);
  EXPECT_EQ(without->dumps[0].checksum, "");
}

TEST_F(ExportsTest, asked_twice_it_is_finished_once) {
  make("a", "first");
  make("a", "second");
  auto const again = finish("a", "second");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(dump_in("a"), "second");
  EXPECT_THAT(all_names(), ElementsAre("a"));
}

TEST_F(ExportsTest, where_names_can_not_be_exchanged_the_one_of_before_waits_beside) {
  for (int const reason : {EINVAL, ENOSYS}) {
    make("a", "first");
    begin("a", "second");
    auto const done = where_exchange_fails(reason, [&] { return finish("a", "second"); });
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(dump_in("a"), "second");
    EXPECT_THAT(all_names(), ElementsAre("a"));
  }
}

TEST_F(ExportsTest, for_another_reason_neither_is_lost) {
  make("a", "first");
  begin("a", "second");
  auto const done = where_exchange_fails(EBUSY, [&] { return finish("a", "second"); });
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("Device or resource busy"));
  EXPECT_EQ(dump_in("a"), "first");
  EXPECT_EQ(dump_in(".a.new"), "second");
}

// Killed between the two moves, and given up.
TEST_F(ExportsTest, the_one_of_before_that_waits_beside_is_the_export_again) {
  make("a", "first");
  begin("a", "second");
  fs::rename(directory_ + "/a", directory_ + "/.a.old");
  EXPECT_THAT(names(), IsEmpty());
  ASSERT_TRUE(exports_.discard("a"));
  EXPECT_EQ(dump_in("a"), "first");
  EXPECT_THAT(all_names(), ElementsAre("a"));
  begin("a", "second");
  fs::rename(directory_ + "/a", directory_ + "/.a.old");
  ASSERT_TRUE(finish("a", "second"));
  EXPECT_EQ(dump_in("a"), "second");
  EXPECT_THAT(all_names(), ElementsAre("a"));
}

TEST_F(ExportsTest, what_lies_in_an_old_one_goes_with_it) {
  make("a", "first");
  fs::create_directories(directory_ + "/a/notes/more");
  std::ofstream(directory_ + "/a/notes/more/text") << "text";
  make("a", "second");
  EXPECT_THAT(warnings_, IsEmpty());
  fs::create_directories(directory_ + "/a/notes");
  ASSERT_TRUE(exports_.remove("a"));
  EXPECT_THAT(all_names(), IsEmpty());
}

// As where something is mounted in it.
TEST_F(ExportsTest, an_old_one_that_can_not_go_is_no_failure) {
  make("a", "first");
  for (auto const* content : {"second", "third"}) {
    begin("a", content);
    auto const done =
        where_call_fails(SYS_rmdir, std::nullopt, EBUSY, [&] { return finish("a", content); });
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(warnings_.back(), HasSubstr("/.a.gone"));
    EXPECT_EQ(dump_in("a"), content);
  }
  EXPECT_THAT(all_names(), ElementsAre(".a.gone", "a"));
  make("a", "fourth");
  EXPECT_THAT(all_names(), ElementsAre("a"));
}

TEST_F(ExportsTest, what_is_in_the_way_of_one_is_found_before) {
  fs::create_directories(fs::path(directory_).parent_path());
  EXPECT_TRUE(exports_.check("a"));
  EXPECT_TRUE(exports_.check_room({}));
  make("a", "first");
  EXPECT_TRUE(exports_.check("a"));
  auto const why = [&] {
    auto const checked = exports_.check("b");
    return checked ? std::string() : checked.error().message;
  };
  std::ofstream(directory_ + "/b") << "a file";
  EXPECT_THAT(why(), HasSubstr("/b is no directory"));
  fs::remove(directory_ + "/b");
  fs::create_directory_symlink(directory_ + "/a", directory_ + "/b");
  EXPECT_THAT(why(), HasSubstr("/b is a link"));
  fs::rename(directory_ + "/b", directory_ + "/.b.new");
  EXPECT_THAT(why(), HasSubstr("/.b.new is a link"));
  fs::remove(directory_ + "/.b.new");
  EXPECT_EQ(why(), "");
  EXPECT_FALSE(exports_.check("../b"));
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
