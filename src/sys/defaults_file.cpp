#include "sys/defaults_file.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::sys {
namespace {

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
  constexpr std::string_view exported = "export ";
  std::optional<std::string> found;
  while (!contents.empty()) {
    auto const end = std::min(contents.find('\n'), contents.size());
    auto line = trimmed(contents.substr(0, end));
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (line.starts_with(exported)) line = trimmed(line.substr(exported.size()));
    if (!line.starts_with(key) || line.size() == key.size() || line[key.size()] != '=') continue;
    found = TRY(value_of(trimmed(line.substr(key.size() + 1)), key));
  }
  return found;
}

std::string value_in_defaults(std::string_view contents, std::string_view key) {
  std::string value;
  while (!contents.empty()) {
    auto const end = std::min(contents.find('\n'), contents.size());
    auto line = trimmed(contents.substr(0, end));
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (!line.starts_with(key) || line.size() == key.size() || line[key.size()] != '=') continue;
    line = trimmed(line.substr(key.size() + 1));
    auto const is_quoted = line.size() >= 2 && line.front() == line.back() &&
                           (line.front() == '"' || line.front() == '\'');
    value = is_quoted ? line.substr(1, line.size() - 2) : line;
  }
  return value;
}

}  // namespace flotte::sys
