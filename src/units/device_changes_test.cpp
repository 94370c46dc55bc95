#include "units/device_changes.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "model/params.h"

namespace flotte::units {
namespace {

class DeviceChangesTest : public ::testing::Test {
 protected:
  DeviceChangesTest() {
    model::Settings settings;
    settings.file_storage_dir = "/srv/files";
    settings.volume_group_name = "vms";
    cluster_.put(settings);
    instance_.uuid = InstanceId("i");
    instance_.name = "web1";
    instance_.disk_template = model::DiskTemplate::Plain;
    add_disk("root");
    add_disk("data");
    add_nic("aa:00:00:00:00:01");
  }

  void add_disk(std::string const& name) {
    model::Disk disk;
    disk.uuid = DiskId(name + "-uuid");
    disk.name = name;
    disk.dev_type = instance_.disk_template;
    disk.size = {1024};
    instance_.disks.push_back(disk);
  }
  void add_nic(std::string const& mac) {
    model::Nic nic;
    nic.uuid = NicId(mac + "-uuid");
    nic.mac = mac;
    instance_.nics.push_back(nic);
  }

  model::DetachedDisk add_detached(std::string const& name, std::string const& owner) {
    model::DetachedDisk one{.owner = owner};
    one.disk.uuid = DiskId(name + "-uuid");
    one.disk.name = name;
    one.disk.dev_type = model::DiskTemplate::Plain;
    one.disk.size = {2048};
    cluster_.put(one);
    return one;
  }

  Result<DeviceChanges> change(std::string_view disks, std::string_view nics) {
    SeededRandom random(1);
    DeviceMaker maker(cluster_, random);
    return change_devices(maker, cluster_, instance_, json::parse(disks).as_array(),
                          json::parse(nics).as_array());
  }
  std::string told(std::string_view disks, std::string_view nics) {
    auto const changes = change(disks, nics);
    return changes ? json::serialize(changes->told) : changes.error().message;
  }
  std::string disk(std::string_view one) { return told(fmt::format("[{}]", one), "[]"); }
  std::string nic(std::string_view one) { return told("[]", fmt::format("[{}]", one)); }

  std::string disks() const {
    std::vector<std::string> names;
    for (auto const& disk : instance_.disks) names.push_back(disk.name.value_or("new"));
    return fmt::format("{}", fmt::join(names, " "));
  }

  model::Cluster cluster_;
  model::Instance instance_;
};

TEST_F(DeviceChangesTest, told_as_ganeti_does) {
  EXPECT_EQ(disk(R"(["add", -1, {"size": "2G"}])"), R"([["disk/2","add:size=2048,mode=rw"]])");
  EXPECT_EQ(disk(R"(["modify", 0, {"mode": "ro", "name": "none"}])"),
            R"([["disk.mode/0","ro"],["disk.name/0","None"]])");
  EXPECT_EQ(disk(R"(["remove", 1, {}])"), R"([["disk/1","remove"]])");
  EXPECT_EQ(
      nic(R"(["add", -1, {"mac": "aa:00:00:00:00:02", "link": "br7"}])"),
      R"([["nic.1","add:mac=aa:00:00:00:00:02,ip=None,mode=bridged,link=br7,network=None"]])");
  EXPECT_EQ(
      nic(R"(["modify", 1, {"ip": "192.0.2.7"}])"),
      R"([["nic.ip/1","192.0.2.7"],["nic.mode/1","bridged"],["nic.link/1","br7"],["nic.vlan/1",""]])");
  EXPECT_EQ(nic(R"(["remove", -1, {}])"), R"([["NIC/1","remove"]])");
}

TEST_F(DeviceChangesTest, a_nic_on_a_vlan_and_behind_a_filter) {
  EXPECT_EQ(nic(R"(["modify", 0, {"mode": "openvswitch", "link": "sw0", "vlan": "7"}])"),
            R"([["nic.mode/0","openvswitch"],["nic.link/0","sw0"],["nic.vlan/0",".7"]])");
  EXPECT_EQ(
      nic(R"(["modify", 0, {"vlan": "none", "antispoof": "yes"}])"),
      R"([["nic.mode/0","openvswitch"],["nic.link/0","sw0"],["nic.vlan/0",""],["nic.antispoof/0","yes"]])");
  EXPECT_TRUE(model::is_true(instance_.nics[0].nicparams, "antispoof"));
  nic(R"(["modify", 0, {"antispoof": "no"}])");
  EXPECT_FALSE(
      model::filled_nicparams(cluster_.settings(), instance_.nics[0]).contains("antispoof"));
}

TEST_F(DeviceChangesTest, are_made_one_after_the_other) {
  auto const changes = change(
      R"([["add", 0, {"size": 512}], ["remove", 1, {}], ["remove", -1, {}], ["add", -1, {"size": 256, "name": "last"}]])",
      "[]");
  ASSERT_TRUE(changes) << changes.error().message;
  EXPECT_EQ(disks(), "new last");
  EXPECT_EQ(changes->created.size(), 2U);
  ASSERT_EQ(changes->removed.size(), 2U);
  EXPECT_EQ(changes->removed[0].name, "root");
  EXPECT_EQ(changes->removed[1].name, "data");
}

TEST_F(DeviceChangesTest, a_disk_becomes_nobody_s) {
  EXPECT_EQ(disk(R"(["detach", "root", {}])"), R"([["disk/0","detach"]])");
  EXPECT_EQ(disks(), "data");
  auto const changes = change(R"([["detach", 0, {}]])", "[]");
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->detached.at(0).name, "data");
  EXPECT_TRUE(changes->removed.empty());
}

TEST_F(DeviceChangesTest, a_disk_that_is_nobody_s_comes) {
  add_detached("spare", "old1");
  EXPECT_EQ(disk(R"(["attach", 1, {"name": "spare"}])"),
            R"([["disk/1","attach:size=2048,mode=rw"]])");
  EXPECT_EQ(disks(), "root spare data");
  instance_.disks.clear();
  instance_.disk_template = model::DiskTemplate::Diskless;
  auto const changes = change(R"([["attach", -1, {"uuid": "spare-uuid"}]])", "[]");
  ASSERT_TRUE(changes) << changes.error().message;
  EXPECT_EQ(changes->attached.at(0).owner, "old1");
  EXPECT_EQ(instance_.disk_template, model::DiskTemplate::Plain);
}

// It lies in a directory of its instance's name.
TEST_F(DeviceChangesTest, a_file_that_comes_moves) {
  instance_.disks.clear();
  instance_.disk_template = model::DiskTemplate::File;
  auto one = add_detached("spare", "old1");
  one.disk.dev_type = model::DiskTemplate::File;
  one.disk.logical_id = {"loop", "/srv/files/old1/x.file.disk0"};
  cluster_.put(one);
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare"}])"),
            R"([["disk/0","attach:size=2048,mode=rw"]])");
  EXPECT_EQ(instance_.disks.at(0).logical_id.back(), "/srv/files/web1/x.file.disk0");
}

TEST_F(DeviceChangesTest, what_can_not_come_is_named) {
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare"}])"),
            "No disk was found with this name: spare; detached disks are: none");
  auto one = add_detached("spare", "old1");
  EXPECT_EQ(
      disk(R"(["attach", -1, {"uuid": "nosuch"}])"),
      "No disk was found with this UUID: nosuch; detached disks are: spare-uuid (spare, of old1)");
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare", "size": "1G"}])"),
            "Only one argument is permitted in attach op, either name or uuid");
  EXPECT_EQ(told(R"([["attach", -1, {"name": "spare"}], ["attach", -1, {"name": "spare"}]])", "[]"),
            "No disk was found with this name: spare; detached disks are: none");
  instance_.disks.pop_back();
  EXPECT_EQ(told(R"([["attach", -1, {"name": "spare"}], ["remove", -1, {}]])", "[]"),
            "Disk 2 is being attached: take it away by a command of its own");
  one.node = NodeId("n2");
  cluster_.put(one);
  cluster_.put(model::Node{.uuid = NodeId("n2"), .name = "node2"});
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare"}])"),
            "Disk spare-uuid is on node node2, web1 is not");
  one.node = {};
  one.disk.dev_type = model::DiskTemplate::File;
  cluster_.put(one);
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare"}])"),
            "Instance has 'plain' template while disk 3 has 'file' template; 'gnt-instance modify "
            "-t file' makes them alike");
  auto other = one;
  other.disk.uuid = DiskId("other-uuid");
  cluster_.put(other);
  EXPECT_EQ(disk(R"(["attach", -1, {"name": "spare"}])"),
            "Several detached disks are called 'spare': take uuid=other-uuid or uuid=spare-uuid");
}

TEST_F(DeviceChangesTest, what_comes_and_goes_at_once_has_never_been) {
  auto const changes = change(R"([["add", -1, {"size": 512}], ["remove", -1, {}]])", "[]");
  ASSERT_TRUE(changes);
  EXPECT_TRUE(changes->created.empty());
  EXPECT_TRUE(changes->removed.empty());
}

TEST_F(DeviceChangesTest, are_found_by_index_name_and_uuid) {
  EXPECT_EQ(disk(R"(["modify", "data", {"mode": "ro"}])"), R"([["disk.mode/1","ro"]])");
  EXPECT_EQ(disk(R"(["modify", "root-uuid", {"mode": "ro"}])"), R"([["disk.mode/0","ro"]])");
  EXPECT_EQ(disk(R"(["modify", "1", {"mode": "rw"}])"), R"([["disk.mode/1","rw"]])");
  // RAPI's older form has no index.
  EXPECT_EQ(disk(R"(["remove", {}])"), R"([["disk/1","remove"]])");
}

TEST_F(DeviceChangesTest, a_mistake_is_named) {
  EXPECT_EQ(disk(R"(["modify", 7, {}])"), "Got disk index 7, but there are only 2");
  EXPECT_EQ(disk(R"(["modify", -2, {}])"), "Not accepting negative indices other than -1");
  EXPECT_EQ(disk(R"(["modify", "swap", {}])"),
            "Lookup of disk 'swap' failed; give its index (web1 has disks 0 to 1), its UUID or its "
            "name");
  EXPECT_EQ(disk(R"(["add", 5, {"size": 1}])"), "Got disk index 5, but there are only 2");
  EXPECT_EQ(disk(R"(["frob", 0, {}])"),
            "Unknown action 'frob': add, attach, detach, modify or remove");
  EXPECT_EQ(disk(R"(["remove", 0, {"size": 1}])"),
            R"('remove' takes no parameters, not {"size":1})");
  EXPECT_EQ(disk(R"(["add", -1, {"size": "pony"}])"), "Can't parse the given amount 'pony'");
  EXPECT_EQ(disk(R"(["add", -1, {"size": -1}])"), "Invalid disk size '-1' of disk 2");
  EXPECT_EQ(disk(R"(["add", -1, {}])"), "Missing required parameter 'size'; give it to disk 2");
  EXPECT_EQ(disk(R"(["modify", 0, {"size": 1}])"), "Disk size change not possible, use grow-disk");
  EXPECT_EQ(disk(R"(["modify", 0, {"mode": "wo"}])"),
            "Invalid disk access mode 'wo' of disk 0: rw or ro");
  EXPECT_EQ(disk(R"(["modify", 0, {"mode": true}])"), "disk: the value of 'mode' is missing");
  EXPECT_EQ(disk(R"("add")"), R"(disk: a change is [action, index, {parameters}], not "add")");
  EXPECT_EQ(nic(R"(["remove", 3, {}])"), "Got NIC index 3, but there are only 1");
  EXPECT_EQ(nic(R"(["add", -1, {"mac": "12:34"}])"), "Invalid MAC address '12:34'");
  EXPECT_EQ(nic(R"(["add", -1, {"mac": "aa:00:00:00:00:01"}])"),
            "MAC address 'aa:00:00:00:00:01' already in use in cluster");
  EXPECT_EQ(nic(R"(["modify", 0, {"network": "lan"}])"), "Network 'lan' not found");
  EXPECT_EQ(nic(R"(["modify", 0, {"antispoof": "perhaps"}])"),
            "'antispoof' (value perhaps) is not a valid boolean");
  EXPECT_THAT(nic(R"(["modify", 0, {"vlan": "bunny"}])"),
              ::testing::StartsWith("Specified VLAN parameter is invalid : bunny; "));
  EXPECT_EQ(nic(R"(["modify", 0, {"mode": "tunnelled"}])"),
            "Invalid NIC mode 'tunnelled', must be one of: bridged, routed, openvswitch, ext");
  EXPECT_EQ(nic(R"(["modify", 0, {"link": ""}])"), "Missing bridged NIC link");
  EXPECT_EQ(nic(R"(["modify", 0, {"mode": "openvswitch", "link": ""}])"),
            "Missing openvswitch NIC link");
  EXPECT_EQ(nic(R"(["modify", 0, {"mode": "routed"}])"),
            "Cannot set the NIC IP address to None on a routed NIC if not attached to a network: "
            "give nic/0 one (ip=)");
  EXPECT_EQ(nic(R"(["add", -1, {"mode": "routed"}])"),
            "Cannot set the NIC IP address to None on a routed NIC if not attached to a network: "
            "give nic/1 one (ip=)");
  EXPECT_EQ(nic(R"(["modify", 0, {"mode": "routed", "ip": "192.0.2.7", "vlan": "5"}])"),
            "nic/0: a routed NIC has no VLAN; vlan= is for mode bridged or openvswitch");
  EXPECT_EQ(nic(R"(["modify", 0, {"ip": "192.0.2.0/24"}])"), "Invalid IP address '192.0.2.0/24'");
  EXPECT_EQ(nic(R"(["modify", 0, {"ip": "pool"}])"),
            "if ip=pool, parameter network must be passed too");
  instance_.nics.clear();
  EXPECT_EQ(nic(R"(["remove", 0, {}])"), "Got NIC index 0, but there are only 0");
}

TEST_F(DeviceChangesTest, a_name_stands_for_one_disk_and_one_nic) {
  EXPECT_EQ(disk(R"(["modify", 1, {"name": "data"}])"), R"([["disk.name/1","data"]])");
  EXPECT_EQ(disk(R"(["modify", 0, {"name": "data"}])"), "disk name 'data' already used");
  EXPECT_EQ(told("[]", R"([["add", -1, {"name": "lan"}], ["add", -1, {"name": "lan"}]])"),
            "NIC name 'lan' already used");
}

TEST_F(DeviceChangesTest, spindles_are_for_nodes_that_count_them) {
  EXPECT_EQ(disk(R"(["add", -1, {"size": 1, "spindles": "2"}])"),
            "Spindles in instance disks cannot be specified when exclusive storage is not active");
  EXPECT_EQ(disk(R"(["modify", 0, {"spindles": "2"}])"),
            "Unknown parameter 'spindles'; known are mode, name");
}

TEST_F(DeviceChangesTest, a_nic_that_is_there_has_its_mac) {
  EXPECT_EQ(nic(R"(["modify", 0, {"mac": "auto"}])"),
            "'auto' is not a valid MAC address when modifying an existing NIC; mac=generate makes "
            "a new one");
}

TEST_F(DeviceChangesTest, a_name_is_no_number) {
  for (auto const* name : {"2", "-1", "007"}) {
    EXPECT_EQ(disk(fmt::format(R"(["add", -1, {{"size": 1, "name": "{}"}}])", name)),
              fmt::format("Invalid name '{}'. Purely numeric disk names are not allowed", name));
    EXPECT_EQ(disk(fmt::format(R"(["modify", 0, {{"name": "{}"}}])", name)),
              fmt::format("Invalid name '{}'. Purely numeric disk names are not allowed", name));
    EXPECT_EQ(nic(fmt::format(R"(["add", -1, {{"name": "{}"}}])", name)),
              fmt::format("Invalid name '{}'. Purely numeric NIC names are not allowed", name));
  }
  EXPECT_EQ(disk(R"(["modify", 0, {"name": "2nd"}])"), R"([["disk.name/0","2nd"]])");
}

TEST_F(DeviceChangesTest, there_are_limits) {
  while (instance_.disks.size() < disks_max) add_disk("more");
  while (instance_.nics.size() < nics_max) add_nic("more");
  EXPECT_EQ(disk(R"(["add", -1, {"size": 1}])"), "An instance has at most 16 disks");
  EXPECT_EQ(nic(R"(["add", -1, {}])"), "An instance has at most 8 NICs");
  instance_.disk_template = model::DiskTemplate::Diskless;
  EXPECT_EQ(disk(R"(["add", -1, {"size": 1}])"),
            "Must specify disk type on diskless instance; give it one first with 'gnt-instance "
            "modify -t'");
}

}  // namespace
}  // namespace flotte::units
