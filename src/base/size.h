// Sizes in MiB and Ganeti's ways to write them (ganeti-compat T11, §1.2). Values; use from any
// thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotte {

struct MiB {
  std::int64_t value = 0;

  friend auto operator<=>(MiB, MiB) = default;
  friend MiB operator+(MiB a, MiB b) { return {a.value + b.value}; }
  friend MiB operator-(MiB a, MiB b) { return {a.value - b.value}; }
};

// "512", "10G", "1.5t", "500m": a bare number is MiB, powers of 1024, rounded up to a multiple of 4
// MiB. Fails with "Can't parse the given amount 'pony'".
Result<MiB> parse_size(std::string_view text);
// Why it can't be parsed, in Ganeti's words: "Invalid format", "Unknown unit: x".
std::optional<std::string> size_fault(std::string_view text);

enum class Unit { Human, Mebi, Gibi, Tebi };

// Human: "512M", "10.0G", "1.5T". The others carry no suffix.
std::string format_size(MiB size, Unit unit);

}  // namespace flotte
