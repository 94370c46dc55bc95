// What adding and removing tags share.
#pragma once

#include <string>
#include <vector>

#include "jobs/locks.h"
#include "model/cluster.h"

namespace flotte::jobs {
class JobContext;
}

namespace flotte::units {

// [\w.+*/:@-]+, at most 128 characters (docs/ganeti.md, "Values of options").
Result<void> check_tags(std::vector<std::string> const& tags);
// Each once, in order, as an object keeps them.
std::vector<std::string> kept_tags(std::vector<std::string> tags);
Result<jobs::LockSet> tag_locks(std::string const& kind, std::string const& name,
                                model::Cluster const& cluster);
Result<std::vector<std::string>> tags_of(std::string const& kind, std::string const& name,
                                         model::Cluster const& cluster);

// The plan of both, and carrying it out.
struct TagsPlan {
  std::string kind;
  std::string name;
  std::vector<std::string> tags;

  static schema::Fields fields();
};
Result<schema::json::value> apply_tags(TagsPlan const& plan, jobs::JobContext& job);

}  // namespace flotte::units
