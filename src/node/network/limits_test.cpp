// Programs of the network that hang, or say very much: no call about a guest may wait for one for
// ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/network/antispoof.h"
#include "node/network/bridge_vlans.h"
#include "node/network/master_address.h"
#include "node/network/open_vswitch.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class Hanging final : public sys::Processes {
 public:
  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    programs.push_back(command.argv[0]);
    EXPECT_GT(command.timeout, 0s);
    EXPECT_LE(command.timeout, 30s) << command.argv[0];
    EXPECT_LE(command.output_bytes_max, std::size_t{256 * 1024}) << command.argv[0];
    return sys::Finished{.exit_status = 128 + 15, .timed_out = true};
  }
  std::vector<std::string> programs;
};

class NetworkPrograms : public ::testing::Test {
 protected:
  // It is ended, and its end is the call's.
  template <class T>
  void expect_named(Result<T> const& done, std::string const& program) {
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message,
                AnyOf(HasSubstr(program + " did not end within"), HasSubstr("time is up")));
    EXPECT_THAT(processes_.programs, ::testing::Contains(program));
  }
  Hanging processes_;
};

TEST_F(NetworkPrograms, ip_has_a_limit) {
  expect_named(set_master_address(processes_, {.ip = "192.0.2.7", .netdev = "lo"}), "ip");
  expect_named(is_address_used(processes_, "192.0.2.7"), "ip");
}

TEST_F(NetworkPrograms, bridge_has_a_limit) {
  expect_named(set_bridge_vlans(processes_, "br0", "tap0", {.untagged = 5, .tagged = {}}),
               "bridge");
}

TEST_F(NetworkPrograms, nft_has_a_limit) {
  rpc::NicSpec nic;
  nic.nic.mac = "aa:00:00:00:00:01";
  nic.nic.ip = "192.0.2.7";
  expect_named(Antispoof(processes_).put(nic, "tap0", "web1"), "nft");
}

TEST_F(NetworkPrograms, ovs_vsctl_has_a_limit) {
  expect_named(check_open_vswitch(processes_, "br0"), "ovs-vsctl");
  expect_named(add_open_vswitch_port(processes_, "br0", "tap0", {}), "ovs-vsctl");
  expect_named(remove_open_vswitch_port(processes_, "tap0"), "ovs-vsctl");
}

}  // namespace
}  // namespace flotte::node
