#include "net/listener.h"

#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace flotte::net {
namespace {

constexpr int backlog = 1024;
constexpr std::size_t group_entry_bytes_max = 256 * 1024;

Descriptor new_socket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

sockaddr const* generic(UnixAddress const& address) {
  return reinterpret_cast<sockaddr const*>(&address.address);
}

// Two daemons that start at once must not both find the file stale and replace each other's: held
// from looking until listening.
Result<Descriptor> lock_directory_of(std::string const& path) {
  auto const slash = path.rfind('/');
  auto const directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open() || ::flock(opened.number(), LOCK_EX) != 0) {
    return fail(ErrorCode::EnvironmentError, "Can't listen on {}: {}", path, errno_text(errno));
  }
  return opened;
}

Result<void> remove_stale(std::string const& path, UnixAddress const& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::WrongState, "Can't listen on {}: a file that is no socket is there",
                path);
  }
  auto const probe = new_socket(AF_UNIX);
  if (::connect(probe.number(), generic(address), sizeof address.address) == 0 ||
      errno != ECONNREFUSED) {
    return fail(ErrorCode::AlreadyExists, "Can't listen on {}: another process answers there",
                path);
  }
  ::unlink(path.c_str());
  return {};
}

Result<void> give_rights(UnixListen const& options) {
  if (!options.group.empty()) {
    group entry{};
    group* found = nullptr;
    std::vector<char> text(group_entry_bytes_max);
    getgrnam_r(options.group.c_str(), &entry, text.data(), text.size(), &found);
    auto const owner = static_cast<uid_t>(-1);
    if (found != nullptr && ::chown(options.path.c_str(), owner, found->gr_gid) != 0) {
      return fail(ErrorCode::EnvironmentError, "Can't give {} to the group {}: {}", options.path,
                  options.group, errno_text(errno));
    }
  }
  if (::chmod(options.path.c_str(), options.mode) != 0) {
    return fail(ErrorCode::EnvironmentError, "Can't set the mode of {}: {}", options.path,
                errno_text(errno));
  }
  return {};
}

}  // namespace

Result<Listener> Listener::tcp(TcpListen const& options) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  auto const port = std::to_string(options.port);
  if (::getaddrinfo(options.address.c_str(), port.c_str(), &hints, &found) != 0) {
    return fail(ErrorCode::WrongInput, "Can't listen on '{}': not an IP address", options.address);
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> const address(found, ::freeaddrinfo);

  auto socket = new_socket(address->ai_family);
  int const on = 1;
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.number(), address->ai_addr, address->ai_addrlen) != 0 ||
      ::listen(socket.number(), backlog) != 0) {
    return fail(ErrorCode::EnvironmentError, "Can't listen on {} port {}: {}", options.address,
                options.port, errno_text(errno));
  }
  return Listener(std::move(socket));
}

Result<Listener> Listener::unix_socket(UnixListen const& options) {
  auto const lock = TRY(lock_directory_of(options.path));
  auto const address = TRY(unix_address(options.path));
  TRY(remove_stale(options.path, address));

  Listener listener(new_socket(AF_UNIX));
  if (::bind(listener.socket(), generic(address), sizeof address.address) != 0) {
    return fail(ErrorCode::EnvironmentError, "Can't listen on {}: {}", options.path,
                errno_text(errno));
  }
  struct stat status{};
  ::lstat(options.path.c_str(), &status);
  listener.path_ = options.path;
  listener.device_ = status.st_dev;
  listener.inode_ = status.st_ino;

  // Nobody can connect before listen(), so the rights are never too wide.
  TRY(give_rights(options));
  if (::listen(listener.socket(), backlog) != 0) {
    return fail(ErrorCode::EnvironmentError, "Can't listen on {}: {}", options.path,
                errno_text(errno));
  }
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : socket_(std::move(other.socket_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

Listener::~Listener() {
  if (path_.empty()) return;
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

std::uint16_t Listener::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<sockaddr_in const&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<sockaddr_in6 const&>(address).sin6_port);
  }
  return 0;
}

}  // namespace flotte::net
