// Letters of ASCII, whatever the locale. Pure; use from any thread.
#pragma once

#include <algorithm>
#include <string>

namespace flotte {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), lower);
  return text;
}

}  // namespace flotte
