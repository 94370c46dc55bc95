#include "node/network/nics.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>

#include "node/network/bridge_vlans.h"
#include "node/network/open_vswitch.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

rpc::NicSpec nic(std::optional<std::string> ip = std::nullopt) {
  rpc::NicSpec spec;
  spec.nic.uuid = NicId("22222222-0000-4000-8000-000000000000");
  spec.nic.mac = "aa:00:00:11:22:33";
  spec.nic.ip = std::move(ip);
  spec.params = {{"mode", "bridged"}, {"link", "br0"}, {"vlan", ".5"}, {"antispoof", true}};
  return spec;
}

std::string rules(rpc::NicSpec const& spec) {
  auto const made = antispoof_rules(spec, "NIC 0 of web1");
  return made ? fmt::format("\n{}\n", fmt::join(*made, "\n")) : made.error().message;
}

TEST(Antispoof, with_an_ipv4_address) {
  EXPECT_EQ(rules(nic("192.0.2.5")), R"(
ether saddr != aa:00:00:11:22:33 drop comment "NIC 0 of web1"
meta protocol 0x8035 accept
arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation { request, reply } arp saddr ether aa:00:00:11:22:33 arp saddr ip { 0.0.0.0, 192.0.2.5 } accept
meta protocol ip udp sport 67 drop
ip saddr 192.0.2.5 accept
ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
meta protocol ip6 udp sport 547 drop
meta protocol ip6 frag nexthdr { 0, 43, 60 } drop
icmpv6 type { nd-router-advert, nd-redirect } drop
icmpv6 type nd-neighbor-solicit ip6 length 24 accept
icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,64 0x0101aa0000112233 accept
ip6 saddr :: icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,8 14 accept
icmpv6 type nd-neighbor-advert ip6 length 24 accept
icmpv6 type nd-neighbor-advert ip6 length 32 @th,192,64 0x0201aa0000112233 accept
icmpv6 type nd-router-solicit ip6 length 8 accept
icmpv6 type nd-router-solicit ip6 length 16 @th,64,64 0x0101aa0000112233 accept
icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } drop
meta protocol ip6 accept
)");
}

TEST(Antispoof, with_an_ipv6_address) {
  EXPECT_EQ(rules(nic("2001:DB8::0:5")), R"(
ether saddr != aa:00:00:11:22:33 drop comment "NIC 0 of web1"
meta protocol 0x8035 accept
arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation { request, reply } arp saddr ether aa:00:00:11:22:33 accept
meta protocol ip udp sport 67 drop
meta protocol ip accept
meta protocol ip6 udp sport 547 drop
meta protocol ip6 frag nexthdr { 0, 43, 60 } drop
icmpv6 type { nd-router-advert, nd-redirect } drop
ip6 saddr != { ::, fe80::/10, 2001:db8::5 } drop
icmpv6 type nd-neighbor-advert @th,64,10 != 0x3fa @th,64,128 != 0x20010db8000000000000000000000005 drop
ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,10 != 0x3fa @th,64,128 != 0x20010db8000000000000000000000005 drop
icmpv6 type nd-neighbor-solicit ip6 length 24 accept
icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,64 0x0101aa0000112233 accept
ip6 saddr :: icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,8 14 accept
icmpv6 type nd-neighbor-advert ip6 length 24 accept
icmpv6 type nd-neighbor-advert ip6 length 32 @th,192,64 0x0201aa0000112233 accept
icmpv6 type nd-router-solicit ip6 length 8 accept
icmpv6 type nd-router-solicit ip6 length 16 @th,64,64 0x0101aa0000112233 accept
icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } drop
meta protocol ip6 accept
)");
}

TEST(Antispoof, without_an_address_the_mac_alone_is_held) {
  auto const made = rules(nic());
  EXPECT_THAT(made, ::testing::HasSubstr("\nmeta protocol ip accept\n"));
  EXPECT_THAT(made, Not(::testing::HasSubstr("saddr ip ")));
  EXPECT_THAT(made, Not(::testing::HasSubstr("ip6 saddr !=")));
}

TEST(Antispoof, words_of_others_never_become_rules) {
  auto evil = nic("192.0.2.5; flush ruleset");
  EXPECT_EQ(rules(evil), "'192.0.2.5; flush ruleset' is no IP address");
  evil = nic();
  evil.nic.mac = "aa:00:00:11:22:33 accept";
  EXPECT_EQ(rules(evil), "'aa:00:00:11:22:33 accept' is no MAC address");
  auto const made = antispoof_rules(nic(), "NIC 0 of \" accept\nflush ruleset");
  EXPECT_EQ(made->front(),
            "ether saddr != aa:00:00:11:22:33 drop comment \"NIC 0 of  acceptflush ruleset\"");
  sys::SystemProcesses processes;
  EXPECT_FALSE(Antispoof(processes).put(nic(), "tap0; flush ruleset", ""));
}

// --- What passes, on a bridge of our own

std::string bytes(std::string_view hex) {
  std::string made;
  std::string digits;
  for (char const c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    made += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return made;
}

constexpr auto all = "ffffffffffff";
constexpr auto own = "aa0000112233";
constexpr auto foreign = "aa0000112299";

std::string frame(std::string_view source, std::string_view rest) {
  auto made = bytes(fmt::format("{}{}{}", all, source, rest));
  constexpr std::size_t bytes_min = 60;
  if (made.size() < bytes_min) made.resize(bytes_min);
  return made;
}
std::string arp(std::string_view mac, std::string_view ip) {
  return fmt::format("0806 0001 0800 06 04 0001 {} {} 000000000000 c0000209", mac, ip);
}
std::string udp4(std::string_view source, std::string_view ports) {
  auto const header = [&](std::uint32_t sum) {
    return fmt::format("45 00 001c 0000 0000 40 11 {:04x} {} c0000209", sum, source);
  };
  std::uint32_t sum = 0;
  auto const words = bytes(header(0));
  for (std::size_t i = 0; i < words.size(); i += 2) {
    auto const high = static_cast<unsigned char>(words[i]);
    sum += static_cast<std::uint32_t>(high << 8U) + static_cast<unsigned char>(words[i + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return fmt::format("{} {} 0008 0000", header(~sum & 0xffff), ports);
}
std::string ip6(std::string_view source, std::string_view next, std::string_view payload) {
  return fmt::format("86dd 60000000 {:04x} {} ff {} ff020000000000000000000000000001 {}",
                     bytes(payload).size(), next, source, payload);
}
std::string icmp6(std::string_view source, std::string_view message) {
  return ip6(source, "3a", message);
}

constexpr auto link_local = "fe80000000000000a80000fffe112233";
constexpr auto own_v6 = "20010db8000000000000000000000005";
constexpr auto foreign_v6 = "20010db8000000000000000000000006";

struct Sent {
  char const* what;
  std::string bytes;
  bool passes;
};

// Two taps on a bridge: what a guest sends into the first comes out of the second, or doesn't.
class Wire {
 public:
  Wire() : guest_(tap()), other_(tap()), antispoof_(processes_) {
    run({"ip", "link", "add", "fltbridge", "type", "bridge"});
    run({"ip", "link", "set", "fltbridge", "up"});
    for (auto const* end : {&guest_, &other_}) {
      auto const attached = sys::attach_to_bridge(end->name, "fltbridge");
      auto const is_up = sys::set_up(end->name);
      if (!attached || !is_up) throw std::runtime_error("no bridge");
    }
  }
  ~Wire() {
    ::close(guest_.fd);
    ::close(other_.fd);
  }
  Wire(Wire const&) = delete;
  Wire& operator=(Wire const&) = delete;

  void expect(std::vector<Sent> const& frames) {
    int number = 0;
    for (auto const& [what, content, passes] : frames) {
      EXPECT_EQ(comes_through(content, ++number), passes) << what;
    }
  }
  Antispoof const& antispoof() const { return antispoof_; }
  std::string const& tap_name() const { return guest_.name; }
  // The guest's tap goes, and another one comes by the same name.
  void replace_tap() {
    auto const name = guest_.name;
    ::close(guest_.fd);
    guest_ = tap();
    if (guest_.name != name) throw std::runtime_error("another name");
    auto const attached = sys::attach_to_bridge(name, "fltbridge");
    if (!attached || !sys::set_up(name)) throw std::runtime_error("no bridge");
  }
  void run(std::vector<std::string> argv) {
    auto const done = sys::run_checked(processes_, {.argv = std::move(argv)});
    if (!done) throw std::runtime_error(done.error().message);
  }

 private:
  static sys::Tap tap() {
    auto made = sys::make_tap(false);
    if (!made) throw std::runtime_error(made.error().message);
    return *made;
  }

  // A frame that always passes follows: what has not come before it doesn't come.
  bool comes_through(std::string const& content, int number) const {
    auto const end = frame(own, arp(own, "00000000") + fmt::format("{:08x}", number));
    for (auto const& one : {content, end}) {
      if (::write(guest_.fd, one.data(), one.size()) < 0) throw std::runtime_error("no tap");
    }
    std::set<std::string> seen;
    constexpr int patience_ms = 5000;
    for (pollfd ready{other_.fd, POLLIN, 0}; ::poll(&ready, 1, patience_ms) > 0;) {
      std::array<char, 2048> buffer{};
      auto const got = ::read(other_.fd, buffer.data(), buffer.size());
      std::string const came(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (without_padding(came) == without_padding(end)) {
        return seen.contains(without_padding(content));
      }
      seen.insert(without_padding(came));
    }
    throw std::runtime_error("nothing comes through");
  }
  // Which a bridge may take away.
  static std::string without_padding(std::string text) {
    text.erase(text.find_last_not_of('\0') + 1);
    return text;
  }

  sys::Tap guest_;
  sys::Tap other_;
  sys::SystemProcesses processes_;
  Antispoof antispoof_;
};

// In a network of its own: that of a thread, and of the programs that it runs.
template <class Function>
void on_a_wire(Function function) {
  std::string why;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) {
      why = "needs a network of its own";
    } else if (auto const checked = Antispoof::check(); !checked) {
      why = checked.error().message;
    } else {
      try {
        Wire wire;
        function(wire);
      } catch (std::exception const& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }).join();
  if (!why.empty()) GTEST_SKIP() << why;
}

TEST(AntispoofOnTheWire, a_guest_with_an_ipv4_address) {
  on_a_wire([](Wire& wire) {
    auto const spec = nic("192.0.2.5");
    ASSERT_TRUE(wire.antispoof().put(spec, wire.tap_name(), "NIC 0 of web1"));
    auto const offer = udp4("c0000205", "0043 0044");
    auto const advert = [](std::string_view message) {
      return frame(own, icmp6(link_local, message));
    };
    std::string const target = "20000000 fe80000000000000a80000fffe112233";
    wire.expect({
        {"ARP", frame(own, arp(own, "c0000205")), true},
        {"ARP for another's address", frame(own, arp(own, "c0000206")), false},
        {"ARP with another's MAC", frame(own, arp(foreign, "c0000205")), false},
        {"ARP from another MAC", frame(foreign, arp(own, "c0000205")), false},
        {"ARP of another form", frame(own, "0806 0006 0800 06 04 0001 aa0000112299 c0000206"),
         false},
        {"RARP after a migration", frame(own, "8035 0001 0800 06 04 0003 aa0000112233"), true},
        {"IPv4", frame(own, "0800" + udp4("c0000205", "1234 1234")), true},
        {"IPv4 from another MAC", frame(foreign, "0800" + udp4("c0000205", "1234 1234")), false},
        {"IPv4 from another address", frame(own, "0800" + udp4("c0000206", "1234 1234")), false},
        {"DHCP question", frame(own, "0800" + udp4("00000000", "0044 0043")), true},
        {"something else from nobody", frame(own, "0800" + udp4("00000000", "1234 0043")), false},
        {"DHCP answer", frame(own, "0800" + offer), false},
        {"IPv4 on a VLAN", frame(own, "8100 0005 0800" + udp4("c0000205", "1234 1234")), true},
        {"another's IPv4 on a VLAN", frame(own, "8100 0005 0800" + udp4("c0000206", "1234 1234")),
         false},
        {"DHCP answer on a VLAN", frame(own, "8100 0005 0800" + offer), false},
        {"a VLAN in a VLAN", frame(own, "8100 0005 8100 0006 0800" + udp4("c0000205", "1234 1234")),
         false},
        {"IPv6", frame(own, ip6(own_v6, "11", "1234 1234 0008 0000")), true},
        {"DHCPv6 answer", frame(own, ip6(own_v6, "11", "0223 0222 0008 0000")), false},
        {"router advertisement", advert("86 00 0000 40 00 0708 00000000 00000000"), false},
        {"redirect", advert("89 00 0000" + std::string(72, '0')), false},
        {"neighbour advertisement", advert("88 00 0000" + target + "02 01 aa0000112233"), true},
        {"one without a MAC", advert("88 00 0000" + target), true},
        {"one with another's MAC", advert("88 00 0000" + target + "02 01 aa0000112299"), false},
        {"one with another's MAC behind a nonce",
         advert("88 00 0000" + target + "0e 01 000000000000 02 01 aa0000112299"), false},
        {"solicitation", advert("87 00 0000" + target + "01 01 aa0000112233"), true},
        {"one with another's MAC", advert("87 00 0000" + target + "01 01 aa0000112299"), false},
        {"is this address free",
         frame(own, icmp6(std::string(32, '0'), "87 00 0000" + target + "0e 01 123456789abc")),
         true},
        {"router solicitation", advert("85 00 0000 00000000 01 01 aa0000112233"), true},
        {"one with another's MAC", advert("85 00 0000 00000000 01 01 aa0000112299"), false},
        {"a kind hidden in a later fragment",
         frame(own, ip6(own_v6, "2c", "3c 00 0001 00000001 3a 00 0000 00000000")), false},
        {"ping", advert("80 00 0000 00010001"), true},
        {"spanning tree", frame(own, "0026 42 42 03 0000 00 00"), false},
    });
  });
}

TEST(AntispoofOnTheWire, a_guest_with_an_ipv6_address) {
  on_a_wire([](Wire& wire) {
    ASSERT_TRUE(wire.antispoof().put(nic("2001:db8::5"), wire.tap_name(), "NIC 0 of web1"));
    auto const advert_for = [](std::string_view target) {
      return frame(own,
                   icmp6(own_v6, fmt::format("88 00 0000 20000000 {} 02 01 aa0000112233", target)));
    };
    auto const free = [](std::string_view target) {
      return frame(own, icmp6(std::string(32, '0'), fmt::format("87 00 0000 00000000 {}", target)));
    };
    constexpr auto payload = "1234 1234 0008 0000";
    wire.expect({
        {"own", frame(own, ip6(own_v6, "11", payload)), true},
        {"link-local", frame(own, ip6(link_local, "11", payload)), true},
        {"another's", frame(own, ip6(foreign_v6, "11", payload)), false},
        {"advertisement", advert_for(own_v6), true},
        {"link-local advertisement", advert_for(link_local), true},
        {"another's advertisement", advert_for(foreign_v6), false},
        {"is this address free", free(own_v6), true},
        {"is another's address free", free(foreign_v6), false},
        {"any IPv4", frame(own, "0800" + udp4("c0000206", "1234 1234")), true},
    });
  });
}

TEST(AntispoofOnTheWire, rules_come_and_go) {
  on_a_wire([](Wire& wire) {
    auto const spec = nic("192.0.2.5");
    auto const& antispoof = wire.antispoof();
    auto const& tap = wire.tap_name();
    auto const stray = frame(own, "0800" + udp4("c0000206", "1234 1234"));
    EXPECT_FALSE(antispoof.is_in_place(spec, tap));
    ASSERT_TRUE(antispoof.remove(tap));
    wire.expect({{"before", stray, true}});
    ASSERT_TRUE(antispoof.put(spec, tap, "NIC 0 of web1"));
    ASSERT_TRUE(antispoof.put(spec, tap, "NIC 0 of web1"));
    EXPECT_TRUE(antispoof.is_in_place(spec, tap));
    wire.expect({{"with rules", stray, false}});
    ASSERT_TRUE(antispoof.put(nic("192.0.2.6"), tap, "NIC 0 of web1"));
    wire.expect({{"with other rules", stray, true}});
    wire.run({"nft", "flush", "ruleset"});
    EXPECT_FALSE(antispoof.is_in_place(spec, tap));
    ASSERT_TRUE(antispoof.put(spec, tap, "NIC 0 of web1"));
    EXPECT_TRUE(antispoof.is_in_place(spec, tap));
    ASSERT_TRUE(antispoof.remove(tap));
    EXPECT_FALSE(antispoof.is_in_place(spec, tap));
    wire.expect({{"without rules", stray, true}});
    ASSERT_TRUE(antispoof.remove(tap));
    // Newer kernels keep a chain for the next tap of that name.
    ASSERT_TRUE(antispoof.put(spec, tap, "NIC 0 of web1"));
    wire.replace_tap();
    ASSERT_TRUE(antispoof.remove(tap));
    wire.expect({{"on another tap of that name", stray, true}});
  });
}

TEST(NicScripts, are_told_what_ganeti_tells_them) {
  rpc::InstanceSpec spec;
  spec.name = "web1";
  spec.tags = {"blue", "owner:joe"};
  spec.nics = {nic(), nic("192.0.2.5")};
  spec.nics[1].nic.name = "lan";
  EXPECT_THAT(nic_environment(spec, 1, "tap7", "down"),
              UnorderedElementsAre(Pair("PATH", "/sbin:/bin:/usr/sbin:/usr/bin"),
                                   Pair("ACTION", "down"), Pair("INSTANCE", "web1"),
                                   Pair("MAC", "aa:00:00:11:22:33"), Pair("IP", "192.0.2.5"),
                                   Pair("MODE", "bridged"), Pair("INTERFACE", "tap7"),
                                   Pair("INTERFACE_INDEX", "1"), Pair("INTERFACE_NAME", "lan"),
                                   Pair("INTERFACE_UUID", "22222222-0000-4000-8000-000000000000"),
                                   Pair("LINK", "br0"), Pair("BRIDGE", "br0"), Pair("VLAN", ".5"),
                                   Pair("TAGS", "blue owner:joe")));
  spec.nics[0].params = {{"mode", "routed"}, {"link", ""}, {"vlan", ""}};
  auto const bare = nic_environment(spec, 0, "tap7", "up");
  EXPECT_EQ(bare.at("VLAN"), "");
  for (auto const* name : {"IP", "LINK", "BRIDGE", "INTERFACE_NAME"}) {
    EXPECT_FALSE(bare.contains(name)) << name;
  }
}

// Notes what is run.
class Noting final : public sys::Processes {
 public:
  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    commands.push_back(fmt::format("{}", fmt::join(command.argv, " ")));
    return sys::Finished{};
  }
  std::vector<std::string> commands;
};

TEST(BridgeVlans, a_port_is_on_those_it_is_given_and_on_no_others) {
  Noting processes;
  ASSERT_TRUE(set_bridge_vlans(processes, "nosuch", "tap0", *model::parse_vlans(".4:5:6")));
  EXPECT_THAT(processes.commands,
              ElementsAre("bridge vlan del dev tap0 vid 1-4094",
                          "bridge vlan add dev tap0 vid 4 pvid untagged",
                          "bridge vlan add dev tap0 vid 5", "bridge vlan add dev tap0 vid 6"));
}

TEST(BridgeVlans, those_that_a_port_has) {
  auto const ranges = vlan_ranges(
      R"([{"ifname":"eth0","vlans":[{"vlan":1,"flags":["PVID"]},{"vlan":10,"vlanEnd":20}]}])");
  ASSERT_TRUE(ranges);
  EXPECT_THAT(*ranges, ElementsAre(Pair(1, 1), Pair(10, 20)));
  EXPECT_TRUE(vlan_ranges("[]")->empty());
  EXPECT_TRUE(vlan_ranges("")->empty());
  EXPECT_FALSE(vlan_ranges("{}"));
}

TEST(BridgeVlans, an_interface_that_takes_them_first) {
  constexpr auto config =
      "VLAN Dev name    | VLAN ID\n"
      "Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n"
      "eth0.5         | 5  | eth0\n"
      "lan            | 6  | eth1\n";
  EXPECT_EQ(vlan_interface_on(config, {"eth0"}, 5), "eth0.5");
  EXPECT_EQ(vlan_interface_on(config, {"eth0", "eth1"}, 6), "lan");
  EXPECT_EQ(vlan_interface_on(config, {"eth0"}, 6), "");
  EXPECT_EQ(vlan_interface_on("", {"eth0"}, 6), "");
}

TEST(OpenVswitch, vlans_are_columns_of_the_port) {
  auto const columns = [](std::string_view text) {
    return fmt::format("{}", fmt::join(open_vswitch_columns(*model::parse_vlans(text)), " "));
  };
  EXPECT_EQ(columns(""), "");
  EXPECT_EQ(columns(".5"), "tag=5");
  EXPECT_EQ(columns(":5:6"), "trunks=5,6");
  EXPECT_EQ(columns(".4:5:6"), "tag=4 trunks=5,6 vlan_mode=native-untagged");
}

}  // namespace
}  // namespace flotte::node
