#include "node/daemon/settings.h"

#include <charconv>
#include <limits>

#include "base/text.h"
#include "node/daemon/state_files.h"
#include "rpc/node_calls.h"
#include "sys/defaults_file.h"

namespace flotte::node {
namespace {

Result<std::uint16_t> parse_port(std::string_view text, std::string_view where) {
  std::uint16_t port = 0;
  auto const* end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, port);
  if (parsed.ec == std::errc() && parsed.ptr == end && port != 0) return port;
  return fail(ErrorCode::WrongInput, "{}: '{}' is no port; one from 1 to {} is", where, text,
              std::numeric_limits<std::uint16_t>::max());
}

std::string defaults_of(Paths const& paths) {
  return paths.root() + "/etc/default/flotte";
}

}  // namespace

Result<ListenSettings> listen_settings(Paths const& paths) {
  auto const is_private = !paths.root().empty();
  ListenSettings settings{
      is_private ? "127.0.0.1" : "0.0.0.0",
      is_private ? std::uint16_t{0} : static_cast<std::uint16_t>(noded_port_default)};
  auto const defaults_file = defaults_of(paths);
  auto const defaults = TRY(read_state_file(defaults_file)).value_or("");
  if (auto const bind = sys::value_in_defaults(defaults, "NODED_BIND"); !bind.empty()) {
    settings.address = bind;
  }
  if (auto const port = sys::value_in_defaults(defaults, "NODED_PORT"); !port.empty()) {
    settings.port = TRY(parse_port(port, defaults_file));
    return settings;
  }
  // The configuration of the cluster holds the port, so a restart must find it again.
  if (auto const remembered = TRY(read_state_file(paths.node_port_file()));
      is_private && remembered) {
    settings.port = TRY(parse_port(trimmed(*remembered), paths.node_port_file()));
  }
  return settings;
}

Result<std::chrono::seconds> hooks_time_limit(Paths const& paths) {
  auto const defaults_file = defaults_of(paths);
  auto const defaults = TRY(read_state_file(defaults_file)).value_or("");
  auto const told = sys::value_in_defaults(defaults, "HOOKS_TIMEOUT");
  if (told.empty()) return std::chrono::seconds(rpc::hooks_timeout_s);
  std::int64_t seconds = 0;
  auto const* end = told.data() + told.size();
  auto const parsed = std::from_chars(told.data(), end, seconds);
  constexpr std::int64_t week = 7 * 24 * 3600;
  if (parsed.ec == std::errc() && parsed.ptr == end && seconds >= 1 && seconds <= week) {
    return std::chrono::seconds(seconds);
  }
  return fail(ErrorCode::WrongInput, "{}: HOOKS_TIMEOUT '{}' is no number of seconds from 1 to {}",
              defaults_file, told, week);
}

}  // namespace flotte::node
