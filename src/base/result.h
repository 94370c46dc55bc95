// Result<T>, Error, TRY and fail(): how every fallible function of Flotte reports.
//
// An Error carries Ganeti's error code (clients see it: docs/ganeti.md, "Errors and exit codes")
// and, where a special class is promised to clients, that class. Most code leaves the class to the
// stage: what fails before apply() is a prerequisite error, what fails in apply() an execution
// error. Values; use from any thread.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace flotte {

// Ganeti's ten codes; the wire names are in to_string().
enum class ErrorCode {
  ResolverError,
  InsufficientResources,
  TempInsufficientResources,
  WrongInput,
  WrongState,
  UnknownEntity,
  AlreadyExists,
  ResourceNotUnique,
  InternalError,
  EnvironmentError,
  None,  // where Ganeti itself gives no code, and clients compare the text
};

// Ganeti's exception classes, as far as clients can tell them apart.
enum class ErrorClass {
  ByStage,       // prerequisite or execution error, as the stage of the job decides
  Prereq,        // OpPrereqError
  Exec,          // OpExecError
  Parameter,     // TypeEnforcementError: "Parameter Error: ..."
  Name,          // ParameterError: "Failure: unknown/wrong parameter name '...'"
  Hypervisor,    // HypervisorError: "Unhandled Ganeti error: ..." on the command line
  Tag,           // TagError
  HooksAbort,    // HooksAbort
  QueueDrained,  // JobQueueDrainError
  QueueFull,     // JobQueueFull
  JobCanceled,   // the job was canceled while it ran
  JobLost,       // JobLost: no such job any more
  Deposed,       // another controller leads: nothing was written, and nothing may be done any more
  Unreachable,   // the other side did not answer: whether the deed was done is unknown
  Generic,       // GenericError
};

struct Error {
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
  ErrorClass error_class = ErrorClass::ByStage;
  // With Unreachable: the request certainly never reached the other side.
  bool not_attempted = false;

  friend bool operator==(Error const&, Error const&) = default;
};

template <class T>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

template <class... Args>
[[nodiscard]] Failure fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

template <class... Args>
[[nodiscard]] Failure fail_as(ErrorClass error_class, ErrorCode code,
                              fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...), error_class});
}

std::string_view to_string(ErrorCode code);
Result<ErrorCode> error_code_from(std::string_view wire_name);

// The Python class name which stands in job results, e.g. "OpPrereqError". ByStage is written as
// OpExecError.
std::string_view python_class(ErrorClass error_class);
ErrorClass error_class_from_python(std::string_view name);

[[noreturn]] void check_failed(char const* condition, char const* file, int line);

}  // namespace flotte

// The value of a Result, or return its error from the enclosing function.
#define TRY(expression) FLOTTE_TRY(expression, __COUNTER__)
// Each TRY has a variable of its own, so that they may stand inside each other.
#define FLOTTE_TRY(expression, number) FLOTTE_TRY_AS(expression, number)
#define FLOTTE_TRY_AS(expression, number)                               \
  __extension__({                                                       \
    auto flotte_try_##number = (expression);                            \
    if (!flotte_try_##number) [[unlikely]]                              \
      return ::flotte::Failure(std::move(flotte_try_##number).error()); \
    ::flotte::detail::take(std::move(flotte_try_##number));             \
  })

// A promise of our own code. On in release: the daemon dies, is restarted, and jobs resume.
#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::flotte::check_failed(#condition, __FILE__, __LINE__))

namespace flotte::detail {
template <class T>
T take(Result<T>&& result) {
  return std::move(*result);
}
inline void take(Result<void>&&) {}
}  // namespace flotte::detail
