#include "node/daemon/identity.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <climits>
#include <memory>

namespace flotte::node {
namespace {

constexpr char loopback[] = "127.0.0.1";

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListDeleter>;

AddressList look_up(std::string const& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return {};
  return AddressList(found);
}

std::string text_of(sockaddr const* address) {
  char text[INET_ADDRSTRLEN] = {};
  // The list was asked for IPv4 only.
  auto const* ipv4 = reinterpret_cast<sockaddr_in const*>(address);
  ::inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof text);
  return text;
}

// The address that the kernel would send from. Nothing is sent: connecting a datagram socket only
// chooses a route.
std::string address_of_default_route() {
  constexpr char documentation_network[] = "192.0.2.1";
  constexpr std::uint16_t any_port = 9;
  int const socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return loopback;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(any_port);
  ::inet_pton(AF_INET, documentation_network, &address.sin_addr);
  socklen_t size = sizeof address;
  // sockaddr is how the kernel takes every family of addresses.
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  auto const is_known =
      ::connect(socket, generic, sizeof address) == 0 && ::getsockname(socket, generic, &size) == 0;
  ::close(socket);
  return is_known ? text_of(generic) : loopback;
}

}  // namespace

Identity machine_identity(Paths const& paths) {
  char host[HOST_NAME_MAX + 1] = {};
  ::gethostname(host, sizeof host - 1);
  Identity identity{host, loopback};
  auto const addresses = look_up(identity.name);
  if (addresses && addresses->ai_canonname) {
    std::string const canonical = addresses->ai_canonname;
    // "localhost" is what a careless hosts file makes of every name.
    if (canonical.find('.') != std::string::npos && !canonical.starts_with("localhost")) {
      identity.name = canonical;
    }
  }
  if (!paths.root().empty()) return identity;
  // Debian writes 127.0.1.1 for the machine's own name.
  for (auto const* entry = addresses.get(); entry; entry = entry->ai_next) {
    auto const address = text_of(entry->ai_addr);
    if (address.starts_with("127.")) continue;
    identity.primary_ip = address;
    return identity;
  }
  identity.primary_ip = address_of_default_route();
  return identity;
}

}  // namespace flotte::node
