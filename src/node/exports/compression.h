// Compressing what is sent to another cluster, by the programs that Ganeti uses (docs/ganeti.md,
// "Moves between clusters"). Blocking; an object belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/paths.h"
#include "base/result.h"
#include "net/peer_stream.h"
#include "sys/process.h"

namespace flotte::node {

// Where bytes go.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
  // That was all; it has left.
  virtual Result<void> finish() = 0;
};

// Where bytes come from.
class Inlet {
 public:
  virtual ~Inlet() = default;
  // How many; 0: there are no more.
  virtual Result<std::size_t> read(std::span<char> room) = 0;
};

// What is needed to run the programs; outlives what is made with it.
struct Compressors {
  Paths const& paths;
  Clock& clock;  // starts threads
  sys::Processes& processes;
};

// Whether this node has the program and may run it.
Result<void> check_compressor(Compressors const& with, std::string const& tool);

// What is written leaves through `to`, compressed; "none": as it is. `goes_on`: asked while it
// waits, on several threads.
Result<std::unique_ptr<Outlet>> compressed(Compressors const& with, std::string const& tool,
                                           std::unique_ptr<Outlet> to, net::GoesOn goes_on);
Result<std::unique_ptr<Inlet>> decompressed(Compressors const& with, std::string const& tool,
                                            std::unique_ptr<Inlet> from, net::GoesOn goes_on);

}  // namespace flotte::node
