#include "node/hooks/hook_scripts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "node/programs/allowed_programs.h"
#include "rpc/wire.h"
#include "sys/files.h"

namespace flotte::node {
namespace {

constexpr std::size_t output_bytes_max = 16 * 1024;

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// "instance-start-pre.d", "watcher".
Result<void> check_directory(std::string_view name) {
  constexpr std::string_view end = ".d";
  auto const stem = name.ends_with(end) ? name.substr(0, name.size() - end.size()) : name;
  if (is_word(stem)) return {};
  return fail(ErrorCode::WrongInput, "'{}' is no directory of hooks", name);
}

Result<void> check(rpc::HooksRun const& call) {
  TRY(check_directory(call.directory));
  for (auto const& directory : call.later) TRY(check_directory(directory));
  for (auto const& [name, value] : call.environment) {
    auto const is_variable =
        name.starts_with("GANETI_") && name.find_first_of(std::string("=\0", 2)) == name.npos;
    if (!is_variable || value.find('\0') != value.npos) {
      return fail(ErrorCode::WrongInput, "'{}' can't be told to hooks", name);
    }
  }
  if (call.timeout_s < 1) {
    return fail(ErrorCode::WrongInput, "A time limit of {} s leaves no time", call.timeout_s);
  }
  return {};
}

bool is_executable_file(std::string const& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

// What it said before stays in sight.
std::string with_reason(std::string const& output, std::string_view reason) {
  return output.empty() ? std::string(reason) : fmt::format("{}\n{}", output, reason);
}

}  // namespace

Result<rpc::HookResults> HookScripts::run(rpc::HooksRun const& call, sys::LineSink const& goes_on) {
  TRY(check(call));
  rpc::HookResults answer;
  if (auto const names = names_in(call.directory); !names.empty()) {
    auto const limit = std::min(TRY(time_limit_()), std::chrono::seconds(call.timeout_s));
    auto const deadline = clock_.now() + limit;
    TRY(sys::make_directories(paths_.hook_sessions(), 0700));
    for (auto const& name : names) {
      answer.results.push_back(TRY(run_one(call, name, deadline, goes_on)));
    }
  }
  for (auto const& directory : call.later) {
    if (!names_in(directory).empty()) answer.later.push_back(directory);
  }
  return answer;
}

// Those that can be seen, in order.
std::vector<std::string> HookScripts::names_in(std::string const& directory) const {
  auto names = sys::names_in(path_of(directory));
  std::erase_if(names, [](std::string const& name) { return name.starts_with('.'); });
  return names;
}

Result<rpc::HookResult> HookScripts::run_one(rpc::HooksRun const& call, std::string const& name,
                                             Instant deadline, sys::LineSink const& goes_on) {
  auto const directory = path_of(call.directory);
  auto const path = directory + "/" + name;
  rpc::HookResult result{.script = rpc::in_utf8(call.directory + "/" + name)};
  if (!is_word(name) || !is_executable_file(path)) return result;
  result.outcome = rpc::HookOutcome::Failed;
  // A guard that is not run must not look like one that had nothing to say.
  for (auto const& trusted : {directory, path}) {
    if (auto const why = why_not_trusted(trusted); !why.empty()) {
      result.output = fmt::format("not run: {}", why);
      return result;
    }
  }
  auto const left = std::chrono::ceil<std::chrono::seconds>(deadline - clock_.now());
  if (left <= std::chrono::seconds::zero()) {
    result.output = "not run: those before it took all the time that there was";
    return result;
  }
  auto environment = call.environment;
  environment["PATH"] = "/sbin:/bin:/usr/sbin:/usr/bin";
  environment["GANETI_DATA_DIR"] = paths_.lib();
  if (!paths_.root().empty()) environment["FLOTTE_ROOT"] = paths_.root();
  auto const finished =
      processes_.run({.argv = {path},
                      .environment = std::move(environment),
                      .timeout = left,
                      .output_bytes_max = output_bytes_max,
                      .session_record = fmt::format("{}/{}", paths_.hook_sessions(), ++sessions_)},
                     [&](std::string_view) { return !goes_on || goes_on(""); });
  if (!finished) {
    result.output = fmt::format("Hook script execution error: {}", finished.error().message);
    return result;
  }
  if (finished->was_stopped) {
    return fail_as(ErrorClass::Exec, ErrorCode::EnvironmentError, "{} was ended", result.script);
  }
  result.output = rpc::in_utf8(trimmed(finished->output + finished->errors));
  if (finished->timed_out) {
    result.output = with_reason(
        result.output,
        fmt::format("ended after {} s; HOOKS_TIMEOUT in /etc/default/flotte is how long the hooks "
                    "of an operation may take",
                    left.count()));
  }
  if (finished->is_success()) result.outcome = rpc::HookOutcome::Succeeded;
  return result;
}

std::string HookScripts::path_of(std::string const& directory) const {
  return paths_.hooks() + "/" + directory;
}

}  // namespace flotte::node
