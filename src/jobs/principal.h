// Principal: who asked for something, as the kernel or the remote API vouches for it. It goes with
// a request into the job, into `gnt-job info` and into the log. A value.
#pragma once

#include <optional>
#include <string>

#include "schema/schema.h"

namespace flotte::jobs {

struct Principal {
  std::string name;  // empty: a user without one
  std::optional<std::int64_t> uid;

  // Of what nobody else asked for.
  static Principal controller() { return {.name = "flotte-controllerd", .uid = std::nullopt}; }
  // "root (uid 0)"
  std::string text() const;
  static schema::Fields fields();
};

}  // namespace flotte::jobs
