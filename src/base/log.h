// Log lines of the daemons: to a file or to standard error. Never pass a secret. Thread-safe.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace flotte::log {

enum class Level { Debug, Info, Warning, Error };

// Empty `file` means standard error. Lines below `least` are dropped. Call once, before threads
// start. A link is not followed: root would write into somebody else's file.
Result<void> open(std::string const& file, Level least);
// Goes on in a new file of the same name, after the old one was renamed; in the old one where that
// can't be.
void reopen();
void write(Level level, std::string_view line);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace flotte::log
