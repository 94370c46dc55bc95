#include "jobs/principal.h"

namespace flotte::jobs {

std::string Principal::text() const {
  if (!uid) return name;
  return name.empty() ? fmt::format("uid {}", *uid) : fmt::format("{} (uid {})", name, *uid);
}

schema::Fields Principal::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Principal::name>("name", "The user, or the part of Flotte."),
      schema::field<&Principal::uid>("uid", "Of a user of this machine."),
  };
  return table;
}

}  // namespace flotte::jobs
