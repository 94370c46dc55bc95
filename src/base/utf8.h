// What is UTF-8, and where such a text may be cut. Pure; use from any thread.
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

// The whole text (RFC 3629). What isn't, no JSON parser takes back.
constexpr bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    auto const first = static_cast<unsigned char>(text[at]);
    std::size_t const more = first < 0x80   ? 0
                             : first < 0xc2 ? 4
                             : first < 0xe0 ? 1
                             : first < 0xf0 ? 2
                             : first < 0xf5 ? 3
                                            : 4;
    if (more == 4 || text.size() - at <= more) return false;
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    for (std::size_t i = 1; i <= more; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
    }
    // Written with more bytes than it takes, half a pair of UTF-16, or beyond the last character.
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
        (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) {
      return false;
    }
    at += more + 1;
  }
  return true;
}

}  // namespace flotte
