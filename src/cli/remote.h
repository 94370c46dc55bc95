// Commands and files on nodes (O3): directly on this one, by ssh as root on others.
//
// run() blocks and is for the main thread; the rest is pure.
#pragma once

#include <cstdint>
#include <string>

namespace flotte::cli {

struct Target {
  std::string name;
  std::int64_t ssh_port = 22;
  bool is_here = false;
};

// The line of a shell that runs a line of a shell there.
std::string command_on(Target const& target, std::string const& command);
// The line of a shell that copies a file to the same path there, with owner and mode.
std::string copy_to(Target const& target, std::string const& path);

struct Said {
  std::string output;  // of both streams
  int exit_code = 0;   // 128 + signal when a signal ended it
};
Said run(std::string const& line);

}  // namespace flotte::cli
