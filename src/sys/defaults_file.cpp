#include "sys/defaults_file.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace flotte::sys {
namespace {

enum class Export { IsNone, MayBe };

// What stands behind "KEY=", line by line.
std::vector<std::string_view> values_of(std::string_view contents, std::string_view key,
                                        Export exported) {
  constexpr std::string_view word = "export ";
  std::vector<std::string_view> values;
  while (!contents.empty()) {
    auto const end = std::min(contents.find('\n'), contents.size());
    auto line = trimmed(contents.substr(0, end));
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (exported == Export::MayBe && line.starts_with(word)) {
      line = trimmed(line.substr(word.size()));
    }
    if (!line.starts_with(key) || line.size() == key.size() || line[key.size()] != '=') continue;
    values.push_back(trimmed(line.substr(key.size() + 1)));
  }
  return values;
}

// What stands behind "=": with or without quotes, and a comment.
Result<std::string> value_of(std::string_view text, std::string_view key) {
  auto const wrong = [&] {
    return fail(ErrorCode::WrongInput,
                "{} is not understood; write it in one line, as {}=\"…\", without variables", key,
                key);
  };
  auto value = text;
  auto rest = std::string_view();
  if (text.starts_with('"') || text.starts_with('\'')) {
    auto const end = text.find(text.front(), 1);
    if (end == std::string_view::npos) return wrong();
    value = text.substr(1, end - 1);
    rest = trimmed(text.substr(end + 1));
  } else if (auto const blank = text.find_first_of(" \t"); blank != std::string_view::npos) {
    value = text.substr(0, blank);
    rest = trimmed(text.substr(blank));
  }
  if (!rest.empty() && !rest.starts_with('#')) return wrong();
  if (value.find_first_of("$`\\\"") != std::string_view::npos) return wrong();
  return std::string(value);
}

}  // namespace

Result<std::optional<std::string>> setting_in(std::string_view contents, std::string_view key) {
  std::optional<std::string> found;
  for (auto const value : values_of(contents, key, Export::MayBe)) {
    found = TRY(value_of(value, key));
  }
  return found;
}

std::string value_in_defaults(std::string_view contents, std::string_view key) {
  auto const values = values_of(contents, key, Export::IsNone);
  if (values.empty()) return {};
  auto const last = values.back();
  auto const is_quoted = last.size() >= 2 && last.front() == last.back() &&
                         (last.front() == '"' || last.front() == '\'');
  return std::string(is_quoted ? last.substr(1, last.size() - 2) : last);
}

}  // namespace flotte::sys
