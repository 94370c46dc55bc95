#include "base/ip.h"

#include <arpa/inet.h>

#include <array>

#include "base/text.h"

namespace flotte {
namespace {

using Ipv6 = std::array<unsigned char, sizeof(in6_addr)>;
constexpr int ipv4_bits = 32;
constexpr int ipv6_bits = 128;

// The whole text: inet_pton() sees nothing behind a NUL.
bool parse(int family, std::string const& text, void* into) {
  return text.find('\0') == std::string::npos && ::inet_pton(family, text.c_str(), into) == 1;
}

std::optional<Ipv6> ipv6_bytes(std::string const& text) {
  Ipv6 address{};
  if (!parse(AF_INET6, text, address.data())) return std::nullopt;
  return address;
}

bool bit(Ipv6 const& address, int place) {
  auto const at = static_cast<std::size_t>(place);
  return ((address[at / 8] >> (7 - at % 8)) & 1) != 0;
}

struct Cidr {
  std::string address;
  int prefix;
};

std::optional<Cidr> split(std::string const& text, int bits) {
  auto const slash = text.find('/');
  if (slash == std::string::npos) return Cidr{text, bits};
  auto const digits = std::string_view(text).substr(slash + 1);
  auto const is_plain = !digits.starts_with('+') && (digits == "0" || !digits.starts_with('0'));
  auto const prefix = is_plain ? whole_number(digits) : std::nullopt;
  if (!prefix || *prefix < 0 || *prefix > bits) return std::nullopt;
  return Cidr{text.substr(0, slash), static_cast<int>(*prefix)};
}

}  // namespace

std::string canonical_ip(std::string const& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  for (auto const family : {AF_INET, AF_INET6}) {
    if (!parse(family, text, address.data())) continue;
    if (::inet_ntop(family, address.data(), written.data(), written.size())) return written.data();
  }
  return text;
}

std::optional<std::uint32_t> ipv4_number(std::string_view text) {
  in_addr address{};
  if (!parse(AF_INET, std::string(text), &address)) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string ipv4_text(std::uint32_t number) {
  in_addr const address{.s_addr = htonl(number)};
  std::array<char, INET_ADDRSTRLEN> written{};
  return ::inet_ntop(AF_INET, &address, written.data(), written.size());
}

bool is_ipv6(std::string const& text) {
  return ipv6_bytes(text).has_value();
}

Result<Ipv4Network> parse_ipv4_network(std::string const& text) {
  auto const cidr = split(text, ipv4_bits);
  auto const address = cidr ? ipv4_number(cidr->address) : std::nullopt;
  if (!address) {
    return fail(ErrorCode::WrongInput,
                "Invalid network '{}': an IPv4 network is written as 192.0.2.0/24", text);
  }
  auto const mask = cidr->prefix == 0 ? 0U : ~std::uint32_t{0} << (ipv4_bits - cidr->prefix);
  if ((*address & ~mask) != 0) {
    return fail(ErrorCode::WrongInput, "Invalid network '{}': the network of this address is {}/{}",
                text, ipv4_text(*address & mask), cidr->prefix);
  }
  return Ipv4Network{*address, cidr->prefix};
}

bool is_in_ipv4_network(std::string_view address, std::string const& network) {
  auto const number = ipv4_number(address);
  auto const known = parse_ipv4_network(network);
  if (!number || !known || *number < known->address) return false;
  return (std::uint64_t{*number} - known->address) >> (ipv4_bits - known->prefix) == 0;
}

bool is_ipv6_network(std::string const& text) {
  auto const cidr = split(text, ipv6_bits);
  auto const address = cidr ? ipv6_bytes(cidr->address) : std::nullopt;
  if (!address) return false;
  for (int i = cidr->prefix; i < ipv6_bits; ++i) {
    if (bit(*address, i)) return false;
  }
  return true;
}

bool is_in_ipv6_network(std::string const& address, std::string const& network) {
  auto const in = [&](std::string const& text) {
    auto const cidr = split(text, ipv6_bits);
    auto const first = cidr ? ipv6_bytes(cidr->address) : std::nullopt;
    auto const wanted = ipv6_bytes(address);
    if (!first || !wanted) return false;
    for (int i = 0; i < cidr->prefix; ++i) {
      if (bit(*first, i) != bit(*wanted, i)) return false;
    }
    return true;
  };
  return in(network) || in("fe80::/10");
}

}  // namespace flotte
