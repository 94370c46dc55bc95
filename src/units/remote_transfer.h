// What opcodes say of a transfer between clusters, read (docs/ganeti.md, "Moves between clusters").
// Pure; WrongInput names what is missing or is none.
#pragma once

#include "opcodes/backup.h"
#include "opcodes/instance.h"
#include "rpc/node_calls.h"

namespace flotte::units {

// Where the disks of an export go.
Result<rpc::TransferSendCheck> read_destination(opcodes::BackupExport const& op);
// Where those of an instance that is created come from.
Result<rpc::TransferReceiveCheck> read_source(opcodes::InstanceCreate const& op);

}  // namespace flotte::units
