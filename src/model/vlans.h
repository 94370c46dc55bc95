// VLANs of a NIC as people write them (docs/ganeti.md, "NICs and VLANs"): `.N` untagged, `:N:M`
// tagged, `.N:M` both; a bare `N` is `.N`. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::model {

struct Vlans {
  std::optional<int> untagged;
  std::vector<int> tagged;

  bool is_empty() const { return !untagged && tagged.empty(); }
  // In the form that Ganeti stores; empty where there are none.
  std::string text() const;
};

Result<Vlans> parse_vlans(std::string_view text);

}  // namespace flotte::model
