#include "node/network/antispoof.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "sys/nftables.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

constexpr auto nft_timeout = 20s;
constexpr auto table = "flotte";
constexpr std::size_t mac_bytes = 6;
constexpr std::size_t interface_bytes_max = 15;

// Words of nft's language are made of what was parsed, never of what was given.
Result<std::string> mac_of(model::Nic const& nic) {
  std::string digits;
  for (char const c : nic.mac) {
    if (std::isxdigit(static_cast<unsigned char>(c))) digits += c;
  }
  auto const is_mac = digits.size() == 2 * mac_bytes && nic.mac.size() == 3 * mac_bytes - 1;
  if (!is_mac) return fail(ErrorCode::WrongInput, "'{}' is no MAC address", nic.mac);
  return digits;
}

std::string with_colons(std::string const& digits) {
  std::string mac;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i % 2 == 0) mac += ':';
    mac += digits[i];
  }
  return mac;
}

struct Address {
  bool is_v6 = false;
  std::string text;
  std::string digits;  // of an IPv6 one
};

Result<std::optional<Address>> address_of(model::Nic const& nic) {
  if (!nic.ip) return std::optional<Address>();
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  Address address;
  for (auto const family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, nic.ip->c_str(), bytes.data()) != 1) continue;
    ::inet_ntop(family, bytes.data(), text.data(), text.size());
    address.is_v6 = family == AF_INET6;
    address.text = text.data();
    for (unsigned char const byte : bytes) address.digits += fmt::format("{:02x}", byte);
    return std::optional(address);
  }
  return fail(ErrorCode::WrongInput, "'{}' is no IP address", *nic.ip);
}

Result<void> check_tap(std::string const& tap) {
  auto const is_name = !tap.empty() && tap.size() <= interface_bytes_max &&
                       std::ranges::all_of(tap, [](unsigned char c) { return std::isalnum(c); });
  if (is_name) return {};
  return fail(ErrorCode::WrongInput, "'{}' is no tap of ours", tap);
}

std::string comment(std::string_view whose) {
  std::string text;
  for (unsigned char const c : whose) {
    if (std::isalnum(c) || c == '.' || c == '-' || c == ' ') text += static_cast<char>(c);
  }
  return text;
}

void add_arp(std::vector<std::string>& rules, std::string const& mac,
             std::optional<Address> const& address) {
  auto rule = fmt::format(
      "arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp operation {{ request, reply }} arp saddr "
      "ether {}",
      mac);
  // Who asks whether an address is free doesn't have it yet.
  if (address && !address->is_v6)
    rule += fmt::format(" arp saddr ip {{ 0.0.0.0, {} }}", address->text);
  rules.push_back(rule + " accept");
}

void add_ipv4(std::vector<std::string>& rules, std::optional<Address> const& address) {
  rules.emplace_back("meta protocol ip udp sport 67 drop");
  if (!address || address->is_v6) {
    rules.emplace_back("meta protocol ip accept");
    return;
  }
  rules.push_back(fmt::format("ip saddr {} accept", address->text));
  rules.emplace_back("ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
}

// Messages of neighbour discovery may hold options in any order, and the MAC address that others
// shall believe is one: only the forms that systems really send pass, nothing in front of it.
void add_ipv6(std::vector<std::string>& rules, std::string const& mac_digits,
              std::optional<Address> const& address) {
  rules.emplace_back("meta protocol ip6 udp sport 547 drop");
  // What could hide its kind in a later fragment.
  rules.emplace_back("meta protocol ip6 frag nexthdr { 0, 43, 60 } drop");
  rules.emplace_back("icmpv6 type { nd-router-advert, nd-redirect } drop");
  std::string own_target;
  if (address && address->is_v6) {
    rules.push_back(fmt::format("ip6 saddr != {{ ::, fe80::/10, {} }} drop", address->text));
    auto const foreign = fmt::format("@th,64,10 != 0x3fa @th,64,128 != 0x{}", address->digits);
    rules.push_back(fmt::format("icmpv6 type nd-neighbor-advert {} drop", foreign));
    rules.push_back(fmt::format("ip6 saddr :: icmpv6 type nd-neighbor-solicit {} drop", foreign));
  }
  constexpr auto with_source = "0x0101";
  constexpr auto with_target = "0x0201";
  rules.emplace_back("icmpv6 type nd-neighbor-solicit ip6 length 24 accept");
  rules.push_back(
      fmt::format("icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,64 {}{} accept",
                  with_source, mac_digits));
  // A nonce, of one who asks whether its address is free.
  rules.emplace_back(
      "ip6 saddr :: icmpv6 type nd-neighbor-solicit ip6 length 32 @th,192,8 14 accept");
  rules.emplace_back("icmpv6 type nd-neighbor-advert ip6 length 24 accept");
  rules.push_back(fmt::format("icmpv6 type nd-neighbor-advert ip6 length 32 @th,192,64 {}{} accept",
                              with_target, mac_digits));
  rules.emplace_back("icmpv6 type nd-router-solicit ip6 length 8 accept");
  rules.push_back(fmt::format("icmpv6 type nd-router-solicit ip6 length 16 @th,64,64 {}{} accept",
                              with_source, mac_digits));
  rules.emplace_back(
      "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } drop");
  rules.emplace_back("meta protocol ip6 accept");
}

}  // namespace

Result<std::vector<std::string>> antispoof_rules(rpc::NicSpec const& nic, std::string_view whose) {
  auto const digits = TRY(mac_of(nic.nic));
  auto const mac = with_colons(digits);
  auto const address = TRY(address_of(nic.nic));
  std::vector<std::string> rules;
  rules.push_back(fmt::format("ether saddr != {} drop comment \"{}\"", mac, comment(whose)));
  // With it QEMU tells switches where a guest is that has moved.
  rules.emplace_back("meta protocol 0x8035 accept");
  add_arp(rules, mac, address);
  add_ipv4(rules, address);
  add_ipv6(rules, digits, address);
  return rules;
}

Result<void> Antispoof::check() {
  for (auto const* directory : {"/sbin", "/bin", "/usr/sbin", "/usr/bin"}) {
    if (::access(fmt::format("{}/nft", directory).c_str(), X_OK) == 0) return {};
  }
  return fail(ErrorCode::EnvironmentError,
              "antispoof=yes needs nft on this node: install the package nftables, or set "
              "antispoof=no");
}

Result<void> Antispoof::put(rpc::NicSpec const& nic, std::string const& tap,
                            std::string_view whose) const {
  TRY(check_tap(tap));
  auto const chain = fmt::format("netdev {} {}", table, tap);
  auto text = fmt::format(
      "add table netdev {}\n"
      "add chain {} {{ type filter hook ingress device \"{}\" priority filter; policy drop; }}\n"
      "flush chain {}\n",
      table, chain, tap, chain);
  for (auto const& rule : TRY(antispoof_rules(nic, whose))) {
    text += fmt::format("add rule {} {}\n", chain, rule);
  }
  TRY(sys::run_checked(processes_, {.argv = {"nft", text}, .timeout = nft_timeout}));
  return {};
}

Result<void> Antispoof::remove(std::string const& tap) const {
  if (!sys::netdev_chain_rules(table, tap)) return {};
  auto const text =
      fmt::format("flush chain netdev {0} {1}\ndelete chain netdev {0} {1}\n", table, tap);
  auto const removed =
      sys::run_checked(processes_, {.argv = {"nft", text}, .timeout = nft_timeout});
  // The kernel may have been faster: a chain can go with its tap.
  if (removed || !sys::netdev_chain_rules(table, tap)) return {};
  return Failure(removed.error());
}

bool Antispoof::is_in_place(rpc::NicSpec const& nic, std::string const& tap) const {
  auto const wanted = antispoof_rules(nic, "");
  return !wanted || sys::netdev_chain_rules(table, tap) == wanted->size();
}

}  // namespace flotte::node
