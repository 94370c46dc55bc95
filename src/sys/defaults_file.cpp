#include "sys/defaults_file.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::sys {
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
