// Where a text in UTF-8 may be cut. Pure; use from any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace flotte {

// The byte goes on with a character that an earlier one began.
constexpr bool is_inside_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// As much of the beginning as has so many bytes at most. None of the characters is cut: half a one
// makes a text that a JSON parser refuses, and it would be stored and told as JSON.
constexpr std::string_view beginning_of(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && is_inside_character(text[bytes_max])) --bytes_max;
  return text.substr(0, bytes_max);
}

}  // namespace flotte
