// OS names on the command line, `os` or `os+variant`, and what nodes must have of them
// (ganeti-compat §7). Pure.
#pragma once

#include <string>
#include <string_view>

#include "rpc/node_calls.h"

namespace flotte::units {

std::string os_base(std::string_view name);
std::string os_variant(std::string_view name);

// The definition that `name` means, valid and with its variant; the error says what the node has
// instead.
Result<rpc::OsDefinition> find_os(rpc::OsList const& list, std::string_view name,
                                  std::string_view node_name, bool force_variant);

}  // namespace flotte::units
