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

// `function` returns a Result. `what`: the piece of work, as the beginning of a sentence.
template <class Function>
std::invoke_result_t<Function> boundary(std::string_view what, Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (std::exception const& exception) {
    return fail(ErrorCode::InternalError, "{} ended with an exception: {}", what, exception.what());
  }
}

}  // namespace flotte
