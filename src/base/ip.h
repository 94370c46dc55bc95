// Addresses as text. Pure; use from any thread.
#pragma once

#include <string>

namespace flotte {

// An IPv4 or IPv6 address as the kernel and ip(8) write it: of one address there is one text. What
// is none stays as it is.
std::string canonical_ip(std::string const& text);

}  // namespace flotte
