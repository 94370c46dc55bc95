#include "node/hypervisor/kvm/runtime.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>

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

}  // namespace
}  // namespace flotte::node
