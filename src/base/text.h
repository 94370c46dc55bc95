// Letters and numbers of ASCII, whatever the locale, and the order in which people count. Pure; use
// from any thread.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotte {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), lower);
  return text;
}

// The whole text, "-12" or "+12"; none: it is no number, or does not fit.
inline std::optional<std::int64_t> whole_number(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

// web2 before web10.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace flotte
