// UserNames: the machine's users by number. Thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace flotte::sys {

class UserNames {
 public:
  explicit UserNames(Clock& clock) : clock_(clock) {}

  // Empty: nobody has that number. An answer is remembered for a minute: where users are in a
  // directory on the network, asking takes time (nss(5)).
  std::string of(uid_t uid);

 private:
  struct Known {
    std::string name;
    Instant until;
  };
  Clock& clock_;
  std::mutex mutex_;
  std::map<uid_t, Known> known_;
};

}  // namespace flotte::sys
