#include "sys/deeds.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

namespace flotte::sys {
namespace {

// Who opens a pipe or a terminal waits for its other end, and so does who reads or writes it.
int open_content(std::string const& path, int flags, mode_t mode = 0) {
  int const fd = ::open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
  if (fd < 0) {
    // A socket, or a pipe that nobody reads.
    if (errno == ENXIO) errno = EMEDIUMTYPE;
    return fd;
  }
  struct stat status{};
  if (::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) &&
      ::fcntl(fd, F_SETFL, flags & O_APPEND) == 0) {
    return fd;
  }
  ::close(fd);
  errno = EMEDIUMTYPE;
  return -1;
}

}  // namespace

int unlink(std::string const& path) {
  return deed("unlink", path, [&] { return ::unlink(path.c_str()); });
}

int rmdir(std::string const& path) {
  return deed("rmdir", path, [&] { return ::rmdir(path.c_str()); });
}

int mkdir(std::string const& path, mode_t mode) {
  return deed("mkdir", path, [&] { return ::mkdir(path.c_str(), mode); });
}

int rename(std::string const& from, std::string const& to) {
  return deed("rename", to, [&] { return ::rename(from.c_str(), to.c_str()); });
}

int exchange(std::string const& one, std::string const& other) {
  return deed("exchange", one, [&] {
    return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
  });
}

int symlink(std::string const& target, std::string const& path) {
  return deed("symlink", path, [&] { return ::symlink(target.c_str(), path.c_str()); });
}

int truncate(std::string const& path, off_t bytes) {
  return deed("truncate", path, [&] { return ::truncate(path.c_str(), bytes); });
}

int ftruncate(int fd, off_t bytes) {
  return deed("ftruncate", "", [&] { return ::ftruncate(fd, bytes); });
}

int punch_beginning(int fd, off_t bytes) {
  return deed("fallocate", "", [&] {
    return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes);
  });
}

int fchmod(int fd, mode_t mode) {
  return deed("fchmod", "", [&] { return ::fchmod(fd, mode); });
}

int fchown(int fd, uid_t owner, gid_t group) {
  return deed("fchown", "", [&] { return ::fchown(fd, owner, group); });
}

int create_file(std::string const& path, mode_t mode) {
  return deed("create", path, [&] {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  });
}

int open_to_append(std::string const& path, mode_t mode) {
  return deed("create", path,
              [&] { return open_content(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode); });
}

// Opening alone changes nothing.
int open_to_write(std::string const& path) {
  return open_content(path, O_WRONLY);
}

int open_to_read(std::string const& path) {
  return open_content(path, O_RDONLY);
}

int open_to_read_and_write(std::string const& path) {
  return open_content(path, O_RDWR);
}

ssize_t write(int fd, std::string_view content) {
  return deed("write", "", [&] { return ::write(fd, content.data(), content.size()); });
}

ssize_t sendmsg(int fd, msghdr const& message) {
  return deed("sendmsg", "", [&] { return ::sendmsg(fd, &message, MSG_NOSIGNAL); });
}

ssize_t pwrite(int fd, std::string_view content, off_t at) {
  return deed("pwrite", "", [&] { return ::pwrite(fd, content.data(), content.size(), at); });
}

int kill(pid_t whom, int signal) {
  return deed("kill", std::to_string(whom), [&] { return ::kill(whom, signal); });
}

int pidfd_send_signal(int pidfd, int signal) {
  return deed("kill", "", [&] {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
  });
}

int ioctl(int fd, unsigned long request, void* argument, std::string_view what) {
  return deed("ioctl", what, [&] { return ::ioctl(fd, request, argument); });
}

}  // namespace flotte::sys
