#include "base/paths.h"

#include <fmt/format.h>

#include <cstdlib>

namespace flotte {

Paths Paths::from_environment() {
  auto const* root = std::getenv("FLOTTE_ROOT");
  std::string prefix = root ? root : "";
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  return Paths(prefix);
}

std::string Paths::daemon_pid_file(std::string_view daemon) const {
  auto const directory = daemon == "flotte-controllerd" ? controller_run() : run();
  return fmt::format("{}/{}.pid", directory, daemon);
}

std::string Paths::kvm_socket(std::string_view instance, std::string_view suffix) const {
  constexpr std::size_t path_bytes_max = 107;  // unix(7)
  auto const path = fmt::format("{}/ctrl/{}.{}", kvm(), instance, suffix);
  if (path.size() <= path_bytes_max) return path;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (unsigned char const c : instance) hash = (hash ^ c) * 1099511628211U;
  return fmt::format("{}/ctrl/.{:016x}.{}", kvm(), hash, suffix);
}

std::string Paths::kvm_pid_file(std::string_view instance) const {
  return fmt::format("{}/pid/{}", kvm(), instance);
}

std::string Paths::console_log(std::string_view instance) const {
  return fmt::format("{}/kvm/{}.console", logs(), instance);
}

}  // namespace flotte
