#include "cli/serial_console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

namespace flotte::cli {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr char leave_key = 0x1d;  // Ctrl-]
constexpr std::size_t history_lines = 100;
constexpr off_t history_bytes = 16 << 10;
constexpr std::size_t chunk_bytes = 4096;
constexpr std::size_t typed_bytes_max = 64 << 10;
constexpr off_t behind_bytes_max = 128 << 10;  // less than what the node daemon keeps
constexpr auto monitor_timeout = 1s;
constexpr auto take_timeout = 3s;
constexpr auto unpause_after = 3s;  // as Ganeti's
constexpr auto linger = 500ms;      // after the end of what a script types, as socat's
constexpr int common_columns = 80;
constexpr int common_rows = 24;

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

Fd connected(std::string const& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
    return {};
  }
  return fd;
}

// --- QEMU's monitor, as a person would type at it

class Monitor {
 public:
  explicit Monitor(std::string const& path) : fd_(connected(path)) { read_answer(); }

  // What it says up to its next prompt; whatever came when it takes too long.
  std::string ask(std::string const& command) {
    auto const line = command + "\n";
    if (!fd_.is_open() || ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return {};
    return read_answer();
  }

 private:
  std::string read_answer() {
    std::string said;
    auto const deadline = SteadyClock::now() + monitor_timeout;
    while (fd_.is_open() && !said.ends_with("(qemu) ")) {
      auto const left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
      pollfd waiting{fd_.get(), POLLIN, 0};
      if (left <= 0ms || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) break;
      std::array<char, chunk_bytes> buffer{};
      auto const got = ::read(fd_.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      said.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return said;
  }

  Fd fd_;
};

// --- Who has the keyboard: a lock on the record, which the kernel gives back whatever happens

bool has_lock(int fd) {
  struct flock wish{};
  wish.l_type = F_WRLCK;
  wish.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &wish) == 0;
}

void unlock(int fd) {
  struct flock wish{};
  wish.l_type = F_UNLCK;
  wish.l_whence = SEEK_SET;
  ::fcntl(fd, F_SETLK, &wish);
}

pid_t holder_of(int fd) {
  struct flock wish{};
  wish.l_type = F_WRLCK;
  wish.l_whence = SEEK_SET;
  if (::fcntl(fd, F_GETLK, &wish) != 0 || wish.l_type == F_UNLCK) return 0;
  return wish.l_pid;
}

std::string described(pid_t pid) {
  std::array<char, 256> target{};
  auto const link = fmt::format("/proc/{}/fd/0", pid);
  auto const length = ::readlink(link.c_str(), target.data(), target.size());
  std::string const input(target.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return input.starts_with("/dev/") && input != "/dev/null"
             ? fmt::format("process {} on {}", pid, input)
             : fmt::format("process {}", pid);
}

// Asks who has it to give it up.
bool take_lock(int fd) {
  auto const deadline = SteadyClock::now() + take_timeout;
  pid_t asked = 0;
  while (!has_lock(fd)) {
    if (SteadyClock::now() > deadline) return false;
    auto const holder = holder_of(fd);
    if (holder > 0 && holder != asked) {
      Fd const process(static_cast<int>(::syscall(SYS_pidfd_open, holder, 0)));
      // Still the one that holds it: then the descriptor is its, too.
      if (process.is_open() && holder_of(fd) == holder) {
        ::syscall(SYS_pidfd_send_signal, process.get(), SIGUSR1, nullptr, 0);
        asked = holder;
      }
    }
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

// --- The terminal

// Raw as long as it lives.
class RawTerminal {
 public:
  RawTerminal() : is_terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) { set(); }
  ~RawTerminal() { restore(); }
  RawTerminal(RawTerminal const&) = delete;
  RawTerminal& operator=(RawTerminal const&) = delete;

  bool is_terminal() const { return is_terminal_; }
  void set() {
    if (!is_terminal_) return;
    auto raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  void restore() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

 private:
  termios before_{};
  bool is_terminal_;
};

// Comes as data, so that no signal ends us with a raw terminal.
class Signals {
 public:
  Signals() {
    sigset_t wanted{};
    sigemptyset(&wanted);
    for (int const number :
         {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGTSTP, SIGCONT, SIGPIPE}) {
      sigaddset(&wanted, number);
    }
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    fd_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Signals(Signals const&) = delete;
  Signals& operator=(Signals const&) = delete;

  int fd() const { return fd_.get(); }
  std::optional<int> next() {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  sigset_t before_{};
  Fd fd_;
};

// A terminal whose window is gone must not keep us from hearing the guest's end. Opened anew, so
// that the shell's own descriptor stays as it is.
Fd output() {
  if (::isatty(STDOUT_FILENO)) {
    Fd fd(::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd.is_open()) return fd;
  }
  return Fd(::dup(STDOUT_FILENO));
}

// --- The conversation

class Console {
 public:
  Console(Paths const& paths, std::string instance)
      : paths_(paths), instance_(std::move(instance)) {}

  Outcome<int> run(Keyboard keyboard) {
    if (auto opened = open(); !opened) return tl::unexpected(opened.error());
    // Before the lock: another terminal may ask for the keyboard at once.
    Signals signals;
    if (auto got = get_keyboard(keyboard); !got) return tl::unexpected(got.error());
    greet();
    begin_with_history();
    RawTerminal terminal;
    is_raw_ = terminal.is_terminal();
    may_type_ = is_raw_ || keyboard_.is_open();
    auto const exit_code = converse(signals, terminal);
    send_the_rest();
    terminal.restore();
    std::fprintf(stderr, "%s%s", is_raw_ ? "\n" : "", farewell_.c_str());
    return exit_code;
  }

 private:
  // What QEMU holds, and QEMU itself.
  Outcome<void> open() {
    auto const path = paths_.console_log(instance_);
    record_ = Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!record_.is_open()) {
      return stop(fmt::format(
          "Can't open the record of {}'s serial console, {}: {}. Run the command as root on the "
          "instance's node; a guest that was started before there were records has one after "
          "'gnt-instance reboot {}'",
          instance_, path, std::strerror(errno), instance_));
    }
    changes_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    ::inotify_add_watch(changes_.get(), path.c_str(), IN_MODIFY);
    std::ifstream file(paths_.kvm_pid_file(instance_));
    pid_t pid = 0;
    if (file >> pid && pid > 1) {
      guest_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    }
    if (guest_.is_open()) return {};
    return stop(
        fmt::format("Failure: command execution error:\nInstance {} is not running, can't "
                    "get console",
                    instance_));
  }

  Outcome<void> get_keyboard(Keyboard wish) {
    if (wish == Keyboard::Never) return {};
    if (wish == Keyboard::Take ? !take_lock(record_.get()) : !has_lock(record_.get())) {
      auto const holder = holder_of(record_.get());
      if (wish == Keyboard::Take) {
        return stop(fmt::format("The keyboard of {} is not given up by {}; end that one", instance_,
                                described(holder)));
      }
      other_ = described(holder);
      return {};
    }
    Monitor monitor(paths_.kvm_socket(instance_, "monitor"));
    // QEMU needs a moment to see that the last one has left.
    auto const deadline = SteadyClock::now() + monitor_timeout;
    while (is_serial_taken(monitor.ask("info chardev"))) {
      if (SteadyClock::now() > deadline) {
        other_ = "another program";
        unlock(record_.get());
        return {};
      }
      std::this_thread::sleep_for(20ms);
    }
    keyboard_ = connected(paths_.kvm_socket(instance_, "serial"));
    if (!keyboard_.is_open()) {
      return stop(fmt::format("Can't connect to {}: {}", paths_.kvm_socket(instance_, "serial"),
                              std::strerror(errno)));
    }
    if (is_paused(monitor.ask("info status"))) unpause_at_ = SteadyClock::now() + unpause_after;
    return {};
  }

  void greet() const {
    auto const is_terminal = ::isatty(STDIN_FILENO) != 0;
    if (keyboard_.is_open()) {
      std::fprintf(stderr, "The serial console of %s. Leave with Ctrl-]\n", instance_.c_str());
    } else {
      std::fprintf(stderr, "The serial console of %s, read only%s. Leave with Ctrl-]\n",
                   instance_.c_str(),
                   other_.empty() ? ""
                                  : fmt::format(": {} has the keyboard, 'gnt-instance console "
                                                "--write {}' takes it",
                                                other_, instance_)
                                        .c_str());
    }
    winsize size{};
    if (keyboard_.is_open() && is_terminal && ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0 && (size.ws_col != common_columns || size.ws_row != common_rows)) {
      // A serial line has no way to tell.
      std::fprintf(stderr,
                   "The guest doesn't know your window's size; tell its shell: stty rows %d "
                   "cols %d\n",
                   size.ws_row, size.ws_col);
    }
    if (unpause_at_) {
      std::fprintf(stderr, "Instance %s is paused; it goes on in 3 seconds\n", instance_.c_str());
    }
  }

  void begin_with_history() {
    struct stat seen{};
    ::fstat(record_.get(), &seen);
    auto const from = std::max<off_t>(0, seen.st_size - history_bytes);
    std::string tail(static_cast<std::size_t>(seen.st_size - from), 0);
    auto const got = ::pread(record_.get(), tail.data(), tail.size(), from);
    tail.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    at_ = from + static_cast<off_t>(tail.size());
    shown_ = last_lines(tail, history_lines);
  }

  int converse(Signals& signals, RawTerminal& terminal) {
    output_ = output();
    for (;;) {
      read_record();
      if (has_guest_ended_ && shown_.empty()) {
        farewell_ = fmt::format("Instance {} has stopped\n", instance_);
        return 0;
      }
      if (has_input_ended_ && typed_.empty() && !leave_at_) leave_at_ = SteadyClock::now() + linger;
      if (leave_at_ && SteadyClock::now() >= *leave_at_) return 0;
      if (unpause_at_ && SteadyClock::now() >= *unpause_at_) {
        unpause_at_.reset();
        Monitor(paths_.kvm_socket(instance_, "monitor")).ask("cont");
      }
      std::array<pollfd, 6> waiting{
          pollfd{may_type_ && !has_input_ended_ ? STDIN_FILENO : -1, POLLIN, 0},
          pollfd{shown_.empty() ? -1 : output_.get(), POLLOUT, 0},
          pollfd{keyboard_.get(), static_cast<short>(typed_.empty() ? POLLIN : POLLIN | POLLOUT),
                 0},
          pollfd{changes_.get(), POLLIN, 0},
          pollfd{has_guest_ended_ ? -1 : guest_.get(), POLLIN, 0},
          pollfd{signals.fd(), POLLIN, 0}};
      ::poll(waiting.data(), waiting.size(), patience());
      if (waiting[5].revents != 0) {
        if (auto const ended = hear(signals, terminal)) return *ended;
      }
      if (waiting[0].revents != 0 && !read_typed()) return 0;
      if (waiting[1].revents != 0 && !show()) return exit_failure;
      if (waiting[2].revents != 0) tend_keyboard(waiting[2].revents);
      if (waiting[3].revents != 0) drain(changes_.get());
      if (waiting[4].revents != 0) has_guest_ended_ = true;
    }
  }

  // Until the next thing that comes by time.
  int patience() const {
    auto next = SteadyClock::time_point::max();
    if (leave_at_) next = std::min(next, *leave_at_);
    if (unpause_at_) next = std::min(next, *unpause_at_);
    if (next == SteadyClock::time_point::max()) return -1;
    auto const left =
        std::chrono::duration_cast<std::chrono::milliseconds>(next - SteadyClock::now()) + 1ms;
    return static_cast<int>(std::max(left, 0ms).count());
  }

  // An exit code when the signal ends us.
  std::optional<int> hear(Signals& signals, RawTerminal& terminal) {
    constexpr int by_signal = 128;
    while (auto const number = signals.next()) {
      switch (*number) {
        case SIGPIPE:
          break;
        case SIGCONT:
          terminal.set();
          break;
        case SIGTSTP:
          terminal.restore();
          ::raise(SIGSTOP);
          terminal.set();
          break;
        case SIGUSR1:
          give_up_keyboard("another terminal has taken the keyboard");
          break;
        default:
          return by_signal + *number;
      }
    }
    return std::nullopt;
  }

  void give_up_keyboard(std::string_view why) {
    keyboard_.close();
    unlock(record_.get());
    typed_.clear();
    other_ = "another terminal";
    notice(why);
  }

  // Between the guest's own lines.
  void notice(std::string_view text) {
    shown_ += fmt::format("\r\n[{}: {}; you only watch now]\r\n", instance_, text);
  }

  void read_record() {
    if (!shown_.empty()) return;
    struct stat seen{};
    if (::fstat(record_.get(), &seen) != 0) return;
    if (seen.st_size < at_) at_ = 0;
    if (seen.st_size - at_ > behind_bytes_max) {
      shown_ = fmt::format("\r\n[{} bytes were left out]\r\n", seen.st_size - at_ - history_bytes);
      at_ = seen.st_size - history_bytes;
    }
    std::array<char, chunk_bytes> buffer{};
    auto const got = ::pread(record_.get(), buffer.data(), buffer.size(), at_);
    if (got <= 0) return;
    shown_.append(buffer.data(), static_cast<std::size_t>(got));
    at_ += got;
  }

  bool show() {
    auto const put = ::write(output_.get(), shown_.data(), std::min(shown_.size(), chunk_bytes));
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    shown_.erase(0, static_cast<std::size_t>(put));
    return true;
  }

  // False when somebody leaves.
  bool read_typed() {
    std::array<char, chunk_bytes> buffer{};
    auto const got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) {
      has_input_ended_ = true;
      // The terminal is gone: there is nobody to linger for.
      return !is_raw_;
    }
    std::string_view const bytes(buffer.data(), static_cast<std::size_t>(got));
    // A script's bytes mean themselves.
    auto const seen = is_raw_ ? typed(bytes) : Typed{bytes, false};
    if (!keyboard_.is_open()) {
      if (!seen.text.empty()) shown_ += '\a';
    } else if (typed_.size() < typed_bytes_max) {
      typed_ += seen.text;
    }
    return !seen.leaves;
  }

  void tend_keyboard(short events) {
    // The record has it already.
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !drain(keyboard_.get())) {
      keyboard_.close();
      unlock(record_.get());
      return;
    }
    if ((events & POLLOUT) == 0 || typed_.empty()) return;
    auto const sent =
        ::send(keyboard_.get(), typed_.data(), typed_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) typed_.erase(0, static_cast<std::size_t>(sent));
  }

  // QEMU forgets what it has not read when we hang up.
  void send_the_rest() {
    auto const deadline = SteadyClock::now() + linger;
    int unread = 0;
    while (keyboard_.is_open() && !has_guest_ended_ && SteadyClock::now() < deadline) {
      if (!typed_.empty()) tend_keyboard(POLLOUT);
      if (typed_.empty() && (::ioctl(keyboard_.get(), SIOCOUTQ, &unread) != 0 || unread == 0)) {
        return;
      }
      std::this_thread::sleep_for(5ms);
    }
  }

  // False at its end.
  static bool drain(int fd) {
    std::array<char, chunk_bytes> buffer{};
    auto const got = ::read(fd, buffer.data(), buffer.size());
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  }

  Paths const& paths_;
  std::string instance_;
  Fd record_;
  Fd changes_;
  Fd guest_;
  Fd keyboard_;
  Fd output_;
  std::string other_;  // who has the keyboard, when it isn't we
  off_t at_ = 0;
  std::string shown_;  // read from the record, not written yet
  std::string typed_;  // not sent yet
  bool may_type_ = false;
  bool is_raw_ = false;
  bool has_input_ended_ = false;
  bool has_guest_ended_ = false;
  std::optional<SteadyClock::time_point> leave_at_;
  std::optional<SteadyClock::time_point> unpause_at_;
  std::string farewell_;
};

}  // namespace

Outcome<int> serial_console(Paths const& paths, std::string const& instance, Keyboard keyboard) {
  return Console(paths, instance).run(keyboard);
}

std::string_view last_lines(std::string_view said, std::size_t lines_max) {
  auto at = said.size();
  for (std::size_t lines = 0; at > 0; --at) {
    // The line that is being written counts, too.
    if (said[at - 1] == '\n' && at < said.size() && ++lines == lines_max) break;
  }
  return said.substr(at);
}

Typed typed(std::string_view bytes) {
  auto const at = bytes.find(leave_key);
  if (at == std::string_view::npos) return {bytes, false};
  return {bytes.substr(0, at), true};
}

bool is_serial_taken(std::string_view chardevs) {
  constexpr std::string_view serial = "serial0: filename=";
  auto const at = chardevs.find(serial);
  return at != std::string_view::npos &&
         !chardevs.substr(at + serial.size()).starts_with("disconnected:");
}

bool is_paused(std::string_view status) {
  // In the words between parentheses stand causes that must not be overridden, such as io-error.
  auto const at = status.find("VM status: paused");
  if (at == std::string_view::npos) return false;
  auto const rest = status.substr(at + std::string_view("VM status: paused").size());
  return rest.starts_with("\r") || rest.starts_with("\n") || rest.starts_with(" (prelaunch)");
}

}  // namespace flotte::cli
