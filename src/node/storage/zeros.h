// Overwriting disks with zeros. Blocking; thread-safe.
#pragma once

#include <string>

#include "base/result.h"
#include "base/size.h"
#include "rpc/dispatch.h"
#include "rpc/node_calls.h"

namespace flotte::node {

// A file or a device, from that byte to its end; on the disk when it returns. Ends when `progress`
// says so.
Result<void> fill_with_zeros(std::string const& path, Bytes from, rpc::Progress const& progress);

// Why a disk may not be opened yet.
Failure not_wiped(std::string const& instance, rpc::DiskSpec const& disk);
// Why it isn't wiped: what it had grown was taken back.
Failure too_small(std::string const& instance, rpc::DiskSpec const& disk, MiB size);

}  // namespace flotte::node
