// Sizes: bytes, as kernel, LVM and files have them; MiB, as Ganeti configures them; and Ganeti's
// ways to write them (docs/ganeti.md, "Values and units"). Values; use from any thread.
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

struct Bytes {
  std::int64_t value = 0;

  friend auto operator<=>(Bytes, Bytes) = default;
  friend Bytes operator+(Bytes a, Bytes b) { return {a.value + b.value}; }
  friend Bytes operator-(Bytes a, Bytes b) { return {a.value - b.value}; }
};

constexpr Bytes to_bytes(MiB size) {
  constexpr std::int64_t bytes_per_mib = 1024 * 1024;
  return {size.value * bytes_per_mib};
}
// The size of what is there: nothing of a disk is left out.
constexpr MiB round_up(Bytes size) {
  auto const mib = to_bytes({1}).value;
  return {(size.value + mib - 1) / mib};
}
// The size of what is free: no more than there is.
constexpr MiB round_down(Bytes size) {
  return {size.value / to_bytes({1}).value};
}

// "512", "10G", "1.5t", "500m": a bare number is MiB, powers of 1024, rounded up to a multiple of 4
// MiB. Fails with "Can't parse the given amount 'pony'".
Result<MiB> parse_size(std::string_view text);
// Why it can't be parsed, in Ganeti's words: "Invalid format", "Unknown unit: x".
std::optional<std::string> size_fault(std::string_view text);

enum class Unit { Human, Mebi, Gibi, Tebi };

// Human: "512M", "10.0G", "1.5T". The others carry no suffix.
std::string format_size(MiB size, Unit unit);

}  // namespace flotte
