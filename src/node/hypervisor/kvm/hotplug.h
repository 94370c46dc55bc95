// Disks and NICs of a running QEMU, changed over QMP: what `gnt-instance modify` does to a guest
// without a restart.
//
// What is done is written to the runtime file before or right after it, so that a daemon that was
// killed in between finds out from QEMU itself and goes on when it is asked again. Calls about one
// guest must not overlap.
#pragma once

#include <set>
#include <string>

#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/kvm/qmp.h"
#include "node/hypervisor/kvm/runtime.h"
#include "node/network/nics.h"

namespace flotte::node {

// Hypervisor::adjust() for a guest that runs. WrongState: a device that can't be changed while it
// runs, or one that the guest doesn't let go of. What a guest has let go of later, and should have,
// it is given back.
Result<void> adjust_devices(Qmp& qmp, KvmRuntime const& runtime, Nics& nics,
                            rpc::InstanceSpec const& spec,
                            std::vector<std::string> const& disk_links, GoesOn const& goes_on);

// The ids of the devices that QEMU has under one.
Result<std::set<std::string>> devices_of(Qmp& qmp);

// The guest's NICs as the network's scripts want to know them.
rpc::InstanceSpec spec_of_nics(std::string const& name, KvmGuest const& guest);

}  // namespace flotte::node
