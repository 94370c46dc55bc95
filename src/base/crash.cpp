#include "base/crash.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <sstream>

#include "base/log.h"

namespace flotte::crash {
namespace {

constexpr std::size_t record_bytes_max = 64 * 1024;

thread_local Blame const* innermost = nullptr;
std::atomic<int> record_fd = -1;

// Runs on a thread in an unknown state: nothing but calls that are async-signal-safe. The handler
// is gone by now, so that raising the signal again ends the process as it would have without us.
void note_blame(int signal_number) {
  if (auto const* blame = innermost) {
    auto const& line = blame->line();
    (void)!::write(record_fd, line.data(), line.size());
  }
  ::raise(signal_number);
}

std::string thread_name() {
  std::array<char, 32> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  return name.data();
}

[[noreturn]] void name_exception_and_abort() {
  // One that comes while this one is being named finds nobody.
  std::set_terminate(std::abort);
  std::string what = "something that is no exception";
  try {
    if (auto const thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (std::exception const& exception) {
    what = exception.what();
  } catch (...) {
  }
  log::error("The thread {} ended with an exception that nobody caught: {}", thread_name(), what);
  std::abort();
}

Failure failed(std::string_view what, std::string const& file) {
  return fail(ErrorCode::EnvironmentError, "Can't {} {}: {}", what, file, std::strerror(errno));
}

}  // namespace

void name_exceptions() {
  std::set_terminate(name_exception_and_abort);
}

Result<std::vector<std::string>> record_in(std::string const& file) {
  int const fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("open", file);
  std::string recorded(record_bytes_max, '\0');
  auto const got = ::pread(fd, recorded.data(), recorded.size(), 0);
  if (got < 0) {
    auto failure = failed("read", file);
    ::close(fd);
    return failure;
  }
  recorded.resize(static_cast<std::size_t>(got));
  if (int const before = record_fd.exchange(fd); before >= 0) ::close(before);
  struct sigaction action{};
  action.sa_handler = note_blame;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (int const number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    ::sigaction(number, &action, nullptr);
  }
  std::vector<std::string> lines;
  std::istringstream text(recorded);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

Result<void> forget(std::string const& file) {
  if (::truncate(file.c_str(), 0) == 0 || errno == ENOENT) return {};
  return failed("empty", file);
}

// The stack isn't cleared: it costs nothing until it is needed.
Blame::Blame(std::string line) : line_(std::move(line)), outer_(innermost) {
  stack_t const stack{.ss_sp = stack_.data(), .ss_flags = 0, .ss_size = stack_.size()};
  ::sigaltstack(&stack, &stack_before_);
  innermost = this;
}

Blame::~Blame() {
  innermost = outer_;
  ::sigaltstack(&stack_before_, nullptr);
}

std::string blame_of_this_thread() {
  return innermost ? innermost->line() : std::string();
}

}  // namespace flotte::crash
