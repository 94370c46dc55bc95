#include "node/daemon/findings.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "node/daemon/test_daemon.h"

namespace flotte::node {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class Findings : public ::testing::Test {
 protected:
  Findings() {
    fs::create_directories(paths_.etc());
    fs::create_directories(directory_);
    allow(directory_);
  }
  void allow(std::string const& line) const {
    std::ofstream(paths_.file_storage_paths_file()) << line << "\n";
  }
  rpc::NodeFindings look(rpc::NodeVerify const& call) const {
    return look_at_node(paths_, nics_, call);
  }
  std::string storage_fault() const {
    auto const faults = look({.storage_dirs = {directory_}}).storage_faults;
    return faults.empty() ? "" : faults[0].fault;
  }
  std::string oob_fault(std::string const& program) const {
    return look({.oob_program = program}).oob_fault;
  }

  TemporaryRoot root_;
  Paths const paths_{root_.path()};
  std::string const directory_ = root_.path() + "/srv/disks";
  mutable sys::SystemProcesses processes_;
  Nics const nics_{paths_, processes_};
};

TEST_F(Findings, of_a_directory_for_disks) {
  EXPECT_EQ(storage_fault(), "");
  fs::permissions(directory_, fs::perms(0757));
  EXPECT_THAT(storage_fault(), HasSubstr("is writable by everybody: chmod o-w"));
  fs::permissions(directory_, fs::perms(0755));
  allow(directory_ + "2");
  EXPECT_THAT(storage_fault(), HasSubstr("is not acceptable for file storage"));
  allow(directory_);
  fs::remove(directory_);
  EXPECT_THAT(storage_fault(), EndsWith("does not exist or is not a directory."));
}

TEST_F(Findings, of_a_program_for_the_power_switch) {
  auto const program = root_.path() + "/oob";
  EXPECT_EQ(oob_fault(""), "");
  EXPECT_THAT(oob_fault(program), HasSubstr("error stating out of band helper: [Errno 2]"));
  EXPECT_THAT(oob_fault(root_.path()), EndsWith("is not a file"));
  std::ofstream(program) << "#!/bin/sh\n";
  EXPECT_THAT(oob_fault(program), EndsWith("is not executable"));
  fs::permissions(program, fs::perms(0755));
  EXPECT_EQ(oob_fault(program), "");
}

TEST_F(Findings, of_bridges_and_of_the_clusters_address) {
  auto const found = look({.bridges = {"nosuch0"}, .master_ip = "192.0.2.77"});
  EXPECT_EQ(found.missing_bridges, std::vector<std::string>{"nosuch0"});
  EXPECT_FALSE(found.has_master_ip);
  EXPECT_TRUE(look({}).has_master_ip) << "there is none";
}

TEST_F(Findings, of_places_that_are_none_for_disks) {
  std::ofstream(paths_.file_storage_paths_file())
      << "# /etc\n/srv/disks\n/etc/disks\n/\n/usr/lib/../lib64/x/\n/usr/libexec\nrelative\n";
  EXPECT_EQ(forbidden_storage_paths(paths_),
            (std::vector<std::string>{"/etc/disks", "/", "/usr/lib/../lib64/x/", "relative"}));
}

}  // namespace
}  // namespace flotte::node
