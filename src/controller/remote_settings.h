// How the remote API listens: RAPI_ARGS of /etc/default/ganeti, the options that Ganeti's
// ganeti-rapi has (docs/ganeti.md, "Remote API").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/paths.h"
#include "base/result.h"

namespace flotte::controller {

struct RemoteSettings {
  bool is_on = true;
  std::string address = "0.0.0.0";
  std::uint16_t port = 5080;
  bool has_tls = true;
  std::string certificate_file;
  std::string key_file;  // empty: the key is in the certificate's file
  bool requires_authentication = false;
  std::size_t connections_max = 1024;

  bool operator==(RemoteSettings const&) const = default;
};

// WrongInput names the option. With a prefix root it is off, unless a port is named. Pure.
Result<RemoteSettings> parse_remote_settings(std::string_view arguments, Paths const& paths);
// What the file says now; without one what is usual.
Result<RemoteSettings> remote_settings(Paths const& paths);

}  // namespace flotte::controller
