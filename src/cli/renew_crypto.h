// `gnt-cluster renew-crypto`: other certificates, keys and secrets, while everything goes on.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

Command renew_crypto_command();

}  // namespace flotte::cli
