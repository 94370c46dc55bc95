#include "base/result.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace flotte {
namespace {

struct CodeName {
  ErrorCode code;
  std::string_view name;
};
constexpr std::array code_names{
    CodeName{ErrorCode::ResolverError, "resolver_error"},
    CodeName{ErrorCode::InsufficientResources, "insufficient_resources"},
    CodeName{ErrorCode::TempInsufficientResources, "temp_insufficient_resources"},
    CodeName{ErrorCode::WrongInput, "wrong_input"},
    CodeName{ErrorCode::WrongState, "wrong_state"},
    CodeName{ErrorCode::UnknownEntity, "unknown_entity"},
    CodeName{ErrorCode::AlreadyExists, "already_exists"},
    CodeName{ErrorCode::ResourceNotUnique, "resource_not_unique"},
    CodeName{ErrorCode::InternalError, "internal_error"},
    CodeName{ErrorCode::EnvironmentError, "environment_error"},
    CodeName{ErrorCode::None, ""},
};

struct ClassName {
  ErrorClass error_class;
  std::string_view name;
};
constexpr std::array class_names{
    ClassName{ErrorClass::Exec, "OpExecError"},
    ClassName{ErrorClass::ByStage, "OpExecError"},
    ClassName{ErrorClass::Prereq, "OpPrereqError"},
    ClassName{ErrorClass::Parameter, "TypeEnforcementError"},
    ClassName{ErrorClass::Name, "ParameterError"},
    ClassName{ErrorClass::Hypervisor, "HypervisorError"},
    ClassName{ErrorClass::Tag, "TagError"},
    ClassName{ErrorClass::HooksAbort, "HooksAbort"},
    ClassName{ErrorClass::QueueDrained, "JobQueueDrainError"},
    ClassName{ErrorClass::QueueFull, "JobQueueFull"},
    ClassName{ErrorClass::JobCanceled, "JobCanceled"},
    ClassName{ErrorClass::JobLost, "JobLost"},
    ClassName{ErrorClass::Unreachable, "RPCError"},
    ClassName{ErrorClass::Deposed, "NotMasterError"},
    ClassName{ErrorClass::Generic, "GenericError"},
};

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (auto const& row : code_names) {
    if (row.code == code) return row.name;
  }
  return "internal_error";
}

Result<ErrorCode> error_code_from(std::string_view wire_name) {
  for (auto const& row : code_names) {
    if (row.name == wire_name) return row.code;
  }
  return fail(ErrorCode::WrongInput, "Unknown error code '{}'", wire_name);
}

std::string_view python_class(ErrorClass error_class) {
  for (auto const& row : class_names) {
    if (row.error_class == error_class) return row.name;
  }
  return "GenericError";
}

ErrorClass error_class_from_python(std::string_view name) {
  for (auto const& row : class_names) {
    if (row.name == name) return row.error_class;
  }
  return ErrorClass::Generic;
}

void check_failed(char const* condition, char const* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace flotte
