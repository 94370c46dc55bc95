#include "model/vlans.h"

#include <algorithm>
#include <charconv>

namespace flotte::model {
namespace {

constexpr int vlan_max = 4094;

Failure invalid(std::string_view text) {
  return fail(ErrorCode::WrongInput,
              "Specified VLAN parameter is invalid : {}; VLANs are numbers from 1 to {}, each of "
              "them once: .N (untagged), :N:M (tagged) or .N:M (both)",
              text, vlan_max);
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  auto const is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && value >= 1 && value <= vlan_max ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string Vlans::text() const {
  auto text = untagged ? fmt::format(".{}", *untagged) : std::string();
  for (int const vlan : tagged) text += fmt::format(":{}", vlan);
  return text;
}

Result<Vlans> parse_vlans(std::string_view text) {
  Vlans vlans;
  if (text.empty()) return vlans;
  auto rest = text;
  if (rest.front() != ':') {
    auto const is_bare = rest.front() != '.';
    if (!is_bare) rest.remove_prefix(1);
    auto const first = rest.substr(0, is_bare ? rest.size() : rest.find(':'));
    vlans.untagged = number(first);
    if (!vlans.untagged) return invalid(text);
    rest.remove_prefix(first.size());
  }
  while (!rest.empty()) {
    rest.remove_prefix(1);
    auto const next = rest.substr(0, rest.find(':'));
    auto const vlan = number(next);
    auto const is_known = vlan && (vlan == vlans.untagged ||
                                   std::ranges::find(vlans.tagged, *vlan) != vlans.tagged.end());
    if (!vlan || is_known) return invalid(text);
    vlans.tagged.push_back(*vlan);
    rest.remove_prefix(next.size());
  }
  return vlans;
}

}  // namespace flotte::model
