#include "model/nic_rules.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/ip.h"
#include "base/text.h"
#include "model/vlans.h"

namespace flotte::model {
namespace {

constexpr std::array<std::string_view, 4> modes{"bridged", "routed", "openvswitch", "ext"};

}  // namespace

bool is_ip(std::string const& text) {
  return ipv4_number(text) || is_ipv6(text);
}

bool is_octets(std::string_view text, std::size_t count) {
  if (text.size() != 3 * count - 1) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const c = static_cast<unsigned char>(text[i]);
    if (i % 3 == 2 ? c != ':' : !std::isxdigit(c)) return false;
  }
  return true;
}

Result<std::string> parse_mac_prefix(std::string_view text) {
  constexpr std::size_t octets = 3;
  auto const is_prefix = is_octets(text, octets);
  // The lowest bit of the first octet says that it is nobody's own.
  constexpr std::string_view odd = "13579bdfBDF";
  if (is_prefix && odd.find(text[1]) != std::string_view::npos) {
    return fail(
        ErrorCode::WrongInput,
        "Invalid MAC address prefix '{}': it is one of multicast addresses, which no NIC can "
        "have; the second digit must be even",
        text);
  }
  if (is_prefix) return lower_case(std::string(text));
  return fail(ErrorCode::WrongInput,
              "Invalid MAC address prefix '{}': it must be three octets, such as aa:00:00", text);
}

Result<json::object> enforce_nic(json::object const& given) {
  auto params = TRY(enforce(nic_params(), given));
  if (params.contains("mode") && !params["mode"].is_null()) {
    auto const mode = text_of(params, "mode");
    if (std::ranges::find(modes, mode) == modes.end()) {
      return fail(ErrorCode::WrongInput, "Invalid NIC mode '{}', must be one of: {}", mode,
                  fmt::join(modes, ", "));
    }
  }
  if (params.contains("vlan") && !params["vlan"].is_null()) {
    auto const vlan = text_of(params, "vlan");
    params["vlan"] = TRY(parse_vlans(vlan == "none" ? "" : vlan)).text();
  }
  return params;
}

Result<void> check_nic(json::object const& filled) {
  auto const mode = text_of(filled, "mode");
  if (text_of(filled, "link").empty() && (mode == "bridged" || mode == "openvswitch")) {
    return fail(ErrorCode::WrongInput, "Missing {} NIC link", mode);
  }
  return {};
}

}  // namespace flotte::model
