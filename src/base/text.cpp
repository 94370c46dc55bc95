#include "base/text.h"

namespace flotte {

std::string natural_key(std::string_view text) {
  constexpr std::ptrdiff_t length_max = 255;
  auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string key;
  key.reserve(text.size() + 2);
  for (auto at = text.begin(); at != text.end();) {
    auto const end = std::find_if_not(at, text.end(), is_digit);
    if (end == at) {
      key += *at++;
      continue;
    }
    // A digit, as which a number stands among other characters; then the longer number is the
    // larger.
    key += '0';
    key += static_cast<char>(std::min(end - at, length_max));
    key.append(at, end);
    at = end;
  }
  return key;
}

}  // namespace flotte
