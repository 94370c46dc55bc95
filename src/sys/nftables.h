// What nftables has, asked of the kernel itself (nfnetlink): a look costs microseconds, not a
// program. Changes are nft's to make. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace flotte::sys {

// How many rules a chain of family netdev has; nothing where there is no such chain, or nothing can
// be known.
std::optional<std::uint32_t> netdev_chain_rules(std::string const& table, std::string const& chain);

}  // namespace flotte::sys
