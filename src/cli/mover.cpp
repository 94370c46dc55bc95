#include "cli/mover.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "cli/answers.h"

namespace flotte::cli {
namespace {

constexpr std::string_view word = "move-instance ";
constexpr std::size_t start_column = 21;  // of proc(5), after pid, state and the like

std::string host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "?";
}

// When a process began, so that its number may be given again; empty: there is none.
std::string start_of(std::string const& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream content;
  content << file.rdbuf();
  // The name before it stands in brackets, and may hold blanks.
  auto const stat = content.str();
  auto const behind_name = stat.rfind(')');
  if (behind_name == std::string::npos) return "";
  auto const columns = split(trimmed(std::string_view(stat).substr(behind_name + 1)), ' ');
  constexpr std::size_t columns_before = 2;
  return columns.size() > start_column - columns_before
             ? std::string(columns[start_column - columns_before])
             : "";
}

}  // namespace

std::string this_mover() {
  auto const pid = std::to_string(::getpid());
  return std::string(word) + host() + " " + pid + " " + start_of(pid);
}

std::optional<std::string> mover_of(json::value const& reason) {
  auto const* list = reason.if_array();
  if (!list) {
    auto const said = text(reason);
    // What a person adds stands behind a colon.
    return said.starts_with(word) ? std::optional(said.substr(0, said.find(':'))) : std::nullopt;
  }
  for (auto const& one : *list) {
    if (auto found = mover_of(one)) return found;
  }
  return std::nullopt;
}

bool is_gone(std::string const& mover) {
  auto const words = split(mover, ' ');
  if (words.size() != 4 || words[1] != host()) return false;
  return whole_number(words[2]) && start_of(std::string(words[2])) != words[3];
}

}  // namespace flotte::cli
