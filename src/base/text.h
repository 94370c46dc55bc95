// Letters and numbers of ASCII, whatever the locale, and the order in which people count. Pure; use
// from any thread.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotte {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), lower);
  return text;
}

// Without blanks and ends of lines at both ends.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  auto const first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// What stands between the separators; an empty text is one empty piece. The pieces are of `text`.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at <= text.size();) {
    auto const end = std::min(text.find(separator, at), text.size());
    pieces.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return pieces;
}

// The whole text, "-12" or "+12"; none: it is no number, or does not fit.
inline std::optional<std::int64_t> whole_number(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

// Of two keys the one that is less, byte by byte, is of the text that comes first: web2 before
// web10.
std::string natural_key(std::string_view text);

// Sorts texts, or what has such a name.
template <class T, class Name = std::identity>
void sort_naturally(std::vector<T>& all, Name name_of = {}) {
  std::vector<std::pair<std::string, T>> keyed;
  keyed.reserve(all.size());
  for (auto& one : all) {
    auto key = natural_key(std::invoke(name_of, one));
    keyed.emplace_back(std::move(key), std::move(one));
  }
  std::ranges::sort(keyed, std::less(), [](auto const& pair) -> auto& { return pair.first; });
  std::ranges::transform(keyed, all.begin(), [](auto& pair) { return std::move(pair.second); });
}

}  // namespace flotte
