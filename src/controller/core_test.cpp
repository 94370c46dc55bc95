#include "controller/core.h"

#include <gtest/gtest.h>

#include "rpc/fake_node.h"
#include "store/memory_store.h"

namespace flotte::controller {
namespace {

namespace json = boost::json;

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() {
    EXPECT_TRUE(core_.lead());
    core_.start();
    auto const made = core_.initialise({{"cluster_name", "c"},
                                        {"master_ip", "192.0.2.250"},
                                        {"master_netdev", "br0"},
                                        {"enabled_hypervisors", json::array{"fake"}},
                                        {"enabled_disk_templates", json::array{"diskless"}},
                                        {"bootstrap", json::object{{"node_uuid", "node-1"},
                                                                   {"node_name", "node1"},
                                                                   {"primary_ip", "192.0.2.1"},
                                                                   {"port", 1811}}}},
                                       {.name = "test"});
    EXPECT_TRUE(made) << made.error().message;
  }
  ~CoreTest() override { core_.stop(); }

  SystemClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  rpc::FakeNode nodes_;
  jobs::MemoryKeys keys_;
  Core core_{{clock_, random_, store_, nodes_, keys_}, Duration::zero()};
};

// The node that leaves takes the address down where its files say that it is.
TEST_F(CoreTest, the_cluster_ends_when_its_nodes_know_of_the_last_change) {
  std::atomic<std::int64_t> changes_known = 0;
  nodes_.before([&](rpc::FakeCall const& call) -> Result<void> {
    if (call.call != rpc::SsconfWrite::name) return {};
    // A slow node is written to less often.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    auto const* netdev = call.arguments.at("values").get_object().if_contains("master_netdev");
    if (netdev) changes_known = std::stoll(std::string(netdev->as_string()).substr(2));
    return {};
  });
  for (auto change = 1; change <= 3; ++change) {
    ASSERT_TRUE(core_.config().update(
        [&](store::ClusterEdit& edit) -> Result<void> {
          auto settings = edit.settings();
          settings.master_netdev = fmt::format("br{}", change);
          edit.put(std::move(settings));
          return {};
        },
        {}));
  }
  ASSERT_TRUE(core_.destroy());
  EXPECT_EQ(changes_known, 3);
}

}  // namespace
}  // namespace flotte::controller
