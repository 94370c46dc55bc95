#include "sys/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "base/ip.h"
#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::sys {
namespace {

class ControlSocket {
 public:
  ControlSocket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~ControlSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  ControlSocket(ControlSocket const&) = delete;
  ControlSocket& operator=(ControlSocket const&) = delete;

  Result<void> control(unsigned long request, ifreq& what, std::string_view doing) {
    return judge(ioctl(fd_, request, &what, doing), what, doing);
  }
  Result<void> ask(unsigned long request, ifreq& what, std::string_view doing) {
    return judge(::ioctl(fd_, request, &what), what, doing);
  }

 private:
  static Result<void> judge(int answer, ifreq const& what, std::string_view doing) {
    if (answer == 0) return {};
    return fail(ErrorCode::EnvironmentError, "{} {}: {}", doing, what.ifr_name,
                std::strerror(errno));
  }

  int fd_;
};

Result<ifreq> request_for(std::string const& name) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name) {
    return fail(ErrorCode::WrongInput, "'{}' is no name of a network interface", name);
  }
  std::memcpy(request.ifr_name, name.data(), name.size());
  return request;
}

bool has_entry(std::string const& name, std::string_view entry) {
  return !name.empty() && name.find('/') == std::string::npos &&
         exists(fmt::format("/sys/class/net/{}/{}", name, entry));
}

}  // namespace

bool is_bridge(std::string const& name) {
  return has_entry(name, "bridge");
}

bool is_tap(std::string const& name) {
  return has_entry(name, "tun_flags");
}

bool is_interface(std::string const& name) {
  return has_entry(name, "ifindex");
}

bool filters_vlans(std::string const& bridge) {
  auto const text = read_file(fmt::format("/sys/class/net/{}/bridge/vlan_filtering", bridge));
  return text && text->starts_with('1');
}

std::vector<std::string> ports_of(std::string const& bridge) {
  return names_in(fmt::format("/sys/class/net/{}/brif", bridge));
}

bool can_listen_at(std::string const& ip) {
  sockaddr_storage address{};
  // A sockaddr_storage is made to hold either.
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    address.ss_family = AF_INET6;
  } else {
    return false;
  }
  int const fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  auto const size = address.ss_family == AF_INET ? sizeof *v4 : sizeof *v6;
  auto const bound =
      ::bind(fd, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) == 0;
  ::close(fd);
  return bound;
}

bool has_address(std::string const& ip) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  bool is_found = false;
  auto const wanted = canonical_ip(ip);
  for (auto const* one = all; one && !is_found; one = one->ifa_next) {
    if (!one->ifa_addr) continue;
    char text[INET6_ADDRSTRLEN] = {};
    auto const family = one->ifa_addr->sa_family;
    // The kernel's generic sockaddr, which is what its family says.
    if (family == AF_INET) {
      ::inet_ntop(family, &reinterpret_cast<sockaddr_in const*>(one->ifa_addr)->sin_addr, text,
                  sizeof text);
    } else if (family == AF_INET6) {
      ::inet_ntop(family, &reinterpret_cast<sockaddr_in6 const*>(one->ifa_addr)->sin6_addr, text,
                  sizeof text);
    }
    is_found = wanted == text;
  }
  ::freeifaddrs(all);
  return is_found;
}

Result<Tap> make_tap(bool vnet_hdr) {
  int const fd = ::open("/dev/net/tun", O_RDWR);
  if (fd < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't open /dev/net/tun: {}", std::strerror(errno));
  }
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (vnet_hdr ? IFF_VNET_HDR : 0));
  if (ioctl(fd, TUNSETIFF, &request, "tap") != 0) {
    auto failure = fail(ErrorCode::EnvironmentError, "Can't make a tap: {}", std::strerror(errno));
    ::close(fd);
    return failure;
  }
  return Tap{fd, request.ifr_name};
}

Result<void> attach_to_bridge(std::string const& tap, std::string const& bridge) {
  ControlSocket socket;
  auto of_bridge = TRY(request_for(bridge));
  TRY(socket.ask(SIOCGIFMTU, of_bridge, "Reading the MTU of"));
  auto request = TRY(request_for(tap));
  request.ifr_mtu = of_bridge.ifr_mtu;
  TRY(socket.control(SIOCSIFMTU, request, "Setting the MTU of"));
  request = TRY(request_for(tap));
  TRY(socket.ask(SIOCGIFHWADDR, request, "Reading the MAC of"));
  request.ifr_hwaddr.sa_data[0] = static_cast<char>(0xfe);
  TRY(socket.control(SIOCSIFHWADDR, request, "Setting the MAC of"));
  auto const index = ::if_nametoindex(tap.c_str());
  auto master = TRY(request_for(bridge));
  master.ifr_ifindex = static_cast<int>(index);
  if (auto added = socket.control(SIOCBRADDIF, master, "Attaching to"); !added) {
    return fail(ErrorCode::EnvironmentError, "Can't attach {} to bridge {}: {}", tap, bridge,
                added.error().message);
  }
  return {};
}

Result<void> set_up(std::string const& name) {
  ControlSocket socket;
  auto request = TRY(request_for(name));
  TRY(socket.ask(SIOCGIFFLAGS, request, "Reading the flags of"));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return socket.control(SIOCSIFFLAGS, request, "Setting up");
}

std::string address_of(std::string const& interface) {
  ifaddrs* all = nullptr;
  if (interface.empty() || ::getifaddrs(&all) != 0) return {};
  std::array<std::string, 2> found;
  for (auto const* one = all; one; one = one->ifa_next) {
    if (interface != one->ifa_name || !one->ifa_addr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    auto const is_v4 = one->ifa_addr->sa_family == AF_INET;
    if (!is_v4 && one->ifa_addr->sa_family != AF_INET6) continue;
    void const* address =
        is_v4 ? static_cast<void const*>(&reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr)
              : &reinterpret_cast<sockaddr_in6*>(one->ifa_addr)->sin6_addr;
    ::inet_ntop(one->ifa_addr->sa_family, address, text.data(), text.size());
    if (auto& place = found[is_v4 ? 0 : 1]; place.empty()) place = text.data();
  }
  ::freeifaddrs(all);
  return found[0].empty() ? found[1] : found[0];
}

void touch_address(std::string const& ip, std::chrono::milliseconds patience) {
  constexpr char const* discard_port = "9";
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(ip.c_str(), discard_port, &hints, &found) != 0) return;
  int const fd =
      ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  ::connect(fd, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  pollfd wanted{fd, POLLOUT, 0};
  ::poll(&wanted, 1, static_cast<int>(patience.count()));
  ::close(fd);
}

}  // namespace flotte::sys
