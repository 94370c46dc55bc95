// The OS definitions that programs may choose from. The nodes are asked, by a job whose end is
// waited for. Any thread.
#pragma once

#include "net/http.h"
#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

// "debootstrap+stable"; with "?bulk=1" a dict of each definition.
Granted<json::value> list_os(Services const& services, RemoteCall const& call,
                             jobs::Principal const& who, net::Responder& responder);

}  // namespace flotte::rapi
