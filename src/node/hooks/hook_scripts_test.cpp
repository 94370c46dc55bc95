#include "node/hooks/hook_scripts.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sys/files.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using rpc::HookOutcome;
using ::testing::HasSubstr;

class Hooks : public ::testing::Test {
 protected:
  Hooks() { fs::create_directories(Paths(root_).hooks() + "/instance-add-pre.d"); }
  ~Hooks() override { fs::remove_all(root_); }
  Hooks(Hooks const&) = delete;
  Hooks& operator=(Hooks const&) = delete;

  void write(std::string const& name, std::string const& lines, int mode = 0755) const {
    std::ofstream(path(name)) << "#!/bin/sh\n" << lines;
    fs::permissions(path(name), fs::perms(mode));
  }
  std::string path(std::string const& name) const {
    return Paths(root_).hooks() + "/instance-add-pre.d/" + name;
  }

  rpc::HookResults run(rpc::HooksRun call = {}) {
    call.directory = "instance-add-pre.d";
    auto const done = scripts_.run(call, {});
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(rpc::HookResults());
  }
  rpc::HookResult only(rpc::HooksRun const& call = {}) {
    auto const done = run(call);
    EXPECT_EQ(done.results.size(), 1U);
    return done.results.empty() ? rpc::HookResult() : done.results[0];
  }

  static std::string fresh_directory() {
    std::string pattern = ::testing::TempDir() + "hooks-XXXXXX";
    return ::mkdtemp(pattern.data());
  }

  std::string const root_ = fresh_directory();
  SystemClock clock_;
  sys::SystemProcesses processes_;
  std::chrono::seconds limit_ = 60s;
  HookScripts scripts_{Paths(root_), clock_, processes_,
                       [this]() -> Result<std::chrono::seconds> { return limit_; }};
};

TEST_F(Hooks, are_told_exactly_what_is_said_and_get_no_input) {
  write("10-env", "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort; cat; readlink /proc/$$/cwd");
  auto const result = only(
      {.environment = {{"GANETI_INSTANCE_NAME", "web1"}, {"GANETI_NODE_TAGS_n1.example", "a b"}}});
  EXPECT_EQ(result.outcome, HookOutcome::Succeeded);
  EXPECT_EQ(result.output, fmt::format("FLOTTE_ROOT={0}\n"
                                       "GANETI_DATA_DIR={0}/var/lib/ganeti\n"
                                       "GANETI_INSTANCE_NAME=web1\n"
                                       "PATH=/sbin:/bin:/usr/sbin:/usr/bin\n"
                                       "/",
                                       root_));
}

TEST_F(Hooks, of_which_the_names_do_not_match_are_skipped) {
  write("20_fine-2", "");
  write("10.sh", "exit 1");
  write("30~", "exit 1");
  write(".hidden", "exit 1");
  write("40-text", "exit 1", 0644);
  fs::create_directories(path("50-directory"));
  std::vector<std::string> said;
  for (auto const& result : run().results) {
    said.push_back(fmt::format("{} {}", result.script, schema::name_of(result.outcome)));
  }
  EXPECT_THAT(said, ::testing::ElementsAre("instance-add-pre.d/10.sh skipped",
                                           "instance-add-pre.d/20_fine-2 succeeded",
                                           "instance-add-pre.d/30~ skipped",
                                           "instance-add-pre.d/40-text skipped",
                                           "instance-add-pre.d/50-directory skipped"));
}

TEST_F(Hooks, what_they_say_on_both_streams_is_kept_up_to_a_limit) {
  write("10-talk", "echo; echo one; echo two >&2; printf 'caf\\351\\n'; exit 3");
  auto const result = only();
  EXPECT_EQ(result.outcome, HookOutcome::Failed);
  EXPECT_EQ(result.output, "one\ncaf?\ntwo");
  write("10-talk", "yes word | head -c 1000000; exit 1");
  EXPECT_LE(only().output.size(), 40'000U);
}

TEST_F(Hooks, that_hang_are_ended_and_take_the_time_of_the_next) {
  write("10-hang", "echo begun; sleep 600");
  write("20-next", "");
  limit_ = 1s;
  auto const results = run().results;
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].outcome, HookOutcome::Failed);
  EXPECT_THAT(results[0].output, HasSubstr("begun\nended after 1 s; HOOKS_TIMEOUT"));
  EXPECT_EQ(results[1].outcome, HookOutcome::Failed);
  EXPECT_THAT(results[1].output, HasSubstr("took all the time"));
}

TEST_F(Hooks, end_when_nobody_wants_them_any_more) {
  write("10-hang", "sleep 600");
  rpc::HooksRun const call{.directory = "instance-add-pre.d"};
  auto const done = scripts_.run(call, [](std::string_view) { return false; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "instance-add-pre.d/10-hang was ended");
  EXPECT_TRUE(fs::is_empty(Paths(root_).hook_sessions()));
}

TEST_F(Hooks, that_others_can_change_count_as_failed) {
  write("10-open", "touch " + root_ + "/ran", 0757);
  auto const result = only();
  EXPECT_EQ(result.outcome, HookOutcome::Failed);
  EXPECT_THAT(result.output, HasSubstr("not run: everybody can change"));
  EXPECT_THAT(result.output, HasSubstr("chmod o-w " + path("10-open")));
  fs::permissions(path("10-open"), fs::perms(0775));
  EXPECT_EQ(only().outcome, HookOutcome::Succeeded);
  fs::remove(root_ + "/ran");
  fs::permissions(fs::path(path("10-open")).parent_path(), fs::perms(0777));
  EXPECT_EQ(only().outcome, HookOutcome::Failed);
  EXPECT_FALSE(fs::exists(root_ + "/ran"));
}

TEST_F(Hooks, of_other_users_count_as_failed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  write("10-theirs", "");
  ASSERT_EQ(::chown(path("10-theirs").c_str(), 12345, 0), 0);
  auto const result = only();
  EXPECT_EQ(result.outcome, HookOutcome::Failed);
  EXPECT_THAT(result.output, HasSubstr("belongs to user 12345"));
}

TEST_F(Hooks, that_cannot_be_run_count_as_failed) {
  std::ofstream(path("10-broken")) << "#!/nonexistent\n";
  fs::permissions(path("10-broken"), fs::perms(0755));
  auto const result = only();
  EXPECT_EQ(result.outcome, HookOutcome::Failed);
  EXPECT_THAT(result.output, HasSubstr("Hook script execution error: "));
}

TEST_F(Hooks, calls_that_lead_elsewhere_are_refused) {
  auto const error = [&](rpc::HooksRun const& call) {
    auto const done = scripts_.run(call, {});
    return done ? std::string() : done.error().message;
  };
  for (auto const* name : {"", ".", "..", "../os", "a/b", "/etc", "x.d.d", ".d"}) {
    EXPECT_EQ(error({.directory = name}), fmt::format("'{}' is no directory of hooks", name));
    EXPECT_EQ(error({.directory = "watcher", .later = {name}}),
              fmt::format("'{}' is no directory of hooks", name));
  }
  for (auto const* name : {"LD_PRELOAD", "PATH", "GANETI_A=B"}) {
    EXPECT_EQ(error({.directory = "watcher", .environment = {{name, ""}}}),
              fmt::format("'{}' can't be told to hooks", name));
  }
  EXPECT_EQ(error({.directory = "watcher", .timeout_s = 0}), "A time limit of 0 s leaves no time");
}

TEST_F(Hooks, none_cost_nothing) {
  EXPECT_TRUE(run().results.empty());
  EXPECT_FALSE(fs::exists(Paths(root_).hook_sessions()));
}

}  // namespace
}  // namespace flotte::node
