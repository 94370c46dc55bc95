// A disk on its way to another cluster, or from there: one stream, in which a magic word comes
// first and then what ExportDisk would write (docs/ganeti.md, "Moves between clusters"). Blocking;
// thread-safe.
//
// Ours say to each other what Ganeti's don't: who has received all says so, with the number of
// bytes, once they lie on the disk. The sender knows by the magic word that this will be said.
#pragma once

#include "base/random.h"
#include "net/peer_stream.h"
#include "node/exports/compression.h"
#include "node/exports/disk_stream.h"

namespace flotte::node {

struct DiskTransfer {
  StreamedDisk disk;
  std::string magic;
  std::string compress;
};

std::string new_magic(Random& random);

// How many bytes the disk gave.
Result<std::int64_t> send_disk(DiskTransfer const& transfer, OsDefinitions& os,
                               Compressors const& compressors, net::PeerStream& stream,
                               StreamWatcher const& watcher, net::GoesOn const& goes_on);
Result<void> receive_disk(DiskTransfer const& transfer, OsDefinitions& os,
                          Compressors const& compressors, net::PeerStream& stream,
                          StreamWatcher const& watcher, net::GoesOn const& goes_on);

}  // namespace flotte::node
