// parallel(): the same for each of many, several at a time.
#pragma once

#include <cstddef>
#include <functional>

#include "base/clock.h"

namespace flotte {

// Calls work(0) … work(count − 1) on at most `at_once` threads, the caller's own among them, and
// returns when all have returned: for one there is no other thread. `work` is called on several
// threads at a time and throws nothing.
void parallel(Clock& clock, std::size_t count, std::size_t at_once,
              std::function<void(std::size_t)> const& work);

}  // namespace flotte
