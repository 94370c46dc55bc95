#include "cli/network_info.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace flotte::cli {
namespace {

json::object network(std::string const& map, std::string const& external) {
  auto const reserved = std::ranges::count(map, 'X');
  return {{"name", "lan"},
          {"uuid", "u-1"},
          {"serial_no", 3},
          {"network", "192.0.2.0/25"},
          {"gateway", "192.0.2.1"},
          {"network6", nullptr},
          {"gateway6", nullptr},
          {"mac_prefix", nullptr},
          {"free_count", static_cast<std::int64_t>(map.size()) - reserved},
          {"reserved_count", reserved},
          {"map", json::value(map)},
          {"external_reservations", json::value(external)},
          {"group_list", json::array()}};
}

TEST(NetworkInfo, map_lines_have_64_addresses_and_lists_of_them_64_characters) {
  auto const map = "XX...XX" + std::string(120, '.') + "X";
  EXPECT_EQ(network_text(network(map,
                                 "192.0.2.0, 192.0.2.1, 192.0.2.5, 192.0.2.6, 192.0.2.100, "
                                 "192.0.2.127"),
                         {}),
            "Network name: lan\n"
            "UUID: u-1\n"
            "Serial number: 3\n"
            "  Subnet: 192.0.2.0/25\n"
            "  Gateway: 192.0.2.1\n"
            "  IPv6 Subnet: None\n"
            "  IPv6 Gateway: None\n"
            "  Mac Prefix: None\n"
            "  Size: 128\n"
            "  Free: 123 (96.09%)\n"
            "  Usage map:\n"
            "        0 XX...XX......................................................... 63\n"
            "       64 ...............................................................X 127\n"
            "         (X) used    (.) free\n"
            "  externally reserved IPs:\n"
            "    192.0.2.0, 192.0.2.1, 192.0.2.5, 192.0.2.6, 192.0.2.100,\n"
            "    192.0.2.127\n"
            "  not connected to any node group\n"
            "  not used by any instances\n");
}

TEST(NetworkInfo, who_is_connected_and_who_has_which_addresses) {
  auto lan = network("XX.X", "");
  lan["group_list"] = json::array{json::array{"default", "bridged", "br0", ".7"},
                                  json::array{"rack1", "routed", "42", ""}};
  json::array const users{{{"name", "web1.lab"},
                           {"nic.ips", json::array{"192.0.2.1", "198.51.100.1", nullptr}},
                           {"nic.networks", json::array{"u-1", "u-2", "u-1"}}},
                          {{"name", "web2.lab"},
                           {"nic.ips", json::array{nullptr, "192.0.2.3"}},
                           {"nic.networks", json::array{nullptr, "u-1"}}}};
  auto const text = network_text(lan, users);
  EXPECT_EQ(text.substr(text.find("  Size:")),
            "  Size: 4\n"
            "  Free: 1 (25.00%)\n"
            "  Usage map:\n"
            "        0 XX.X                                                             63\n"
            "         (X) used    (.) free\n"
            "  connected to node groups:\n"
            "    default (mode:bridged link:br0 vlan:.7)\n"
            "    rack1 (mode:routed link:42 vlan:)\n"
            "  used by 2 instances:\n"
            "    web1.lab: 0:192.0.2.1, 2:None\n"
            "    web2.lab: 1:192.0.2.3\n");
}

TEST(NetworkInfo, one_without_a_pool_has_no_map) {
  auto lan = network("", "");
  for (auto const* field : {"free_count", "reserved_count", "map", "external_reservations"}) {
    lan[field] = nullptr;
  }
  auto const text = network_text(lan, {});
  EXPECT_EQ(text.substr(text.find("  Mac Prefix:")),
            "  Mac Prefix: None\n"
            "  not connected to any node group\n"
            "  not used by any instances\n");
}

}  // namespace
}  // namespace flotte::cli
