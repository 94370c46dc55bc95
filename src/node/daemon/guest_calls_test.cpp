// What is done for guests when nobody asks. The calls themselves are in contract_test.cpp.
#include "node/daemon/guest_calls.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "node/daemon/test_hypervisor.h"
#include "node/daemon/test_worlds.h"

namespace flotte::node {
namespace {

// Its guest has let go of a device, until it is adjusted.
class LetGo final : public StillHypervisor {
 public:
  explicit LetGo(rpc::InstanceSpec spec) : spec_(std::move(spec)) {}

  std::vector<std::string> asked() override {
    if (is_adjusted) return {};
    return {spec_.name};
  }
  std::optional<rpc::InstanceSpec> lacking(std::string const&) override {
    ++looks;
    looks.notify_all();
    return is_adjusted ? std::nullopt : std::optional(spec_);
  }
  Result<void> adjust(rpc::InstanceSpec const&, std::vector<std::string> const&,
                      GoesOn const&) override {
    is_adjusted = true;
    is_adjusted.notify_all();
    return {};
  }

  void wait_for_looks(int count) {
    for (int seen = looks; seen < count; seen = looks) looks.wait(seen);
  }

  std::atomic<int> looks = 0;
  std::atomic<bool> is_adjusted = false;

 private:
  rpc::InstanceSpec spec_;
};

class Following : public ::testing::Test {
 protected:
  Following() {
    std::filesystem::create_directories(directory());
    std::filesystem::create_directories(paths_.instance_disks());
    auto const list = paths_.file_storage_paths_file();
    std::filesystem::create_directories(std::filesystem::path(list).parent_path());
    std::ofstream(list) << directory() << "\n";
    disk_.disk.dev_type = model::DiskTemplate::File;
    disk_.disk.logical_id = {"loop", directory() + "/web1/d.file.disk0"};
    disk_.disk.size = {4};
    rpc::InstanceSpec spec;
    spec.name = "web1";
    spec.hypervisor = model::HypervisorKind::Kvm;
    spec.disks = {disk_};
    spec.epoch = 1;
    auto guest = std::make_unique<LetGo>(spec);
    guest_ = guest.get();
    hypervisors_ = {std::move(guest), make_fake(paths_)};
  }
  ~Following() override { std::filesystem::remove_all(root_); }

  static std::filesystem::path new_directory() {
    auto pattern = ::testing::TempDir() + "/flotte-following-XXXXXX";
    return ::mkdtemp(pattern.data());
  }
  std::string directory() const { return paths_.srv() + "/file-storage"; }
  std::uintmax_t bytes() const { return std::filesystem::file_size(disk_.disk.logical_id.back()); }

  std::filesystem::path root_ = new_directory();
  Paths paths_{root_.string()};
  sys::SystemProcesses processes_;
  SystemClock clock_;
  InstanceTurns turns_{clock_};
  rpc::DiskSpec disk_;
  LetGo* guest_ = nullptr;
  Hypervisors hypervisors_;
};

TEST_F(Following, a_disk_that_grows_is_left_alone_until_it_is_wiped) {
  StorageCalls storage(paths_, processes_, turns_, hypervisors_);
  auto const devices = make_file_devices(paths_);
  auto const made = devices->create({"web1", disk_});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(devices->assemble("web1", disk_, 1));
  ASSERT_TRUE(devices->grow_unwiped({"web1", disk_, {8}}));
  GuestCalls const calls(hypervisors_, storage, turns_);
  // Each look that finds it is followed by one within its turn.
  constexpr int of_two_rounds = 4;
  guest_->wait_for_looks(of_two_rounds);
  auto const wiped = turns_.take("web1", {}, [&]() -> Result<void> {
    EXPECT_FALSE(guest_->is_adjusted);
    EXPECT_EQ(bytes(), 8U << 20U);
    auto grown = disk_;
    grown.disk.size = {8};
    return devices->wipe({"web1", grown}, {});
  });
  EXPECT_TRUE(wiped);
  guest_->is_adjusted.wait(false);
  EXPECT_EQ(bytes(), 8U << 20U);
}

}  // namespace
}  // namespace flotte::node
