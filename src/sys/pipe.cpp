#include "sys/pipe.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace flotte::sys {
namespace {

Failure cant_make_pipe() {
  return fail(ErrorCode::EnvironmentError, "Can't make a pipe: {}",
              std::generic_category().message(errno));
}

}  // namespace

Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void Fd::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<Pipe> Pipe::open() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return cant_make_pipe();
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::int64_t bytes_waiting(Fd const& read_end) {
  int count = 0;
  return ::ioctl(read_end.get(), FIONREAD, &count) == 0 ? count : 0;
}

Result<void> make_nonblocking(Fd const& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0) return {};
  return cant_make_pipe();
}

}  // namespace flotte::sys
