// What people asked of a job after it was submitted. Stored beside the job under /queue/wish/, so
// that the next controller knows it too; internal to this folder.
#pragma once

#include <optional>

#include "schema/schema.h"

namespace flotte::jobs {

struct Wish {
  bool cancel = false;
  std::optional<std::int64_t> priority;

  bool is_any() const { return cancel || priority; }

  static schema::Fields fields() {
    static constexpr schema::Field table[] = {
        schema::field<&Wish::cancel>("cancel", "It is to end, and what it did to be undone."),
        schema::field<&Wish::priority>("priority", "Of its opcodes that have not run."),
    };
    return table;
  }
};

}  // namespace flotte::jobs
