// The OS definitions that programs may choose from, as the nodes that answer have them. Any thread.
#pragma once

#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

// "debootstrap+stable"; with "?bulk=1" a dict of each definition.
Granted<json::value> list_os(Services const& services, RemoteCall const& call);

}  // namespace flotte::rapi
