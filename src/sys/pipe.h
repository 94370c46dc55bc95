// Descriptors that are closed with their owner, and pipes of two of them. An end may be closed by
// another thread than the other one.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace flotte::sys {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { close(); }
  Fd(Fd&& other) noexcept;
  Fd& operator=(Fd&& other) noexcept;
  int get() const { return fd_; }
  void close();

 private:
  int fd_;
};

struct Pipe {
  Fd read;
  Fd write;

  // Both ends are closed at exec.
  static Result<Pipe> open();
};

// That were written and nobody has read.
std::int64_t bytes_waiting(Fd const& read_end);

// Who reads or writes it is not made to wait.
Result<void> make_nonblocking(Fd const& fd);

}  // namespace flotte::sys
