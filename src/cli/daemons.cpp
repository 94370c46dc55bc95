#include "cli/daemons.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/command.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/rapi_users.h"
#include "cli/values.h"
#include "net/client.h"

namespace flotte::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto start_timeout = 10s;
constexpr auto stop_timeout = 15s;
constexpr auto answer_timeout = 2s;

struct Daemon {
  char const* name;
  std::string socket;
  bool is_unprivileged;
};

std::vector<Daemon> daemons(Paths const& paths) {
  return {{"flotte-noded", paths.node_socket(), false},
          {"flotte-controllerd", paths.controller_socket(), true}};
}

bool answers(std::string const& socket) {
  return ::access(socket.c_str(), F_OK) == 0 && net::answers(socket, answer_timeout);
}

// The process of the pid file, if it is that daemon: process ids are used again. One that was
// started by an older version has its file where that one had it.
pid_t running_pid(Paths const& paths, char const* name) {
  pid_t pid = 0;
  if (!(std::ifstream(paths.daemon_pid_file(name)) >> pid)) {
    std::ifstream(fmt::format("{}/{}.pid", paths.run(), name)) >> pid;
  }
  if (pid <= 1) return 0;
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string comm;
  std::getline(file, comm);
  return !comm.empty() && std::string(name).starts_with(comm) ? pid : 0;
}

std::string binary_of(char const* name) {
  std::error_code error;
  auto const self = std::filesystem::read_symlink("/proc/self/exe", error);
  auto const beside = self.parent_path() / name;
  return std::filesystem::exists(beside, error) ? beside.string()
                                                : "/usr/sbin/" + std::string(name);
}

// Owner and mode go through the descriptor: a link in its place is not followed.
void make_directory(std::string const& path, mode_t mode, passwd const* owner) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  ::mkdir(path.c_str(), mode);
  int const fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  (void)!::fchown(fd, owner ? owner->pw_uid : 0, owner ? owner->pw_gid : 0);
  ::fchmod(fd, mode);
  ::close(fd);
}

void make_log(std::string const& path, passwd const& owner) {
  int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) return;
  (void)!::fchown(fd, owner.pw_uid, owner.pw_gid);
  ::close(fd);
}

// What the controller writes belongs to its user; what only root may write stays root's.
void prepare_directories(Paths const& paths, passwd const* user) {
  for (auto const& path : {paths.lib(), paths.run(), paths.logs()}) {
    make_directory(path, 0755, nullptr);
  }
  make_directory(paths.controller(), 0700, user);
  for (auto const& path : {paths.controller_run(), paths.controller_sockets()}) {
    make_directory(path, 0755, user);
  }
  if (user) make_log(paths.controller_log(), *user);
}

// A child of nobody: its parent ends at once, its session is its own. The end of a pipe from which
// its standard error can be read, and that ends when it ends.
Outcome<int> launch(Daemon const& daemon, Paths const& paths, passwd const* user) {
  auto const binary = binary_of(daemon.name);
  int errors[2] = {-1, -1};
  if (::pipe2(errors, O_CLOEXEC) != 0) return stop("Can't make a pipe");
  pid_t const child = ::fork();
  if (child < 0) return stop("Can't fork");
  if (child == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    int const null = ::open("/dev/null", O_RDWR);
    for (int fd : {0, 1}) ::dup2(null, fd);
    ::dup2(errors[1], 2);
    (void)!::chdir("/");
    // It gives up root's rights itself: the folder that its program lies in may be root's alone.
    ::execl(binary.c_str(), daemon.name, "--root", paths.root().c_str(), user ? "--user" : nullptr,
            user ? user->pw_name : nullptr, nullptr);
    ::perror(binary.c_str());
    ::_exit(127);
  }
  ::close(errors[1]);
  ::waitpid(child, nullptr, 0);
  return errors[0];
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return strip(text);
}

Outcome<void> wait_until_it_answers(Daemon const& daemon, Paths const& paths, int errors) {
  auto const deadline = std::chrono::steady_clock::now() + start_timeout;
  while (!answers(daemon.socket)) {
    pollfd ended{errors, POLLIN, 0};
    if (::poll(&ended, 1, 20) > 0) {
      return stop(fmt::format("{} did not start: {}", daemon.name, read_to_end(errors)));
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return stop(
          fmt::format("{} does not answer; see {}/{}.log", daemon.name, paths.logs(), daemon.name));
    }
  }
  return {};
}

// On a machine that runs systemd, and has our package, the daemons are its services.
bool is_service(Paths const& paths) {
  return paths.root().empty() && ::access("/run/systemd/system", F_OK) == 0 &&
         ::access("/lib/systemd/system/flotte.service", F_OK) == 0;
}

Outcome<void> systemctl(char const* verb) {
  pid_t const child = ::fork();
  if (child < 0) return stop("Can't fork");
  if (child == 0) {
    ::execlp("systemctl", "systemctl", verb, "flotte.service", "flotte-noded.service",
             "flotte-controllerd.service", nullptr);
    ::_exit(127);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) == child && status == 0) return {};
  return stop(fmt::format("systemctl {} flotte.service failed; see journalctl -u 'flotte*'", verb));
}

}  // namespace

Outcome<void> start_daemons(Paths const& paths) {
  auto const is_root = ::getuid() == 0;
  if (!is_root) return stop("Only root can start the daemons", exit_failure);
  if (is_service(paths)) return systemctl("start");
  auto const* user = ::getpwnam(std::string(flotte_user).c_str());
  prepare_directories(paths, user);
  for (auto const& daemon : daemons(paths)) {
    if (answers(daemon.socket)) continue;
    int const errors = OK(launch(daemon, paths, daemon.is_unprivileged ? user : nullptr));
    auto const started = wait_until_it_answers(daemon, paths, errors);
    ::close(errors);
    if (!started) return started;
  }
  return {};
}

Outcome<void> stop_daemons(Paths const& paths) {
  if (is_service(paths)) return systemctl("stop");
  auto const all = daemons(paths);
  // The controller first: it would miss the node daemon.
  for (auto daemon = all.rbegin(); daemon != all.rend(); ++daemon) {
    auto const pid = running_pid(paths, daemon->name);
    if (pid == 0) continue;
    int const fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    ::kill(pid, SIGTERM);
    pollfd ended{fd, POLLIN, 0};
    auto const has_ended =
        ::poll(&ended, 1, static_cast<int>(std::chrono::milliseconds(stop_timeout).count())) > 0;
    ::close(fd);
    if (!has_ended) {
      return stop(fmt::format("{} (process {}) does not end; it may be waiting for a node",
                              daemon->name, pid));
    }
  }
  return {};
}

int daemons_status(Paths const& paths) {
  int exit_code = 0;
  for (auto const& daemon : daemons(paths)) {
    auto const pid = running_pid(paths, daemon.name);
    auto const is_up = answers(daemon.socket);
    if (!is_up) exit_code = exit_failure;
    std::printf("%s: %s\n", daemon.name,
                is_up ? fmt::format("runs, process {}", pid).c_str() : "does not answer");
  }
  return exit_code;
}

namespace {

Outcome<int> daemons_command(Call& call) {
  auto const& verb = call.arguments.positional()[0];
  auto const& paths = call.session.paths();
  if (verb == "status") return daemons_status(paths);
  if (verb == "start") {
    OK(start_daemons(paths).map([] { return 0; }));
    return 0;
  }
  if (verb == "stop") {
    OK(stop_daemons(paths).map([] { return 0; }));
    return 0;
  }
  return stop(fmt::format("flotte daemons: start, stop or status, not '{}'", verb), exit_usage);
}

Outcome<int> watcher(Call& call) {
  OK(call.session.post("watcher",
                       {{"look", true}, {"ignore_pause", call.arguments.has("ignore-pause")}}));
  return 0;
}

}  // namespace

Program flotte_program() {
  return {"flotte",
          {{"completion",
            "{bash}",
            1,
            1,
            {},
            "Prints the completion of all commands for a shell",
            completion,
            false},
           {"daemons",
            "{start|stop|status}",
            1,
            1,
            {},
            "Starts, ends or shows the two daemons of this machine",
            daemons_command},
           {"manual",
            "<file>",
            1,
            1,
            {},
            "Prints a man page in Markdown, from the file with its prose and the commands' tables",
            manual,
            false},
           {"names",
            "<what>",
            1,
            1,
            {},
            "Prints what the completion offers: instance, node, group, job, lock, tag, or "
            "instance-fields and so on",
            names,
            false},
           {"rapi-passwd",
            "<user>",
            1,
            1,
            {{0, "opts", true,
              "What the user may: read, write, a role or permissions; of a user "
              "that there is, instead of what he could"},
             {0, "file", true, "Another users file than that of this machine"}},
            "Sets the password of a user of the remote API, in its users file",
            rapi_passwd},
           {"rapi-users",
            "",
            0,
            0,
            {{0, "file", true, "Another users file than that of this machine"}},
            "Lists the users of the remote API: name, kind of password, options",
            rapi_users},
           {"watcher",
            "",
            0,
            0,
            {{0, "ignore-pause", false, "Also while it is paused"}},
            "Has the watcher look now whether all is as it should be, and waits until it has",
            watcher}},
          {}};
}

}  // namespace flotte::cli
