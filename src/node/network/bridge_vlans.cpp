#include "node/network/bridge_vlans.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "schema/schema.h"
#include "sys/files.h"
#include "sys/network.h"

namespace flotte::node {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto bridge_timeout = 10s;

std::vector<int> all_of(model::Vlans const& vlans) {
  auto all = vlans.tagged;
  if (vlans.untagged) all.insert(all.begin(), *vlans.untagged);
  return all;
}

// What leads out: all but guests.
std::vector<std::string> uplinks_of(std::string const& bridge) {
  auto ports = sys::ports_of(bridge);
  std::erase_if(ports, [](std::string const& port) { return sys::is_tap(port); });
  return ports;
}

std::string trimmed(std::string const& text) {
  auto const begin = text.find_first_not_of(" \t");
  auto const end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

Result<void> change(sys::Processes& processes, std::vector<std::string> words) {
  words.insert(words.begin(), {"bridge", "vlan"});
  TRY(sys::run_checked(processes, {.argv = std::move(words), .timeout = bridge_timeout}));
  return {};
}

}  // namespace

Result<void> check_bridge_vlans(std::string const& bridge, model::Vlans const& vlans) {
  if (!sys::filters_vlans(bridge)) {
    return fail(ErrorCode::EnvironmentError,
                "A NIC is configured for VLAN support, but bridge {} has VLAN filtering disabled; "
                "turn it on (ip link set {} type bridge vlan_filtering 1) or choose another link",
                bridge, bridge);
  }
  auto const config = sys::read_file("/proc/net/vlan/config").value_or("");
  for (int const vlan : all_of(vlans)) {
    auto const taken = vlan_interface_on(config, uplinks_of(bridge), vlan);
    if (taken.empty()) continue;
    return fail(ErrorCode::EnvironmentError,
                "VLAN {} is in use by interface {}: it takes the frames before bridge {} sees "
                "them; remove it (ip link delete {}) or choose another VLAN",
                vlan, taken, bridge, taken);
  }
  return {};
}

Result<void> set_bridge_vlans(sys::Processes& processes, std::string const& bridge,
                              std::string const& port, model::Vlans const& vlans) {
  TRY(change(processes, {"del", "dev", port, "vid", "1-4094"}));
  if (vlans.untagged) {
    TRY(change(processes,
               {"add", "dev", port, "vid", std::to_string(*vlans.untagged), "pvid", "untagged"}));
  }
  for (int const vlan : vlans.tagged) {
    TRY(change(processes, {"add", "dev", port, "vid", std::to_string(vlan)}));
  }
  for (auto const& uplink : uplinks_of(bridge)) {
    auto const shown =
        TRY(sys::run_checked(processes, {.argv = {"bridge", "-json", "vlan", "show", "dev", uplink},
                                         .timeout = bridge_timeout}));
    auto const carried = TRY(vlan_ranges(shown.output));
    for (int const vlan : all_of(vlans)) {
      auto const is_carried = std::ranges::any_of(carried, [vlan](auto const& range) {
        return range.first <= vlan && vlan <= range.second;
      });
      if (is_carried) continue;
      TRY(change(processes, {"add", "dev", uplink, "vid", std::to_string(vlan)}));
    }
  }
  return {};
}

Result<std::vector<std::pair<int, int>>> vlan_ranges(std::string_view shown) {
  std::vector<std::pair<int, int>> ranges;
  auto const parsed = TRY(schema::parse(shown.empty() ? "[]" : shown));
  auto const* ports = parsed.if_array();
  if (!ports) return fail(ErrorCode::EnvironmentError, "bridge vlan show names no ports");
  for (auto const& port : *ports) {
    auto const* object = port.if_object();
    auto const* list = object ? object->if_contains("vlans") : nullptr;
    if (!list || !list->is_array()) continue;
    for (auto const& entry : list->get_array()) {
      auto const* one = entry.if_object();
      auto const* first = one ? one->if_contains("vlan") : nullptr;
      auto const* last = one ? one->if_contains("vlanEnd") : nullptr;
      if (!first || !first->is_int64()) continue;
      auto const begin = static_cast<int>(first->get_int64());
      ranges.emplace_back(begin,
                          last && last->is_int64() ? static_cast<int>(last->get_int64()) : begin);
    }
  }
  return ranges;
}

std::string vlan_interface_on(std::string_view config, std::vector<std::string> const& uplinks,
                              int vlan) {
  std::istringstream lines{std::string(config)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    std::array<std::string, 3> columns;  // interface | VLAN | uplink
    for (auto& column : columns) {
      std::getline(parts, column, '|');
      column = trimmed(column);
    }
    auto const is_here = std::ranges::find(uplinks, columns[2]) != uplinks.end();
    if (is_here && columns[1] == std::to_string(vlan)) return columns[0];
  }
  return {};
}

}  // namespace flotte::node
