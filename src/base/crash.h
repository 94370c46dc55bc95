// Crash: what a process of ours leaves behind when it ends without meaning to, by an exception that
// nobody caught, a broken CHECK or a wild pointer, so that the next one knows what not to do again
// and again. Being killed is no crash.
#pragma once

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "base/result.h"

namespace flotte::crash {

// From now on an exception that nobody catches is named in the log before the process ends. Before
// any thread starts.
void name_exceptions();

// From now on the blame of a thread that crashes is appended to this file. The answer: what earlier
// processes left in it, a line each. Before any thread takes blame.
Result<std::vector<std::string>> record_in(std::string const& file);
// What was left has been taken note of.
Result<void> forget(std::string const& file);

// While one lives, a crash of this thread is put down to `line`, which ends with a newline. They
// nest: the innermost counts. It also gives the thread a stack on which the end of its own can be
// noted.
class Blame {
 public:
  explicit Blame(std::string line);
  ~Blame();
  Blame(Blame const&) = delete;
  Blame& operator=(Blame const&) = delete;

  std::string const& line() const { return line_; }

 private:
  static constexpr std::size_t stack_bytes = 32 * 1024;

  std::string const line_;
  Blame const* outer_;
  stack_t stack_before_{};
  std::array<char, stack_bytes> stack_;
};

// That of this thread, for one that works for it; empty: nobody's.
std::string blame_of_this_thread();

}  // namespace flotte::crash
