// What adding and removing tags share. Pure.
#pragma once

#include <string>
#include <vector>

#include "jobs/locks.h"
#include "model/cluster.h"

namespace flotte::store {
class ClusterEdit;
}

namespace flotte::units {

// [\w.+*/:@-]+, at most 128 characters (ganeti-compat §1.1).
Result<void> check_tags(std::vector<std::string> const& tags);
Result<jobs::LockSet> tag_locks(std::string const& kind, std::string const& name,
                                model::Cluster const& cluster);
Result<std::vector<std::string>> tags_of(std::string const& kind, std::string const& name,
                                         model::Cluster const& cluster);
Result<void> put_tags(std::string const& kind, std::string const& name,
                      std::vector<std::string> tags, store::ClusterEdit& edit,
                      model::Cluster const& cluster);

}  // namespace flotte::units
