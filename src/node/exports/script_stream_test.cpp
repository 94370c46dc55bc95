#include "node/exports/script_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/daemon/test_daemon.h"
#include "node/exports/disk_stream.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::size_t piece = 1024 * 1024;

class ScriptStreamTest : public ::testing::Test {
 protected:
  ScriptStreamTest() {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    fs::create_directories(os_);
    std::ofstream(os_ + "/ganeti_api_version") << "15\n";
    for (auto const* name : {"create", "import", "export", "rename"}) script(name, "exit 0");
    std::ofstream(os_ + "/variants.list") << "";
    instance_.name = "web1";
    instance_.os = "one";
    instance_.disks.emplace_back();
  }
  void script(std::string const& name, std::string const& text) const {
    std::ofstream(os_ + "/" + name) << "#!/bin/bash\n" << text << "\n";
    fs::permissions(os_ + "/" + name, fs::perms::owner_all);
  }
  Result<std::int64_t> run_export() {
    return run_export_script(definitions_, disk_, take_, watcher_);
  }
  Result<std::int64_t> run_import(std::string const& text) {
    std::size_t given = 0;
    auto const give = [&](std::span<char> room) -> Result<std::size_t> {
      auto const count = text.copy(room.data(), room.size(), given);
      given += count;
      return count;
    };
    return run_import_script(definitions_, disk_, give, static_cast<std::int64_t>(text.size()),
                             watcher_);
  }

  TemporaryRoot root_;
  std::string os_ = Paths(root_.path()).srv() + "/os/one";
  sys::SystemProcesses processes_;
  OsDefinitions definitions_{Paths(root_.path()), processes_};
  rpc::InstanceSpec instance_;
  std::vector<std::string> paths_ = {"/dev/null"};
  StreamedDisk disk_{instance_, 0, paths_};
  std::string came_;
  TakePiece take_ = [this](std::int64_t at, std::string_view content) -> Result<void> {
    EXPECT_EQ(at, static_cast<std::int64_t>(came_.size()));
    came_ += content;
    return {};
  };
  std::vector<std::string> said_;
  StreamWatcher watcher_{.says =
                             [this](std::string_view line) {
                               said_.emplace_back(line);
                               return true;
                             },
                         .is_at = [](std::int64_t, std::int64_t) { return true; }};
};

TEST_F(ScriptStreamTest, all_that_a_script_writes_comes) {
  script("export", "head -c 3000000 /dev/zero | tr '\\0' x");
  auto const done = run_export();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*done, 3000000);
  EXPECT_TRUE(came_ == std::string(3000000, 'x'));
}

// As `exec > >(gzip -c)`: the script has ended before its helper has.
TEST_F(ScriptStreamTest, whom_it_left_behind_may_write_to_the_end) {
  script("export", "exec > >(text=$(cat); sleep 1; echo \"$text\"; sleep 1; echo end)\necho begin");
  auto const done = run_export();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(came_, "begin\nend\n");
}

TEST_F(ScriptStreamTest, who_waits_for_whom_it_left_behind_can_give_up) {
  script("export", "exec > >(cat; sleep 600)\necho begin");
  auto const begun = std::chrono::steady_clock::now();
  watcher_.is_at = [&](std::int64_t, std::int64_t) {
    return std::chrono::steady_clock::now() - begun < 1s;
  };
  EXPECT_FALSE(run_export());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST_F(ScriptStreamTest, who_never_ends_is_not_waited_for_for_ever) {
  auto const output = ScriptOutput::start(take_, 200ms);
  ASSERT_TRUE(output);
  sys::Fd const held(::fcntl((*output)->script_end(), F_DUPFD_CLOEXEC, 3));
  EXPECT_TRUE((*output)->goes_on());
  ASSERT_EQ(::write(held.get(), "some", 4), 4);
  while ((*output)->goes_on()) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE((*output)->is_at_end());
  auto const done = (*output)->finish();
  ASSERT_TRUE(done);
  EXPECT_EQ(came_, "some");
}

TEST_F(ScriptStreamTest, who_can_not_take_more_is_the_reason) {
  script("export", "yes");
  take_ = [](std::int64_t, std::string_view) -> Result<void> {
    return fail(ErrorCode::InsufficientResources, "There is no room");
  };
  auto const done = run_export();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "There is no room");
  EXPECT_EQ(done.error().code, ErrorCode::InsufficientResources);
}

TEST_F(ScriptStreamTest, a_script_that_fails_is_the_reason) {
  script("export", "echo some; echo no such disk >&2; exit 3");
  auto const done = run_export();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("no such disk"));
}

TEST_F(ScriptStreamTest, a_script_gets_all_of_it) {
  script("import", fmt::format("cat > {}/got", root_.path()));
  std::string const text(3 * piece + 5, 'y');
  auto const done = run_import(text);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*done, static_cast<std::int64_t>(text.size()));
  EXPECT_TRUE(contents_of(root_.path() + "/got") == text);
}

TEST_F(ScriptStreamTest, what_a_script_did_not_read_is_said) {
  script("import", "head -c 5 > /dev/null");
  auto const done = run_import(std::string(3 * piece, 'y'));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*done, static_cast<std::int64_t>(3 * piece));
  ASSERT_FALSE(said_.empty());
  EXPECT_THAT(said_.back(), HasSubstr("WARNING: The import script did not read the last"));
}

TEST_F(ScriptStreamTest, one_that_reads_nothing_has_failed) {
  script("import", "exit 0");
  for (auto const size : {std::size_t{5}, 3 * piece}) {
    auto const done = run_import(std::string(size, 'y'));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message,
              fmt::format("The import script read nothing of the {} bytes that disk 0 had", size));
  }
  EXPECT_TRUE(run_import(""));
}

// Of a large dump that takes long.
TEST_F(ScriptStreamTest, the_rest_is_not_read_for_whom_nobody_waits) {
  auto const input = ScriptInput::start([](std::span<char> room) -> Result<std::size_t> {
    std::this_thread::sleep_for(1ms);
    return room.size();
  });
  ASSERT_TRUE(input);
  int asked = 0;
  EXPECT_FALSE((*input)->finish([&] { return ++asked < 3; }));
  EXPECT_EQ(asked, 3);
}

TEST_F(ScriptStreamTest, what_is_thrown_is_an_error) {
  script("export", "yes");
  take_ = [](std::int64_t, std::string_view) -> Result<void> { throw std::bad_alloc(); };
  auto const done = run_export();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::InternalError);
}

TEST_F(ScriptStreamTest, who_says_more_than_a_size_does_not_wait) {
  script("export", "yes 77 | head -c 1000000 >&$EXP_SIZE_FD; echo end");
  std::int64_t total = 0;
  watcher_.is_at = [&](std::int64_t, std::int64_t of) {
    total = of;
    return true;
  };
  auto const done = run_export();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(came_, "end\n");
  EXPECT_EQ(total, 77);
}

}  // namespace
}  // namespace flotte::node
