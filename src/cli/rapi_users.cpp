#include "cli/rapi_users.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "net/passwords.h"
#include "net/users_file.h"

namespace flotte::cli {
namespace {

constexpr std::size_t password_bytes_max = 1024;

class Fd {
 public:
  explicit Fd(int number) : number_(number) {}
  ~Fd() {
    if (number_ >= 0) ::close(number_);
  }
  Fd(Fd const&) = delete;
  Fd& operator=(Fd const&) = delete;

  bool is_open() const { return number_ >= 0; }
  int get() const { return number_; }

 private:
  int number_;
};

tl::unexpected<CommandError> failed(std::string_view what, std::string const& path) {
  return stop(fmt::format("Can't {} {}: {}", what, path, std::strerror(errno)));
}

// --- Asking for a password

sig_atomic_t volatile caught = 0;

// While it exists what is typed is not shown. A signal that would end us comes when the terminal is
// as it was.
class Hidden {
 public:
  Hidden() {
    struct sigaction ours{};
    ours.sa_handler = [](int number) { caught = number; };
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &ours, &before_[i]);
    is_terminal_ = ::tcgetattr(STDIN_FILENO, &shown_) == 0;
    if (!is_terminal_) return;
    auto hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~Hidden() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &shown_);
    for (std::size_t i = 0; i < signals.size(); ++i) {
      ::sigaction(signals[i], &before_[i], nullptr);
    }
    if (caught != 0) ::raise(caught);
  }
  Hidden(Hidden const&) = delete;
  Hidden& operator=(Hidden const&) = delete;

 private:
  static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  std::array<struct sigaction, signals.size()> before_{};
  termios shown_{};
  bool is_terminal_ = false;
};

Outcome<std::string> read_line() {
  std::string line;
  for (char c = 0; line.size() <= password_bytes_max;) {
    auto const got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR && caught == 0) continue;
    if (got < 0 || (got == 0 && line.empty())) return stop("No password was given");
    if (got == 0 || c == '\n') return line;
    line += c;
  }
  return stop(fmt::format("A password has at most {} bytes", password_bytes_max));
}

Outcome<std::string> ask(std::string_view question) {
  auto const line = [&] {
    // First: who is quick types as soon as he is asked.
    Hidden const hidden;
    std::fprintf(stderr, "%s: ", std::string(question).c_str());
    return read_line();
  }();
  std::fprintf(stderr, "\n");
  return line;
}

Outcome<std::string> new_password(std::string const& user) {
  auto const is_asked = ::isatty(STDIN_FILENO) == 1;
  auto const password = OK(is_asked ? ask(fmt::format("New password of {}", user)) : read_line());
  auto const is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  if (password.empty()) return stop("A password can't be empty");
  if (std::ranges::any_of(password, is_control)) {
    return stop("A password can't have control characters");
  }
  if (is_asked && OK(ask("Again")) != password) return stop("The two differ; nothing was changed");
  return password;
}

// --- The file

struct UsersFile {
  std::string path;
  std::string text;
  bool is_there = false;
  struct stat status{};
};

Outcome<UsersFile> read_users(std::string const& path) {
  UsersFile file{.path = path};
  Fd const fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open() && errno == ENOENT) return file;
  if (!fd.is_open() || ::fstat(fd.get(), &file.status) != 0) return failed("read", path);
  if (!S_ISREG(file.status.st_mode)) return stop(fmt::format("{} is no regular file", path));
  file.is_there = true;
  std::array<char, 65536> buffer{};
  for (ssize_t got = 0; (got = ::read(fd.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return failed("read", path);
    file.text.append(buffer.data(), static_cast<std::size_t>(got));
    if (file.text.size() > net::users_file_bytes_max) {
      return stop(fmt::format("{} is larger than {} bytes", path, net::users_file_bytes_max));
    }
  }
  return file;
}

gid_t controllers_group() {
  auto const* group = ::getgrnam(std::string(flotte_user).c_str());
  return group ? group->gr_gid : 0;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto const written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// With the owner and the mode of the file that it replaces, from its first byte on.
Outcome<void> replace(UsersFile const& file, std::string const& text) {
  if (text.size() > net::users_file_bytes_max) {
    return stop(fmt::format("{} would be larger than {} bytes, and not be read any more", file.path,
                            net::users_file_bytes_max));
  }
  constexpr mode_t mode_new = 0640;
  constexpr mode_t all_bits = 07777;
  auto const is_roots = ::geteuid() == 0;
  auto const owner = file.is_there ? file.status.st_uid : ::geteuid();
  auto const group = file.is_there ? file.status.st_gid
                     : is_roots    ? controllers_group()
                                   : ::getegid();
  auto const mode = file.is_there ? file.status.st_mode & all_bits : mode_new;
  auto const temporary = file.path + ".new";
  ::unlink(temporary.c_str());
  Fd const fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     S_IRUSR | S_IWUSR));
  if (!fd.is_open()) return failed("write", temporary);
  if (::fchown(fd.get(), owner, group) != 0 || ::fchmod(fd.get(), mode) != 0 ||
      !write_all(fd.get(), text) || ::fsync(fd.get()) != 0 ||
      ::rename(temporary.c_str(), file.path.c_str()) != 0) {
    auto const failure = failed("write", file.path);
    ::unlink(temporary.c_str());
    return failure;
  }
  return {};
}

// A folder that there isn't is made as `gnt-cluster init` makes it.
Outcome<void> make_folder(std::string const& folder) {
  constexpr mode_t administrators = 0750;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), ignored);
  if (::mkdir(folder.c_str(), administrators) != 0) {
    return errno == EEXIST ? Outcome<void>() : failed("make", folder);
  }
  Fd const fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.is_open() || ::fchmod(fd.get(), administrators) != 0 ||
      (::geteuid() == 0 && ::fchown(fd.get(), 0, controllers_group()) != 0)) {
    return failed("make", folder);
  }
  return {};
}

// Behind links: what they lead to is replaced.
std::string file_of(Call& call) {
  std::error_code error;
  auto const path = call.arguments.value_or("file", call.session.paths().rapi_users_file());
  auto const real = std::filesystem::canonical(path, error);
  if (!error) return real.string();
  return std::filesystem::absolute(path, error).string();
}

// Ganeti's daemon was of another user.
void warn_of_mode(UsersFile const& file) {
  if (!file.is_there) return;
  auto const& status = file.status;
  auto const is_readable =
      (status.st_mode & S_IROTH) != 0 ||
      ((status.st_mode & S_IRGRP) != 0 && status.st_gid == controllers_group());
  if (!is_readable) {
    std::fprintf(stderr, "The controller may be unable to read it: chgrp %s %s && chmod 640 %s\n",
                 std::string(flotte_user).c_str(), file.path.c_str(), file.path.c_str());
  }
}

}  // namespace

Outcome<int> rapi_passwd(Call& call) {
  auto const& user = call.arguments.positional()[0];
  auto const options = call.arguments.value("opts");
  GIVEN(net::check_user_name(user).map([] { return 0; }));
  if (options) GIVEN(net::check_user_options(*options).map([] { return 0; }));
  auto const path = file_of(call);
  auto const folder = std::filesystem::path(path).parent_path().string();
  OK(make_folder(folder).map([] { return 0; }));
  auto const password = OK(new_password(user));
  SystemRandom random;
  auto const stored = "{argon2id}" + net::hash_of_password(password, random);
  // Whoever sets another one at the same time waits.
  Fd const lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.is_open() || ::flock(lock.get(), LOCK_EX) != 0) return failed("lock", folder);
  auto const file = OK(read_users(path));
  auto const text = net::with_password(file.text, user, stored, options);
  OK(replace(file, text).map([] { return 0; }));
  if (::fsync(lock.get()) != 0) return failed("write", folder);
  warn_of_mode(file);
  for (auto const& line : net::user_lines(text)) {
    if (line.name != user || line.password != stored) continue;
    std::printf("The password of %s is set\n", user.c_str());
    if (line.options.empty()) {
      std::printf("%s has no options, and may ask what everybody may: see --opts\n", user.c_str());
    }
  }
  return 0;
}

Outcome<int> rapi_users(Call& call) {
  auto const file = OK(read_users(file_of(call)));
  for (auto const& line : net::user_lines(file.text)) {
    if (!net::check_user_name(line.name) || line.password.empty()) {
      std::printf("(line %zu is not understood)\n", line.number);
      continue;
    }
    auto const scheme = net::scheme_of(line.password).scheme;
    auto const is_known = scheme == "argon2id" || scheme == "ha1" || scheme == "cleartext";
    std::printf("%s %s %s\n", std::string(line.name).c_str(), is_known ? scheme.c_str() : "unknown",
                line.options.empty() ? "-" : std::string(line.options).c_str());
  }
  return 0;
}

}  // namespace flotte::cli
