#include "node/hypervisor/kvm/runtime.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flotte::node {
namespace {

namespace fs = std::filesystem;

class KvmRuntimeFile : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(runtime_.make_directories("vm1")); }
  void TearDown() override { fs::remove_all(paths_.root()); }

  std::optional<uid_t> user_of(std::vector<std::string> argv) const {
    KvmGuest guest;
    guest.argv = std::move(argv);
    EXPECT_TRUE(runtime_.save("vm1", guest));
    return runtime_.load("vm1").user;
  }

  Paths const paths_{
      (fs::temp_directory_path() / fmt::format("flotte-runtime-{}", ::getpid())).string()};
  KvmRuntime const runtime_{paths_};
};

TEST_F(KvmRuntimeFile, knows_whom_a_guest_runs_as_as_qemu_reads_it) {
  auto const nobody = ::getpwnam("nobody")->pw_uid;
  EXPECT_EQ(user_of({"kvm", "-m", "128"}), std::nullopt);
  EXPECT_EQ(user_of({"kvm", "-runas", "nobody"}), nobody);
  EXPECT_EQ(user_of({"kvm", "-runas", "1000:1001"}), 1000U);
  EXPECT_EQ(user_of({"kvm", "-runas", "1000:1001", "-runas", "nobody"}), nobody);
  EXPECT_EQ(user_of({"kvm", "-runas", "nosuch-user"}), std::nullopt);
}

TEST_F(KvmRuntimeFile, keeps_the_number_when_it_is_written_again) {
  KvmGuest guest;
  guest.argv = {"kvm", "-runas", "nobody"};
  guest.user = 4321;  // whom the name meant when it was started
  ASSERT_TRUE(runtime_.save("vm1", guest));
  auto again = runtime_.load("vm1");
  again.memory = 64;
  ASSERT_TRUE(runtime_.save("vm1", again));
  EXPECT_EQ(runtime_.load("vm1").user, 4321U);
}

TEST_F(KvmRuntimeFile, keeps_what_scripts_are_told_of_the_network_of_a_nic) {
  KvmGuest guest;
  rpc::NicSpec nic{.nic = {.uuid = NicId("n"), .mac = "aa:00:00:00:00:01"},
                   .params = {{"mode", "bridged"}},
                   .network = {{"NETWORK_NAME", "lan"}}};
  guest.nics.push_back({nic, {}, "tap0"});
  ASSERT_TRUE(runtime_.save("vm1", guest));
  auto const again = runtime_.load("vm1");
  ASSERT_EQ(again.nics.size(), 1U);
  EXPECT_EQ(again.nics[0].nic.network, nic.network);
  EXPECT_EQ(again.nics[0].nic.params, nic.params);
}

// A process whose command line looks like that of a guest's QEMU.
class LooksLikeQemu {
 public:
  LooksLikeQemu(std::string const& name, std::string const& pid_file) {
    std::vector<std::string> words{"kvm",      "-c",    "kill -STOP $$; :", "-name", name,
                                   "-pidfile", pid_file};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, "/bin/sh", nullptr, nullptr, argv.data(), nullptr), 0);
    // It has become the shell when it stops.
    EXPECT_EQ(::waitpid(pid_, nullptr, WUNTRACED), pid_);
  }
  ~LooksLikeQemu() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  LooksLikeQemu(LooksLikeQemu const&) = delete;
  LooksLikeQemu& operator=(LooksLikeQemu const&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST_F(KvmRuntimeFile, a_guest_is_a_process_of_its_name_and_of_this_clusters_pid_file) {
  auto const pid_file = paths_.kvm_pid_file("vm1");
  auto const is_found = [&](std::string const& name, std::string const& file) {
    LooksLikeQemu const process(name, file);
    std::ofstream(pid_file) << process.pid() << "\n";
    auto const found = runtime_.find("vm1");
    EXPECT_EQ(runtime_.find_all("vm1").size(), found ? 1U : 0U);
    return found && found->pid() == process.pid();
  };
  EXPECT_TRUE(is_found("vm1", pid_file));
  EXPECT_TRUE(is_found("vm1,process=vm1", pid_file));
  EXPECT_FALSE(is_found("vm10", pid_file));
  EXPECT_FALSE(is_found("vm1", "/run/another" + pid_file)) << "another cluster's";
}

}  // namespace
}  // namespace flotte::node
