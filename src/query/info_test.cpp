#include "query/info.h"

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "model/params.h"

namespace flotte::query {
namespace {

using model::DiskTemplate;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// web1, that runs as it is configured.
class PendingChanges : public ::testing::Test {
 protected:
  PendingChanges() {
    cluster_.put(model::Group{.uuid = GroupId("g"), .name = "default"});
    cluster_.put(model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g")});
    instance_ = {.uuid = InstanceId("i"), .name = "web1", .primary_node = NodeId("n")};
    instance_.hypervisor = model::HypervisorKind::Kvm;
    instance_.beparams = {{"maxmem", 128}, {"minmem", 128}, {"vcpus", 2}};
    instance_.hvparams = {{"kernel_path", "/vmlinuz"}};
    instance_.nics = {{.uuid = NicId("nic"), .nicparams = {{"link", "br0"}}}};
    instance_.disks = {{.uuid = DiskId("disk"), .dev_type = DiskTemplate::File}};
    running_ = {.name = "web1", .vcpus = 2};
    running_.memory_max = {128};
    running_.hvparams = model::start_hvparams(cluster_.settings(), instance_);
    running_.nics = {{.uuid = NicId("nic"),
                      .tap = "tap0",
                      .params = model::filled_nicparams(cluster_.settings(), instance_.nics[0])}};
    running_.disks = {DiskId("disk")};
  }

  // "what: text", as it is told.
  std::vector<std::string> pending() const {
    auto const info = instance_info(cluster_, instance_, {.is_known = true, .running = running_});
    std::vector<std::string> told;
    for (auto const& [what, text] : info.at("pending").as_object()) {
      told.push_back(
          fmt::format("{}: {}", std::string_view(what), std::string_view(text.as_string())));
    }
    return told;
  }

  model::Cluster cluster_;
  model::Instance instance_;
  rpc::RunningInstance running_;
};

TEST_F(PendingChanges, are_none_where_nothing_differs) {
  EXPECT_THAT(pending(), IsEmpty());
}

TEST_F(PendingChanges, of_memory_processors_and_parameters) {
  instance_.beparams["maxmem"] = 256;
  instance_.beparams["vcpus"] = 4;
  instance_.hvparams["kernel_path"] = "";
  EXPECT_THAT(pending(), ElementsAre("hv/kernel_path: /vmlinuz now, nothing after the next start",
                                     "be/maxmem: 128 now, 256 after the next start",
                                     "be/vcpus: 2 now, 4 after the next start"));
}

TEST_F(PendingChanges, of_devices) {
  instance_.nics[0].nicparams["link"] = "br1";
  instance_.nics.push_back({.uuid = NicId("new")});
  instance_.disks = {{.uuid = DiskId("other"), .dev_type = DiskTemplate::File}};
  EXPECT_THAT(pending(), ElementsAre("nic/0/link: br0 now, br1 after the next start",
                                     "nic/1: not there now, there after the next start",
                                     "disk/0: not there now, there after the next start",
                                     "disk disk: there now, gone after the next start"));
}

TEST_F(PendingChanges, are_not_guessed_where_nothing_is_known) {
  running_.memory_max = {0};
  instance_.beparams["vcpus"] = 4;
  instance_.nics.clear();
  EXPECT_THAT(pending(), IsEmpty());
}

TEST(InstanceInfo, tells_what_network_a_nic_is_in) {
  model::Cluster cluster;
  cluster.put(
      model::Network{.uuid = NetworkId("lan-uuid"), .name = "lan", .network = "192.0.2.0/28"});
  model::Instance instance{.uuid = InstanceId("i"), .name = "web1"};
  instance.nics = {{.uuid = NicId("in")}, {.uuid = NicId("out")}};
  instance.nics[0].network = NetworkId("lan-uuid");
  auto const info = instance_info(cluster, instance, {});
  auto const& nics = info.at("nics").as_array();
  EXPECT_EQ(nics.at(0).at(7), "lan-uuid");
  EXPECT_EQ(nics.at(0).at(8).at("name"), "lan");
  EXPECT_EQ(nics.at(0).at(8).as_object().count("ext_reservations"), 0);
  EXPECT_TRUE(nics.at(1).at(7).is_null() && nics.at(1).at(8).is_null());
}

}  // namespace
}  // namespace flotte::query
