// Where the node daemon listens, and how long hooks may take: the rules of
// <prefix>/etc/default/flotte. Pure but for reading that file and the remembered port.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/paths.h"
#include "base/result.h"

namespace flotte::node {

struct ListenSettings {
  std::string address;
  std::uint16_t port = 0;  // 0: the kernel chooses
};

// The file's NODED_BIND and NODED_PORT; without them the standard port on all addresses, or with a
// prefix root the loopback's and the port that was taken the last time.
Result<ListenSettings> listen_settings(Paths const& paths);

// How long the hooks of an operation may take on this node: the file's HOOKS_TIMEOUT in seconds;
// without it an hour.
Result<std::chrono::seconds> hooks_time_limit(Paths const& paths);

}  // namespace flotte::node
