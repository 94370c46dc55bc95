// The keys, certificates and secrets of a cluster: made once, renewed while everything goes on.
//
// Used by the node daemon, which alone is root and has the authority's key. Not thread-safe;
// NodeDaemon takes a mutex. docs/security.md, "Keys and certificates".
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/paths.h"
#include "rpc/node_calls.h"

namespace flotte {
class Random;
}  // namespace flotte

namespace flotte::node {

struct Membership;

// The authority's key; only the node daemon of the first node has it.
std::string authority_key_file(Paths const& paths);
// Key and certificate of the authority that is to be the next one, while it is being changed.
std::string next_authority_file(Paths const& paths);

Result<void> make_keys(Paths const& paths, Membership const& member, Random& random, WallTime now);

// "ssconf_master_candidates_certs": by what others know this node's certificate.
Result<void> write_certificate_digest(Paths const& paths, Membership const& member);

// The paths of what was renewed. WrongInput: nothing was touched; names the file that can't be
// used, without what stands in it. `reload`: makes the daemon show and trust what is in the files
// now; it is called wherever that must have happened before the next file is written.
Result<std::vector<std::string>> renew_keys(Paths const& paths, Membership const& member,
                                            rpc::RenewCrypto const& wish, Random& random,
                                            WallTime now,
                                            std::function<Result<void>()> const& reload);

// What a crash left half done; nothing where nothing was begun.
Result<void> finish_renewal(Paths const& paths, Membership const& member, WallTime now,
                            std::function<Result<void>()> const& reload);

}  // namespace flotte::node
