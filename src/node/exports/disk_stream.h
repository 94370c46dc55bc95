// The content of an instance's disk as a stream of bytes: by the scripts of its OS or, where it has
// none, as it is. Blocking; thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "node/exports/script_stream.h"
#include "node/os/os_definitions.h"

namespace flotte::node {

struct StreamedDisk {
  rpc::InstanceSpec const& instance;
  std::int64_t index = 0;
  std::vector<std::string> const& paths;  // where a script finds each of its disks
  std::int64_t debug_level = 0;

  rpc::DiskSpec const& disk() const;
  std::string const& path() const;
};

// Told while a stream goes on, from the thread that waits for it. False: it shall end.
struct StreamWatcher {
  std::function<bool(std::string_view line)> says;  // of a script
  // How far it is; without a total nobody knows how much it will be.
  std::function<bool(std::int64_t bytes, std::int64_t total)> is_at;
};

// What is on the disk goes to `take`, on whichever thread; how many bytes it was.
Result<std::int64_t> run_export_script(OsDefinitions& os, StreamedDisk const& from, TakePiece take,
                                       StreamWatcher const& watcher);

// What `give` gives comes onto the disk; how many bytes it was.
Result<std::int64_t> run_import_script(OsDefinitions& os, StreamedDisk const& to, GivePiece give,
                                       std::int64_t total, StreamWatcher const& watcher);

}  // namespace flotte::node
