#include "node/programs/allowed_programs.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "sys/files.h"

namespace flotte::node {
namespace {

// What Debian calls them.
constexpr std::array always_allowed{"/usr/bin/kvm", "/usr/bin/qemu-system-*"};

bool matches(char const* pattern, std::string const& path) {
  return ::fnmatch(pattern, path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
}

std::string this_host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// "..", "." and "//" could lead around a pattern.
bool is_plain_path(std::string const& path) {
  return path.starts_with('/') && std::filesystem::path(path).lexically_normal() == path;
}

Result<bool> is_listed(std::string const& file, std::string const& program) {
  if (!sys::exists(file)) return false;
  TRY(require_trusted(file));
  std::istringstream lines(TRY(sys::read_file(file)));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.starts_with('/') && matches(line.c_str(), program)) return true;
  }
  return false;
}

// "type=tap,script=/x" is ["type=tap", "script=/x"]; a comma of a value is written twice.
std::vector<std::string> suboptions(std::string const& word) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != ',') {
      parts.back() += word[i];
    } else if (i + 1 < word.size() && word[i + 1] == ',') {
      parts.back() += word[++i];
    } else {
      parts.emplace_back();
    }
  }
  return parts;
}

std::string first_word(std::string const& command) {
  return command.substr(0, command.find(' '));
}

// The programs that one argument of QEMU names. `option`: the one it belongs to.
std::vector<std::string> programs_in(std::string_view option, std::string const& word) {
  std::vector<std::string> found;
  auto const take = [&](std::string const& part, std::string_view prefix) {
    if (part.starts_with(prefix)) found.push_back(first_word(part.substr(prefix.size())));
  };
  if (option == "-incoming") take(word, "exec:");
  // What stands in such a file can't be looked at here.
  if (option == "-readconfig") found.push_back(word);
  for (auto const& part : suboptions(word)) {
    for (auto const* key : {"script=", "downscript=", "helper="}) take(part, key);
    if (auto const command = part.find("-cmd:");
        part.starts_with("guestfwd=") && command != std::string::npos) {
      take(part.substr(command), "-cmd:");
    }
    if (option == "-plugin") {
      take(part, "file=");
      if (part.starts_with('/')) found.push_back(part);
    }
  }
  std::erase_if(found, [](std::string const& one) { return one.empty() || one == "no"; });
  return found;
}

}  // namespace

std::string why_not_trusted(std::string const& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fmt::format("{} belongs to user {}; if it is meant to run as root: chown root {}", path,
                       status.st_uid, path);
  }
  if ((status.st_mode & S_IWOTH) == 0) return {};
  return fmt::format("everybody can change {}; if it is meant to run as root: chmod o-w {}", path,
                     path);
}

Result<void> require_trusted(std::string const& path) {
  if (!sys::exists(path)) {
    return fail(ErrorCode::EnvironmentError, "{}: {}", path, std::strerror(ENOENT));
  }
  auto const why = why_not_trusted(path);
  if (why.empty()) return {};
  return fail(ErrorCode::EnvironmentError, "Root does not run it: {}", why);
}

Result<void> require_allowed(Paths const& paths, std::string const& program) {
  auto const file = paths.allowed_programs_file();
  auto const is_allowed =
      is_plain_path(program) &&
      (std::ranges::any_of(always_allowed,
                           [&](char const* pattern) { return matches(pattern, program); }) ||
       TRY(is_listed(file, program)));
  if (is_allowed) return require_trusted(program);
  return fail(ErrorCode::WrongInput,
              "Root does not run {} on {}: only /usr/bin/kvm, /usr/bin/qemu-system-* and what {} "
              "names there; if that is what you want, add the line {} to that file",
              program, this_host(), file, program);
}

Result<void> require_qemu_allowed(Paths const& paths, std::span<std::string const> argv) {
  if (argv.empty()) return {};
  TRY(require_allowed(paths, argv[0]));
  std::string_view option;
  for (auto const& word : argv.subspan(1)) {
    if (word.starts_with('-')) {
      // QEMU takes two dashes for one.
      option = word;
      if (option.starts_with("--")) option.remove_prefix(1);
      continue;
    }
    for (auto const& program : programs_in(option, word)) TRY(require_allowed(paths, program));
  }
  return {};
}

}  // namespace flotte::node
