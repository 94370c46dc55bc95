#include "base/daemon.h"

#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/crash.h"
#include "base/log.h"

namespace flotte {
namespace {

constexpr time_t forever_seconds = 3600;
constexpr std::int64_t pings_per_watchdog = 3;

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int const number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

// One datagram to the socket that systemd names; nothing without systemd.
void notify_systemd(char const* state) {
  auto const* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto const length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // sockaddr is what the kernel's interface asks for; sockaddr_un begins with the same family
  // field.
  (void)::sendto(fd, state, std::strlen(state), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr const*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(fd);
}

Result<void> become(std::string const& user) {
  auto const* entry = ::getpwnam(user.c_str());
  if (!entry) {
    return fail(ErrorCode::EnvironmentError, "There is no user {}; create it (adduser --system {})",
                user, user);
  }
  if (::initgroups(user.c_str(), entry->pw_gid) == 0 && ::setgid(entry->pw_gid) == 0 &&
      ::setuid(entry->pw_uid) == 0) {
    return {};
  }
  return fail(ErrorCode::EnvironmentError, "Can't become user {}: {}", user, std::strerror(errno));
}

// Held until the process ends.
int pid_fd = -1;

// Never through a link: it would be somebody else's file that is emptied.
Result<void> lock_pid_file(std::string const& file) {
  pid_fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (pid_fd < 0) {
    return fail(ErrorCode::EnvironmentError, "Can't open {}: {}", file, std::strerror(errno));
  }
  struct stat status{};
  if (::fstat(pid_fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
    return fail(ErrorCode::EnvironmentError, "{} is no plain file of its own; remove it", file);
  }
  if (::flock(pid_fd, LOCK_EX | LOCK_NB) == 0) return {};
  return fail(ErrorCode::WrongState, "It runs already; see {}", file);
}

}  // namespace

timespec ping_interval() {
  constexpr std::int64_t second = 1'000'000;
  auto const* microseconds = std::getenv("WATCHDOG_USEC");
  auto const interval =
      microseconds ? std::strtoll(microseconds, nullptr, 10) / pings_per_watchdog : 0;
  if (interval <= 0) return {forever_seconds, 0};
  return {interval / second, interval % second * 1000};
}

tl::expected<DaemonOptions, int> DaemonOptions::parse(std::string name, int argc, char** argv) {
  DaemonOptions options{.name = std::move(name), .paths = Paths::from_environment()};
  static constexpr option known[] = {
      {"root", required_argument, nullptr, 'r'}, {"user", required_argument, nullptr, 'u'},
      {"foreground", no_argument, nullptr, 'f'}, {"help", no_argument, nullptr, 'h'},
      {"version", no_argument, nullptr, 'v'},    {nullptr, 0, nullptr, 0}};
  for (int c = 0; (c = getopt_long(argc, argv, "fh", known, nullptr)) != -1;) {
    switch (c) {
      case 'r':
        options.paths = Paths(optarg);
        break;
      case 'u':
        options.user = optarg;
        break;
      case 'f':
        options.logs_to_stderr = true;
        break;
      case 'v':
        std::printf("%s (flotte) 0.1.0\n", options.name.c_str());
        return tl::unexpected(0);
      case 'h':
        std::printf("Usage: %s [--root DIR] [--user NAME] [--foreground]\n", options.name.c_str());
        return tl::unexpected(0);
      default:
        return tl::unexpected(2);
    }
  }
  return options;
}

Result<void> daemon_begin(DaemonOptions const& options) {
  auto const signals = awaited_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  if (!options.user.empty()) TRY(become(options.user));
  std::error_code ignored;
  std::filesystem::create_directories(options.paths.logs(), ignored);
  std::filesystem::create_directories(std::filesystem::path(options.pid_file()).parent_path(),
                                      ignored);
  TRY(log::open(options.logs_to_stderr ? "" : options.log_file(), log::Level::Info));
  crash::name_exceptions();
  return lock_pid_file(options.pid_file());
}

int daemon_failed(DaemonOptions const& options, Error const& error) {
  log::error("Can't start: {}", error.message);
  std::fprintf(stderr, "%s: %s\n", options.name.c_str(), error.message.c_str());
  return 1;
}

void daemon_serve(DaemonOptions const& options, std::function<bool()> const& is_alive) {
  auto const pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(pid_fd, 0) != 0 || ::pwrite(pid_fd, pid.data(), pid.size(), 0) < 0) {
    log::warning("Can't write {}: {}", options.pid_file(), std::strerror(errno));
  }
  notify_systemd("READY=1");
  auto const signals = awaited_signals();
  auto const interval = ping_interval();
  for (;;) {
    auto const signal = ::sigtimedwait(&signals, nullptr, &interval);
    if (signal == SIGHUP) {
      log::reopen();
    } else if (signal > 0) {
      log::info("Ending on signal {}", signal);
      break;
    } else if (errno == EAGAIN && is_alive()) {
      notify_systemd("WATCHDOG=1");
    }
  }
  notify_systemd("STOPPING=1");
  std::error_code ignored;
  std::filesystem::remove(options.pid_file(), ignored);
}

}  // namespace flotte
