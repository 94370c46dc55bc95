// The users of the remote API, as root keeps them in their file (net/users_file.h). Main thread.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

// flotte rapi-passwd [--opts=OPTIONS] USER
Outcome<int> rapi_passwd(Call& call);
// flotte rapi-users
Outcome<int> rapi_users(Call& call);

}  // namespace flotte::cli
