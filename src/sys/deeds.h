// Deeds: everything that a process of ours does to its machine goes through one of these, so that
// the moments just before and just after it are known: there the daemon may be killed, and the next
// one must cope. Errors are in errno, as those of the calls of the same names.
//
// Tests install a hook that counts these moments or ends the process at one of them. Without a hook
// a moment costs one relaxed load. Thread-safe.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

namespace flotte::sys {

// `deed`: what is done ("unlink"); `to_what`: a path, a program, a command.
using MomentHook = void (*)(std::string_view deed, std::string_view to_what);
inline std::atomic<MomentHook> moment_hook = nullptr;

inline void moment(std::string_view deed, std::string_view to_what) {
  auto const hook = moment_hook.load(std::memory_order_relaxed);
  if (!hook) return;
  auto const reason = errno;
  hook(deed, to_what);
  errno = reason;
}

template <class Function>
auto deed(std::string_view name, std::string_view to_what, Function function) {
  moment(name, to_what);
  auto done = function();
  moment(name, to_what);
  return done;
}

int unlink(std::string const& path);
int rmdir(std::string const& path);
int mkdir(std::string const& path, mode_t mode);
int rename(std::string const& from, std::string const& to);
// In one instant each gets the other's name.
int exchange(std::string const& one, std::string const& other);
int symlink(std::string const& target, std::string const& path);
int truncate(std::string const& path, off_t bytes);
int ftruncate(int fd, off_t bytes);
// Gives back the space of a file's beginning; its size and the rest of it stay.
int punch_beginning(int fd, off_t bytes);
int fchmod(int fd, mode_t mode);
int fchown(int fd, uid_t owner, gid_t group);
// The descriptor of a file that wasn't there, to be written.
int create_file(std::string const& path, mode_t mode);
// What follows opens regular files and block devices. All else is refused (EMEDIUMTYPE) without
// waiting for whoever would be at its other end.
//
// The descriptor of a file that grows, to be written at its end.
int open_to_append(std::string const& path, mode_t mode);
// The descriptor of a file that is there, to be written.
int open_to_write(std::string const& path);
// To be read; to be read and written.
int open_to_read(std::string const& path);
int open_to_read_and_write(std::string const& path);
ssize_t write(int fd, std::string_view content);
ssize_t pwrite(int fd, std::string_view content, off_t at);
// With MSG_NOSIGNAL.
ssize_t sendmsg(int fd, msghdr const& message);
// Of a process, or of a group (negative).
int kill(pid_t whom, int signal);
int pidfd_send_signal(int pidfd, int signal);
// One that changes something; those that only ask are no deeds.
int ioctl(int fd, unsigned long request, void* argument, std::string_view what);

}  // namespace flotte::sys
