#include "sys/sessions.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <sstream>
#include <thread>

#include "sys/deeds.h"
#include "sys/files.h"

namespace flotte::sys {
namespace {

using namespace std::chrono_literals;

constexpr auto look_again = 20ms;
constexpr int looks_max = 500;

struct ProcessStat {
  pid_t pid = 0;
  char state = 'Z';
  pid_t session = 0;
  std::uint64_t start_ticks = 0;
};

// "12 (name with) blanks) S 1 12 12 ...": fields are counted from the last parenthesis.
std::optional<ProcessStat> parse_stat(std::string const& text) {
  auto const end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  constexpr int start_field = 22;
  ProcessStat stat;
  std::istringstream head(text);
  std::istringstream fields(text.substr(end + 1));
  pid_t parent = 0;
  pid_t group = 0;
  if (!(head >> stat.pid) || !(fields >> stat.state >> parent >> group >> stat.session)) {
    return std::nullopt;
  }
  std::string skipped;
  for (int field = 7; field < start_field; ++field) fields >> skipped;
  if (!(fields >> stat.start_ticks)) return std::nullopt;
  return stat;
}

std::optional<ProcessStat> stat_of(std::string const& pid) {
  auto const text = read_file("/proc/" + pid + "/stat");
  return text ? parse_stat(*text) : std::nullopt;
}

std::vector<ProcessStat> alive_in(ProcessStat const& recorded) {
  std::vector<ProcessStat> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    auto const name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    auto const stat = stat_of(name);
    if (!stat || stat->session != recorded.pid || stat->state == 'Z') continue;
    if (stat->pid == recorded.pid && stat->start_ticks != recorded.start_ticks) return {};
    found.push_back(*stat);
  }
  return found;
}

Result<void> end_session(ProcessStat const& recorded) {
  for (int look = 0; look < looks_max; ++look) {
    auto const alive = alive_in(recorded);
    if (alive.empty()) return {};
    for (auto const& process : alive) kill(process.pid, SIGKILL);
    std::this_thread::sleep_for(look_again);
  }
  return fail(ErrorCode::EnvironmentError,
              "Processes of the session {} that an earlier daemon left don't end", recorded.pid);
}

}  // namespace

Result<void> end_recorded_sessions(std::string const& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    auto const path = entry->path().string();
    auto const recorded = parse_stat(TRY(read_file(path)));
    if (recorded && recorded->pid > 1) TRY(end_session(*recorded));
    TRY(remove_file(path));
  }
  return {};
}

void record_own_session(char const* path) {
  char text[1024];
  int const from = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  int const into = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  auto const size = from < 0 ? -1 : ::read(from, text, sizeof text);
  if (size > 0 && into >= 0) (void)!::write(into, text, static_cast<std::size_t>(size));
  if (from >= 0) ::close(from);
  if (into >= 0) ::close(into);
}

}  // namespace flotte::sys
