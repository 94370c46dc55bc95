#include "node/os/os_definitions.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flotte::node {
namespace {

namespace fs = std::filesystem;

class OsDefinitionsTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(root_); }

  fs::path make(std::string const& name, std::string const& versions = "20\n") {
    auto const path = folder_ / name;
    fs::create_directories(path);
    std::ofstream(path / "ganeti_api_version") << versions;
    for (auto const* script : {"create", "import", "export", "rename", "verify"}) {
      std::ofstream(path / script) << "#!/bin/sh\n";
      fs::permissions(path / script, fs::perms::owner_all);
    }
    return path;
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (auto const& os : OsDefinitions(Paths(root_), processes_).list()) {
      found.push_back(os.name + (os.diagnose.empty() ? "" : ": " + os.diagnose));
    }
    return found;
  }

  fs::path root_ = fs::temp_directory_path() / fmt::format("flotte-os-{}", ::getpid());
  fs::path folder_ = root_ / "srv/ganeti/os";
  sys::SystemProcesses processes_;
};

TEST_F(OsDefinitionsTest, are_found_beside_links_that_lead_nowhere_and_in_circles) {
  make("good");
  fs::create_directory_symlink("good", folder_ / "linked");
  fs::create_symlink("loop", folder_ / "loop");
  fs::create_symlink("nowhere", folder_ / "dangling");
  std::ofstream(folder_ / "file") << "no directory";
  make(".hidden");
  EXPECT_EQ(names(), std::vector<std::string>({"good", "linked"}));
}

TEST_F(OsDefinitionsTest, whose_files_are_links_in_circles_are_invalid) {
  auto const path = make("odd");
  fs::remove(path / "ganeti_api_version");
  fs::create_symlink("ganeti_api_version", path / "ganeti_api_version");
  EXPECT_EQ(names(), std::vector<std::string>(
                         {"odd: file ganeti_api_version is missing or holds no version"}));
}

TEST_F(OsDefinitionsTest, that_others_can_change_are_invalid) {
  auto const path = make("odd");
  fs::permissions(path / "create", fs::perms::others_write, fs::perm_options::add);
  auto const script = (path / "create").string();
  EXPECT_EQ(names(),
            std::vector<std::string>({fmt::format(
                "odd: everybody can change {}; if it is meant to run as root: chmod o-w {}", script,
                script)}));
}

// Remembers how long each program may take, and says that time was up.
class Impatient final : public sys::Processes {
 public:
  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    limits.emplace_back(fs::path(command.argv[0]).filename(), command.timeout);
    return sys::Finished{.exit_status = 128 + 9, .timed_out = true};
  }
  std::vector<std::pair<std::string, std::chrono::seconds>> limits;
};

TEST_F(OsDefinitionsTest, have_a_day_for_their_scripts_and_two_minutes_to_clean_up) {
  auto const path = make("slow");
  std::ofstream(path / "cleanup") << "#!/bin/sh\n";
  fs::permissions(path / "cleanup", fs::perms::owner_all);
  Impatient processes;
  rpc::OsCreate call;
  call.instance.name = "web1";
  call.instance.os = "slow";
  auto const refused = OsDefinitions(Paths(root_), processes).create(call, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("time is up"), std::string::npos);
  using Limits = std::vector<std::pair<std::string, std::chrono::seconds>>;
  EXPECT_EQ(processes.limits,
            (Limits{{"create", std::chrono::hours(24)}, {"cleanup", std::chrono::minutes(2)}}));
}

TEST_F(OsDefinitionsTest, are_told_their_variant_and_the_version_that_both_speak) {
  auto const told = [](std::string const& os, std::vector<std::string> const& variants,
                       std::vector<std::int64_t> const& versions) {
    rpc::InstanceSpec spec;
    spec.os = os;
    rpc::OsDefinition definition;
    definition.name = "debian";
    definition.variants = variants;
    definition.api_versions = versions;
    auto const environment = os_environment(spec, definition, {}, 0);
    return environment.at("OS_VARIANT") + " " + environment.at("OS_API_VERSION");
  };
  EXPECT_EQ(told("debian+small", {"default", "small"}, {15, 20}), "small 20");
  EXPECT_EQ(told("debian", {"default", "small"}, {20}), "default 20");
  EXPECT_EQ(told("debian", {}, {10, 15, 25}), " 15");
}

// What a script prints may be private.
TEST_F(OsDefinitionsTest, write_logs_that_not_everybody_reads) {
  make("odd");
  Impatient processes;
  rpc::OsCreate call;
  call.instance.name = "web1";
  call.instance.os = "odd";
  auto const mask = ::umask(0);
  EXPECT_FALSE(OsDefinitions(Paths(root_), processes).create(call, {}, {}));
  ::umask(mask);
  std::vector<fs::perms> modes;
  for (auto const& log : fs::directory_iterator(Paths(root_).os_logs())) {
    modes.push_back(log.status().permissions());
  }
  EXPECT_EQ(modes, std::vector{fs::perms(0640)});
  EXPECT_EQ(fs::status(Paths(root_).os_logs()).permissions(), fs::perms(0750));
}

TEST_F(OsDefinitionsTest, have_versions_that_are_numbers) {
  make("odd", "99999999999999999999999999\n-20\n0x14\n");
  make("two", "20\n15\n");
  EXPECT_EQ(names(), std::vector<std::string>(
                         {"odd: file ganeti_api_version is missing or holds no version", "two"}));
}

}  // namespace
}  // namespace flotte::node
