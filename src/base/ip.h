// Addresses as text. Pure; use from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte {

// An IPv4 or IPv6 address as the kernel and ip(8) write it: of one address there is one text. What
// is none stays as it is.
std::string canonical_ip(std::string const& text);

// 192.0.2.1 as a number, and back; nothing for what is no IPv4 address.
std::optional<std::uint32_t> ipv4_number(std::string_view text);
std::string ipv4_text(std::uint32_t number);

bool is_ipv6(std::string const& text);

struct Ipv4Network {
  std::uint32_t address = 0;  // its first
  int prefix = 0;
};
// 192.0.2.0/24. WrongInput: it isn't one, or names an address inside of it.
Result<Ipv4Network> parse_ipv4_network(std::string const& text);

// False also for what is neither.
bool is_in_ipv4_network(std::string_view address, std::string const& network);

// 2001:db8::/64, with no bit set behind the prefix.
bool is_ipv6_network(std::string const& text);
// Also link-local ones, which every network has.
bool is_in_ipv6_network(std::string const& address, std::string const& network);

}  // namespace flotte
