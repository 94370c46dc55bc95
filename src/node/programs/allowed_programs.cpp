#include "node/programs/allowed_programs.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "node/hypervisor/kvm/words.h"
#include "schema/schema.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

namespace json = boost::json;

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

// "..", "." and "//" could lead around a pattern, and what means something to a shell around all:
// QEMU gives some of its programs to one.
bool is_plain_path(std::string const& path) {
  auto const is_plain = [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("/._+-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return path.starts_with('/') && std::ranges::all_of(path, is_plain) &&
         std::filesystem::path(path).lexically_normal() == path;
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

// What follows "-cmd:" is run with its arguments.
void take_command(std::vector<std::string>& found, std::string_view text) {
  constexpr std::string_view mark = "-cmd:";
  if (auto const at = text.find(mark); at != std::string_view::npos) {
    found.emplace_back(text.substr(at + mark.size()));
  }
}

// Some options take JSON instead of "key=value,...".
void take_json(std::vector<std::string>& found, std::string_view key, json::value const& value) {
  constexpr std::array keys{"script", "downscript", "helper", "exec", "args"};
  if (auto const* object = value.if_object()) {
    for (auto const& [name, member] : *object) take_json(found, name, member);
  } else if (auto const* list = value.if_array()) {
    for (auto const& member : *list) take_json(found, key, member);
  } else if (auto const* text = value.if_string()) {
    if (std::ranges::find(keys, key) != keys.end()) found.emplace_back(std::string_view(*text));
    take_command(found, std::string_view(*text));
  }
}

// The programs that one argument of QEMU names, with the arguments they would be given. `option`:
// the one it belongs to.
std::vector<std::string> programs_in(std::string_view option, std::string const& word) {
  constexpr std::array keys{"script", "downscript", "helper"};
  constexpr std::string_view exec = "exec:";
  std::vector<std::string> found;
  if (word.starts_with('{')) {
    auto const parsed = schema::parse(word);
    // QEMU would refuse it, or read it in another way than we do.
    if (parsed)
      take_json(found, "", *parsed);
    else
      found.push_back(word);
  }
  if (option == "-incoming" && word.starts_with(exec)) found.push_back(word.substr(exec.size()));
  // What stands in such a file can't be looked at here.
  if (option == "-readconfig") found.push_back(word);
  for (auto const& [name, value] : kvm_properties(word)) {
    if (std::ranges::find(keys, name) != keys.end()) found.push_back(value);
    if (name == "guestfwd") take_command(found, value);
    auto const is_plugin = option == "-plugin" && (name == "file" || name.empty());
    if (is_plugin) found.push_back(value);
  }
  std::erase_if(found, [](std::string const& one) { return one.empty() || one == "no"; });
  return found;
}

// The monitor runs programs, too, as the user that QEMU has become.
Result<void> require_one_user(std::span<std::string const> argv) {
  auto const users = kvm_values(argv, "-runas");
  // They change what other options say, whom it runs as among that.
  for (auto const& word : argv) {
    for (auto const* option : {"-set", "-run-with"}) {
      if (word != option && word != fmt::format("-{}", option)) continue;
      return fail(ErrorCode::WrongInput,
                  "{} is not taken in kvm_extra; say it at the option itself", option);
    }
  }
  if (users.size() > 1) {
    return fail(ErrorCode::WrongInput,
                "QEMU is told twice as whom to run ({}); leave -runas out of kvm_extra, and use "
                "security_model=user with security_domain",
                fmt::join(users, ", "));
  }
  // "0:0", and as C writes numbers: "0x0:0".
  auto const is_root = [](std::string const& user) {
    char* end = nullptr;
    auto const number = std::strtoul(user.c_str(), &end, 0);
    return user == "root" || (end != user.c_str() && number == 0 && (*end == ':' || *end == '\0'));
  };
  if (users.empty() || !is_root(users[0])) return {};
  return fail(ErrorCode::WrongInput, "A guest does not run as root: -runas {}", users[0]);
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
  TRY(require_one_user(argv));
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
