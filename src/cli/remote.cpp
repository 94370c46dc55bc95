#include "cli/remote.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

namespace flotte::cli {
namespace {

// Who can't log in without being asked must not hang the others.
constexpr auto ssh_options = "-oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=10";

std::string quoted(std::string const& text) {
  std::string out = "'";
  for (char const c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string command_on(Target const& target, std::string const& command) {
  if (target.is_here) return command;
  return fmt::format("ssh {} -p {} root@{} {}", ssh_options, target.ssh_port, target.name,
                     quoted(command));
}

std::string copy_to(Target const& target, std::string const& path) {
  return fmt::format("tar -C / -cPf - {} | ssh {} -p {} root@{} 'tar -C / -xpPf -'", quoted(path),
                     ssh_options, target.ssh_port, target.name);
}

Said run(std::string const& line) {
  std::fflush(nullptr);
  Said said;
  auto* const pipe = ::popen(fmt::format("{{ {}\n}} 2>&1 < /dev/null", line).c_str(), "r");
  if (!pipe) return {"Can't start a shell", 127};
  std::array<char, 4096> buffer{};
  while (auto const got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    said.output.append(buffer.data(), got);
  }
  auto const status = ::pclose(pipe);
  constexpr int by_signal = 128;
  said.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : by_signal + WTERMSIG(status);
  return said;
}

}  // namespace flotte::cli
