#include "node/network/master_address.h"

#include "base/ip.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

constexpr auto ip_timeout = 10s;
constexpr auto answer_max = 1s;
constexpr std::int64_t netmask_max_v4 = 32;
constexpr std::int64_t netmask_max_v6 = 128;

}  // namespace

Result<void> set_master_address(sys::Processes& processes, rpc::MasterAddress const& wish) {
  auto const is_v6 = wish.ip.find(':') != std::string::npos;
  if (wish.netmask < 1 || wish.netmask > (is_v6 ? netmask_max_v6 : netmask_max_v4)) {
    return fail(ErrorCode::WrongInput, "{} is no netmask of {}", wish.netmask, wish.ip);
  }
  if (!sys::is_interface(wish.netdev)) {
    if (!wish.is_up) return {};
    return fail(ErrorCode::EnvironmentError,
                "The network interface '{}' for the cluster's address {} does not exist on this "
                "node; choose another one with --master-netdev",
                wish.netdev, wish.ip);
  }
  auto const ip = canonical_ip(wish.ip);
  auto const address = fmt::format("{}/{}", ip, wish.netmask);
  auto const family = std::string(is_v6 ? "-6" : "-4");
  auto const is_there = [&]() -> Result<bool> {
    auto const shown = TRY(sys::run_checked(
        processes, {.argv = {"ip", family, "-o", "address", "show", "dev", wish.netdev, "to", ip},
                    .timeout = ip_timeout}));
    // With its mask: the same address with another one is not it.
    return shown.output.find(fmt::format(" {} ", address)) != std::string::npos;
  };
  if (TRY(is_there()) == wish.is_up) return {};
  auto const changed = sys::run_checked(
      processes,
      {.argv = {"ip", family, "address", wish.is_up ? "add" : "del", address, "dev", wish.netdev},
       .timeout = ip_timeout});
  // The command of a daemon that was killed may have gone on, and have been faster.
  if (changed || TRY(is_there()) == wish.is_up) return {};
  return Failure(changed.error());
}

Result<bool> is_address_used(sys::Processes& processes, std::string const& ip) {
  auto const shown = [&](std::vector<std::string> const& words) -> Result<std::string> {
    std::vector<std::string> argv{"ip", "-o"};
    argv.insert(argv.end(), words.begin(), words.end());
    return TRY(sys::run_checked(processes, {.argv = argv, .timeout = ip_timeout})).output;
  };
  // Our own, left over, is no obstacle.
  if (!TRY(shown({"address", "show", "to", ip})).empty()) return false;
  // Whoever has it answers the kernel's question for its MAC, even behind a firewall.
  sys::touch_address(ip, answer_max);
  return TRY(shown({"neighbor", "show", "to", ip})).find("lladdr") != std::string::npos;
}

}  // namespace flotte::node
