// boundary(): where an exception ends.
//
// Our own code reports by Result. What the libraries below it throw (no memory, a promise that we
// broke) becomes an error of the piece of work that met it: a call, a request, a job, one look of
// the watcher; the daemon goes on. What no boundary holds ends the process (base/crash.h).
#pragma once

#include <exception>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace flotte {

// `function` returns a Result, or nothing. `what`: the piece of work, as the beginning of a
// sentence.
template <class Function, class Returned = std::invoke_result_t<Function>>
std::conditional_t<std::is_void_v<Returned>, Result<void>, Returned> boundary(std::string_view what,
                                                                              Function&& function) {
  try {
    if constexpr (std::is_void_v<Returned>) {
      std::forward<Function>(function)();
      return {};
    } else {
      return std::forward<Function>(function)();
    }
  } catch (std::exception const& exception) {
    return fail(ErrorCode::InternalError, "{} ended with an exception: {}", what, exception.what());
  }
}

}  // namespace flotte
