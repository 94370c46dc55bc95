#include "cli/move_plan.h"

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "cli/answers.h"
#include "schema/schema.h"

namespace flotte::cli {
namespace {

using ::testing::HasSubstr;

// As Ganeti 3.0 tells of a machine: the result of OP_INSTANCE_QUERY_DATA, with what matters here.
constexpr auto told = R"({
  "name": "web1.example", "config_state": "up", "os": "debootstrap+default", "hypervisor": "kvm",
  "disk_template": "plain",
  "disks": [{"size": 10240, "mode": "rw", "name": null, "spindles": null, "uuid": "d0"},
            {"size": 512, "mode": "ro", "name": "swap", "spindles": 1, "uuid": "d1"},
            {"size": 256, "mode": "rw", "name": "None", "uuid": "d2"}],
  "nics": [[null, "n0", null, "aa:00:00:00:00:01", "bridged", "br-rzn-205", "", null, null],
           ["lan", "n1", "192.0.2.7", "aa:00:00:00:00:02", "bridged", "br-lan", "", "u-u-i-d",
            {"name": "lan-net"}],
           [null, "n2", null, "aa:00:00:00:00:03", "openvswitch", "ovs", ".100", null, null]],
  "be_instance": {"maxmem": 512, "minmem": 512}, "be_actual": {"vcpus": 1},
  "hv_instance": {"acpi": false, "boot_order": "disk"}, "os_instance": {"mirror": "http://d/"},
  "filtered_nics": ["n2"]})";

SourceMachine machine() {
  return {*schema::parse(told), {"prod", "flotte:moving-up"}, true};
}

json::object plan(Placement const& placement, bool is_flotte = true) {
  auto const body = creation_of(machine(), placement, {is_flotte});
  EXPECT_TRUE(body) << body.error().message;
  return body.value_or(json::object());
}

std::string complaint(Placement const& placement) {
  auto const body = creation_of(machine(), placement, {});
  return body ? "" : body.error().message;
}

std::string shown(json::object const& body, std::string_view key) {
  auto const* value = member(body, key);
  return value ? json::serialize(*value) : "nothing";
}

std::vector<json::object> nics(std::vector<std::string> const& given) {
  return *parse_nics(given);
}

TEST(MovePlan, what_is_not_said_is_as_it_was) {
  auto body = plan({}, false);
  EXPECT_EQ(shown(body, "start"), "false") << "on Ganeti whoever moves it starts it";
  body["start"] = plan({})["start"];
  EXPECT_EQ(body, schema::parse(R"({
    "__version__": 1, "mode": "remote-import", "name": "web1.example",
    "source_instance_name": "web1.example", "disk_template": "plain", "hypervisor": "kvm",
    "os": "debootstrap+default", "compress": "none", "start": true, "wait_for_sync": false,
    "ip_check": false, "name_check": false, "tags": ["prod"],
    "disks": [{"size": 10240, "mode": "rw"}, {"size": 512, "mode": "ro", "spindles": 1, "name": "swap"},
              {"size": 256, "mode": "rw"}],
    "nics": [{"mac": "aa:00:00:00:00:01", "mode": "bridged", "link": "br-rzn-205"},
             {"name": "lan", "mac": "aa:00:00:00:00:02", "ip": "192.0.2.7", "network": "lan-net"},
             {"mac": "aa:00:00:00:00:03", "mode": "openvswitch", "link": "ovs", "vlan": ".100"}],
    "beparams": {"maxmem": 512, "minmem": 512}, "hvparams": {"acpi": false, "boot_order": "disk"},
    "osparams": {"mirror": "http://d/"}})")
                      ->get_object())
      << json::serialize(body);
}

TEST(MovePlan, what_is_said_takes_the_place_of_what_was) {
  Placement placement{.name = "web2.example",
                      .primary_node = "n1",
                      .secondary_node = "n2",
                      .disk_template = "drbd",
                      .volume_group = "vms_ssd",
                      .compress = "gzip-fast",
                      .beparams = {{"memory", "2G"}, {"vcpus", "2"}},
                      .hvparams = {{"acpi", nullptr}, {"boot_order", "cdrom"}},
                      .osparams = {{"mirror", "http://e/"}}};
  auto const body = plan(placement);
  EXPECT_EQ(shown(body, "name"), R"("web2.example")");
  EXPECT_EQ(shown(body, "source_instance_name"), R"("web1.example")");
  EXPECT_EQ(shown(body, "pnode") + shown(body, "snode"), R"("n1""n2")");
  EXPECT_EQ(shown(body, "disk_template"), R"("drbd")");
  EXPECT_EQ(shown(body, "compress"), R"("gzip-fast")");
  for (auto const& disk : list_in(body, "disks")) EXPECT_EQ(text_in(disk, "vg"), "vms_ssd");
  EXPECT_EQ(shown(body, "beparams"), R"({"maxmem":2048,"minmem":2048,"vcpus":2})");
  EXPECT_EQ(shown(body, "hvparams"), R"({"boot_order":"cdrom"})");
  EXPECT_EQ(shown(body, "osparams"), R"({"mirror":"http://e/"})");
}

TEST(MovePlan, nics_are_changed_by_their_numbers) {
  auto const nic = [](std::vector<std::string> const& given, std::size_t index) {
    auto const all = list_in(plan({.nics = nics(given)}), "nics");
    return json::serialize(all.at(index));
  };
  EXPECT_EQ(nic({"0:link=br-gnd-200"}, 0),
            R"({"mac":"aa:00:00:00:00:01","mode":"bridged","link":"br-gnd-200"})");
  EXPECT_EQ(nic({"0:network=there"}, 0), R"({"mac":"aa:00:00:00:00:01","network":"there"})");
  EXPECT_EQ(nic({"0:bridge=br-gnd-200"}, 0),
            R"({"mac":"aa:00:00:00:00:01","mode":"bridged","bridge":"br-gnd-200"})");
  // Whoever names a link wants no network.
  EXPECT_EQ(nic({"1:link=br-gnd-200,ip="}, 1),
            R"({"name":"lan","mac":"aa:00:00:00:00:02","link":"br-gnd-200","mode":"bridged"})");
  EXPECT_EQ(
      nic({"1:network=none"}, 1),
      R"({"name":"lan","mac":"aa:00:00:00:00:02","ip":"192.0.2.7","mode":"bridged","link":"br-lan"})");
  EXPECT_EQ(nic({"2:vlan=,mac=generate"}, 2),
            R"({"mac":"generate","mode":"openvswitch","link":"ovs","antispoof":"true"})");
  EXPECT_EQ(nic({"2:link=x"}, 0),
            R"({"mac":"aa:00:00:00:00:01","mode":"bridged","link":"br-rzn-205"})");
}

TEST(MovePlan, what_ganeti_does_not_know_goes_to_flotte_only) {
  EXPECT_EQ(text_in(list_in(plan({}, true), "nics").at(2), "antispoof"), "true");
  EXPECT_EQ(text_in(list_in(plan({}, false), "nics").at(2), "antispoof"), "");
}

TEST(MovePlan, an_instance_without_an_os_has_none) {
  auto without = machine();
  without.info.get_object()["os"] = "";
  EXPECT_FALSE(creation_of(without, {}, {})->contains("os"));
}

TEST(MovePlan, all_that_is_wrong_is_said_at_once) {
  auto const text = complaint({.disk_template = "file",
                               .volume_group = "vms",
                               .hvparams = {{"nosuch", "1"}},
                               .nics = nics({"3:link=br0"})});
  EXPECT_THAT(text, HasSubstr("--vg-name: disks of the template 'file' are in no volume group"));
  EXPECT_THAT(text, HasSubstr("--net 3: the instance has 3 NICs"));
  EXPECT_THAT(text, HasSubstr("nosuch"));
  auto const odd = creation_of({json::object{{"name", "x"}}, {}, true}, {}, {});
  ASSERT_FALSE(odd);
}

TEST(MovePlan, nics_that_cannot_be) {
  for (auto const& [given, why] : std::vector<std::pair<std::string, std::string>>{
           {"link=br0", "Invalid NIC index passed: 'link=br0'"},
           {"-1:link=br0", "Invalid NIC index passed"},
           {"100:link=br0", "Invalid NIC index passed"},
           {"0:lnk=br0", "a NIC has no parameter 'lnk'"},
           {"0:link", "'link' has no value"},
           {"0:link=a,link=b", "Duplicate key 'link'"}}) {
    auto const parsed = parse_nics({given});
    ASSERT_FALSE(parsed) << given;
    EXPECT_THAT(parsed.error().message, HasSubstr(why));
  }
}

TEST(MovePlan, credentials_must_be_whole) {
  auto const prepared = *schema::parse(
      R"({"handshake": [0, "h", "s"], "x509_ca": "PEM", "x509_key_name": ["k", "h", "s"]})");
  auto const body = with_credentials({}, prepared);
  ASSERT_TRUE(body);
  EXPECT_EQ(json::serialize(*body), R"({"source_handshake":[0,"h","s"],"source_x509_ca":"PEM"})");
  for (auto const* key : {"handshake", "x509_ca", "x509_key_name"}) {
    auto part = prepared.get_object();
    part.erase(key);
    EXPECT_FALSE(with_credentials({}, part)) << key;
  }
  EXPECT_FALSE(with_credentials({}, nullptr));
}

}  // namespace
}  // namespace flotte::cli
