#include "cli/network_info.h"

#include "cli/print.h"

namespace flotte::cli {
namespace {

constexpr std::size_t line_width = 64;  // of the map and of addresses

std::int64_t count_of(json::object const& network, std::string_view field) {
  return network.at(field).to_number<std::int64_t>();
}

std::string configuration_lines(json::object const& network) {
  constexpr std::pair<char const*, char const*> lines[] = {
      {"Network name", "name"},       {"UUID", "uuid"},
      {"Serial number", "serial_no"}, {"  Subnet", "network"},
      {"  Gateway", "gateway"},       {"  IPv6 Subnet", "network6"},
      {"  IPv6 Gateway", "gateway6"}, {"  Mac Prefix", "mac_prefix"}};
  std::string out;
  for (auto const& [title, field] : lines) {
    out += fmt::format("{}: {}\n", title, python_text(network.at(field)));
  }
  return out;
}

std::string map_lines(std::string const& map) {
  std::string out = "  Usage map:\n";
  for (std::size_t at = 0; at < map.size(); at += line_width) {
    out += fmt::format("     {:>4} {:<{}} {}\n", at, map.substr(at, line_width), line_width,
                       at + line_width - 1);
  }
  return out + "         (X) used    (.) free\n";
}

std::string external_lines(std::string const& addresses) {
  if (addresses.empty()) return "";
  std::string out = "  externally reserved IPs:\n";
  for (auto const& line : wrapped_lines(addresses, line_width))
    out += fmt::format("    {}\n", line);
  return out;
}

std::string address_lines(json::object const& network) {
  // Of a network without a pool, which no command makes.
  if (network.at("map").is_null()) return "";
  auto const free = count_of(network, "free_count");
  auto const size = free + count_of(network, "reserved_count");
  constexpr auto percent = 100.0;
  return fmt::format("  Size: {}\n  Free: {} ({:.2f}%)\n", size, free,
                     percent * static_cast<double>(free) / static_cast<double>(size)) +
         map_lines(python_text(network.at("map"))) +
         external_lines(python_text(network.at("external_reservations")));
}

std::string group_lines(json::array const& groups) {
  if (groups.empty()) return "  not connected to any node group\n";
  std::string out = "  connected to node groups:\n";
  for (auto const& group : groups) {
    out +=
        fmt::format("    {} (mode:{} link:{} vlan:{})\n", python_text(group.at(0)),
                    python_text(group.at(1)), python_text(group.at(2)), python_text(group.at(3)));
  }
  return out;
}

// "0:192.0.2.5, 2:None": of its NICs those in the network, by number.
std::string nics_in(json::value const& uuid, json::object const& instance) {
  auto const& ips = instance.at("nic.ips").as_array();
  auto const& networks = instance.at("nic.networks").as_array();
  std::string out;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    if (networks[i] != uuid) continue;
    out += fmt::format("{}{}:{}", out.empty() ? "" : ", ", i, python_text(ips.at(i)));
  }
  return out;
}

std::string user_lines(json::value const& uuid, json::array const& users) {
  if (users.empty()) return "  not used by any instances\n";
  auto out = fmt::format("  used by {} instances:\n", users.size());
  for (auto const& instance : users) {
    out += fmt::format("    {}: {}\n", python_text(instance.at("name")),
                       nics_in(uuid, instance.as_object()));
  }
  return out;
}

}  // namespace

std::string network_text(json::object const& network, json::array const& users) {
  return configuration_lines(network) + address_lines(network) +
         group_lines(network.at("group_list").as_array()) + user_lines(network.at("uuid"), users);
}

}  // namespace flotte::cli
