#include "base/ip.h"

#include <arpa/inet.h>

#include <array>

namespace flotte {

std::string canonical_ip(std::string const& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  for (auto const family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), address.data()) != 1) continue;
    if (::inet_ntop(family, address.data(), written.data(), written.size())) return written.data();
  }
  return text;
}

}  // namespace flotte
