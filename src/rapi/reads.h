// What programs may read through the remote API at once: a table of routes, their answers JSON.
// Ganeti's rules: docs/ganeti.md, "Remote API". Thread-safe.
#pragma once

#include <span>
#include <string_view>

#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

// Who may ask, where nothing but an account's permissions says so.
enum class Access {
  Everybody,  // also without an account, unless accounts are required
  Account,
};

struct Read {
  std::string_view method;
  std::string_view path;        // "/2/instances/{name}"
  std::string_view permission;  // "instances.query"; empty: whoever has an account
  Access access;
  std::string_view sentence;  // for people
  Granted<json::value> (*answer)(Services const& services, RemoteCall const& call);
  struct Traits {
    bool is_list = false;    // of which "?bulk=1" tells more
    bool is_shared = false;  // the same for all who ask, and costs much
    bool is_built = true;
    bool has_body = false;
  };
  Traits traits = {};
};

std::span<Read const> reads();

}  // namespace flotte::rapi
