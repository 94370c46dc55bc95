// Bridges and taps, through the kernel's own calls (netdevice(7), linux/if_tun.h). Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace flotte::sys {

bool is_bridge(std::string const& name);
bool is_tap(std::string const& name);
bool is_interface(std::string const& name);
// Whether a bridge tells VLANs apart.
bool filters_vlans(std::string const& bridge);
std::vector<std::string> ports_of(std::string const& bridge);
// On any of this machine's interfaces.
bool has_address(std::string const& ip);

// Whether a server could listen at an address: its own, any, or one of its loopback.
bool can_listen_at(std::string const& ip);

struct Tap {
  int fd = -1;  // the caller's to close; the tap goes with its last descriptor
  std::string name;
};
// The kernel chooses the name. Without close-on-exec: it is made to be inherited by QEMU.
Result<Tap> make_tap(bool vnet_hdr);
// With the bridge's MTU and a MAC that starts with fe, so that the bridge keeps its own. It is not
// set up: as long as it is down nothing goes through.
Result<void> attach_to_bridge(std::string const& tap, std::string const& bridge);
Result<void> set_up(std::string const& name);

// The first address of an interface, IPv4 before IPv6; empty when it has none, or isn't there.
std::string address_of(std::string const& interface);

// Asks an address for anything at all, so that the kernel learns whether somebody has it; returns
// as soon as somebody answers, or when the patience is at its end.
void touch_address(std::string const& ip, std::chrono::milliseconds patience);

}  // namespace flotte::sys
