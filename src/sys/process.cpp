#include "sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "sys/deeds.h"
#include "sys/files.h"
#include "sys/pipe.h"
#include "sys/sessions.h"

namespace flotte::sys {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds stop_grace{3000};
constexpr std::size_t line_bytes_max = 4096;
constexpr int sink_poll_ms = 250;
constexpr int end_poll_ms = 20;
constexpr int high_fd = 100;
constexpr std::size_t descriptors_max = 8;

struct Package {
  std::string_view program;
  std::string_view package;
};
constexpr std::array packages{
    Package{"lvcreate", "lvm2"},
    Package{"lvs", "lvm2"},
    Package{"vgs", "lvm2"},
    Package{"ip", "iproute2"},
    Package{"bridge", "iproute2"},
    Package{"nft", "nftables"},
    Package{"ovs-vsctl", "openvswitch-switch"},
    Package{"debootstrap", "debootstrap"},
    Package{"qemu-system-x86_64", "qemu-system-x86"},
    Package{"socat", "socat"},
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (auto& text : strings) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_of(Command const& command) {
  if (command.environment.empty()) return {"PATH=/sbin:/bin:/usr/sbin:/usr/bin", "LC_ALL=C"};
  std::vector<std::string> list;
  for (auto const& [name, value] : command.environment) list.push_back(name + "=" + value);
  return list;
}

[[noreturn]] void tell_and_exit(int status_fd) {
  int const reason = errno;
  (void)!::write(status_fd, &reason, sizeof reason);
  ::_exit(127);
}

// Between vfork and exec the memory is the daemon's own, and only async-signal-safe calls are
// allowed: all that is needed is made before.
[[noreturn]] void become(Command const& command, char* const* argv, char* const* environment,
                         int output, int errors, int status_fd) {
  ::setsid();
  if (!command.session_record.empty()) record_own_session(command.session_record.c_str());
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  int const null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(errors, 2) < 0) {
    tell_and_exit(status_fd);
  }
  // Out of the way first: the number that one shall have may be another one's now.
  int const moved_status = ::fcntl(status_fd, F_DUPFD_CLOEXEC, high_fd);
  if (moved_status < 0) tell_and_exit(status_fd);
  status_fd = moved_status;
  std::array<int, descriptors_max> moved{};
  for (std::size_t i = 0; i < command.descriptors.size(); ++i) {
    moved[i] = ::fcntl(command.descriptors[i].here, F_DUPFD_CLOEXEC, high_fd);
    if (moved[i] < 0) tell_and_exit(status_fd);
  }
  // Everything above the standard three is closed at exec, but what the caller wants kept.
  ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  for (int const fd : command.keep_fds) {
    if (::fcntl(fd, F_SETFD, 0) != 0) tell_and_exit(status_fd);
  }
  for (std::size_t i = 0; i < command.descriptors.size(); ++i) {
    if (::dup2(moved[i], command.descriptors[i].there) < 0) tell_and_exit(status_fd);
  }
  if (::chdir(command.directory.c_str()) == 0) ::execvpe(argv[0], argv, environment);
  tell_and_exit(status_fd);
}

// Unlike after a fork, none of the daemon's pages have to be copied. In a function of its own: what
// it has in registers, the child could change.
[[gnu::noinline]] pid_t start(Command const& command, char* const* argv, char* const* environment,
                              int output, int errors, int status_fd) {
  pid_t const pid = ::vfork();
  if (pid == 0) {
    become(command, argv, environment, output, errors, status_fd);
  }
  return pid;
}

// Collects one stream: its tail, and its lines for the sink.
class Stream {
 public:
  Stream(std::size_t bytes_max, LineSink const& sink) : bytes_max_(bytes_max), sink_(sink) {}

  // False: the sink wants the process stopped.
  bool add(std::string_view part) {
    text_.append(part);
    if (text_.size() > 2 * bytes_max_) text_.erase(0, text_.size() - bytes_max_);
    bool goes_on = true;
    for (char const c : part) {
      if (c == '\n' || c == '\r' || line_.size() >= line_bytes_max) goes_on = flush() && goes_on;
      if (c != '\n' && c != '\r') line_ += c;
    }
    return goes_on;
  }
  bool flush() {
    if (line_.empty() || !sink_) return true;
    auto const line = std::move(line_);
    line_.clear();
    return sink_(line);
  }
  std::string take() {
    if (text_.size() > bytes_max_) text_.erase(0, text_.size() - bytes_max_);
    return std::move(text_);
  }

 private:
  std::size_t bytes_max_;
  LineSink const& sink_;
  std::string text_;
  std::string line_;
};

int milliseconds_until(SteadyClock::time_point when) {
  auto const left =
      std::chrono::duration_cast<std::chrono::milliseconds>(when - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

Result<Finished> SystemProcesses::run(Command const& command, LineSink const& sink) {
  CHECK(!command.argv.empty() && command.descriptors.size() <= descriptors_max);
  auto strings = command.argv;
  auto variables = environment_of(command);
  auto const argv = pointers(strings);
  auto const environment = pointers(variables);
  auto output = TRY(Pipe::open());
  auto errors = TRY(Pipe::open());
  auto status = TRY(Pipe::open());
  moment("run", command.argv[0]);
  pid_t const pid = start(command, argv.data(), environment.data(), output.write.get(),
                          errors.write.get(), status.write.get());
  if (pid < 0) return fail(ErrorCode::EnvironmentError, "Can't fork: {}", std::strerror(errno));
  output.write.close();
  errors.write.close();
  status.write.close();
  int reason = 0;
  if (::read(status.read.get(), &reason, sizeof reason) == sizeof reason) {
    ::waitpid(pid, nullptr, 0);
    auto const& name = command.argv[0];
    for (auto const& row : packages) {
      if (reason == ENOENT && name.ends_with(row.program)) {
        return fail(ErrorCode::EnvironmentError, "{}: command not found; install the package {}",
                    name, row.package);
      }
    }
    return fail(ErrorCode::EnvironmentError, "Can't run {}: {}", name, std::strerror(reason));
  }
  moment("run", command.argv[0]);

  Finished finished;
  Stream out(command.output_bytes_max, sink);
  Stream err(command.output_bytes_max, sink);
  Fd const pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  auto deadline = SteadyClock::now() + command.timeout;
  bool has_termed = false;
  bool has_exited = false;
  bool has_ended = false;
  int wait_status = 0;
  auto const stop = [&] {
    kill(-pid, has_termed ? SIGKILL : SIGTERM);
    has_termed = true;
    deadline = SteadyClock::now() + stop_grace;
  };
  while (!has_ended) {
    std::array<pollfd, 3> fds{pollfd{output.read.get(), POLLIN, 0},
                              pollfd{errors.read.get(), POLLIN, 0},
                              pollfd{has_exited ? -1 : pidfd.get(), POLLIN, 0}};
    // A silent program is asked for too: an empty line means "go on?".
    auto const polled =
        ::poll(fds.data(), fds.size(),
               std::min(milliseconds_until(deadline), has_exited ? end_poll_ms : sink_poll_ms));
    bool goes_on = polled != 0 || has_termed || !sink || sink("");
    for (auto const& [fd, stream] :
         {std::pair{&output.read, &out}, std::pair{&errors.read, &err}}) {
      auto const ready = fd == &output.read ? fds[0].revents : fds[1].revents;
      if (fd->get() < 0 || ready == 0) continue;
      std::array<char, 16384> buffer{};
      auto const got = ::read(fd->get(), buffer.data(), buffer.size());
      if (got > 0) {
        goes_on = stream->add({buffer.data(), static_cast<std::size_t>(got)}) && goes_on;
      } else {
        fd->close();
      }
    }
    if (!has_exited) has_exited = ::waitpid(pid, &wait_status, WNOHANG) == pid;
    auto const went_well = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    has_ended = has_exited && (has_termed || !went_well || !command.goes_on || !command.goes_on());
    if (!goes_on && !has_termed) {
      finished.was_stopped = true;
      stop();
    } else if (!has_ended && SteadyClock::now() >= deadline) {
      if (!has_termed) finished.timed_out = true;
      stop();
    }
  }
  // Whatever it left running in its group goes too; then what is still in the pipes is read, and no
  // more: who left the group may go on writing for ever.
  moment("ended", command.argv[0]);
  kill(-pid, SIGKILL);
  for (auto const& [fd, stream] : {std::pair{&output.read, &out}, std::pair{&errors.read, &err}}) {
    auto left = fd->get() < 0 ? 0 : ::fcntl(fd->get(), F_GETPIPE_SZ);
    while (left > 0) {
      pollfd one{fd->get(), POLLIN, 0};
      std::array<char, 16384> buffer{};
      if (::poll(&one, 1, 0) <= 0) break;
      auto const got = ::read(fd->get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      stream->add({buffer.data(), static_cast<std::size_t>(got)});
      left -= static_cast<int>(got);
    }
    stream->flush();
  }
  if (!command.session_record.empty()) std::ignore = remove_file(command.session_record);
  finished.exit_status =
      WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  finished.output = out.take();
  finished.errors = err.take();
  return finished;
}

Result<Finished> run_checked(Processes& processes, Command const& command) {
  auto finished = TRY(processes.run(command));
  if (finished.is_success()) return finished;
  auto said = finished.errors.empty() ? finished.output : finished.errors;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (finished.timed_out) {
    return fail(ErrorCode::EnvironmentError, "{} did not end within {} s: {}", command.argv[0],
                command.timeout.count(), said);
  }
  return fail(ErrorCode::EnvironmentError, "{} failed with exit code {}: {}", command.argv[0],
              finished.exit_status, said);
}

}  // namespace flotte::sys
