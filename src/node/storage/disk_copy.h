// Copying what is on one disk to another one, for a change of template and for exports. Blocking;
// thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "base/result.h"
#include "node/storage/checksum.h"
#include "rpc/dispatch.h"

namespace flotte::node {

struct DiskCopy {
  std::string from;  // files or devices
  std::string to;    // as large at least; what is behind the end of `from` becomes zeros
  PieceChecksum* checksum = nullptr;  // gets what is read
  // No more of `from` than that: a volume may be larger than its disk.
  std::int64_t bytes_max = std::numeric_limits<std::int64_t>::max();
};

// A repeated copy is as good as one that was not disturbed. A file stays sparse where there are
// only zeros, a device is told to write them itself. WrongInput: there is no room on `to`. Ends
// when `progress` says so.
Result<void> copy_disk(DiskCopy const& copy, rpc::Progress const& progress);

}  // namespace flotte::node
