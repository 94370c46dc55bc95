// The lines that the verifying units print, in Ganeti's form (docs/ganeti.md, "Verifying"). Pure.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/verify_codes.h"

namespace flotte::units {

// Only errors make the verification fail.
enum class Severity { Warning, Error };

struct VerifyOptions {
  bool error_codes = false;
  bool verbose = false;
  // Every check that asks one question says what it would say, whatever the answer.
  bool simulate_errors = false;
  std::vector<std::string> ignored;
};

template <class Op>
VerifyOptions verify_options(Op const& op) {
  return {.error_codes = op.error_codes,
          .verbose = op.verbose,
          .simulate_errors = op.debug_simulate_errors,
          .ignored = op.ignore_errors};
}

template <class Op>
Result<void> check_choices(Op const& op) {
  for (auto const& code : op.ignore_errors) {
    if (!model::verify_code(code)) {
      return fail(ErrorCode::WrongInput, "'{}' is no error code of verify; see gnt-cluster(8)",
                  code);
    }
  }
  if constexpr (requires { op.skip_checks; }) {
    for (auto const& check : op.skip_checks) {
      if (check == "nplusone_mem" || check == "hvparam_assessment") continue;
      return fail(ErrorCode::WrongInput,
                  "'{}' is no check that can be skipped; nplusone_mem and hvparam_assessment are",
                  check);
    }
  }
  return {};
}

class VerifyReport {
 public:
  explicit VerifyReport(VerifyOptions options) : options_(std::move(options)) {}

  void heading(std::string_view text) { lines_.push_back(fmt::format("* {}", text)); }
  void detail(std::string_view text) {
    if (options_.verbose) heading(text);
  }

  // `code` is one of model/verify_codes.h; one that is ignored is only a warning. An empty item:
  // the cluster as a whole.
  void error(std::string_view code, std::string_view item, std::string_view message,
             Severity severity = Severity::Error) {
    auto const* known = model::verify_code(code);
    CHECK(known);
    if (std::ranges::find(options_.ignored, code) != options_.ignored.end()) {
      severity = Severity::Warning;
    }
    if (severity == Severity::Error) is_good_ = false;
    auto const* word = severity == Severity::Error ? "ERROR" : "WARNING";
    lines_.push_back(options_.error_codes
                         ? fmt::format("  - {}:{}:{}:{}:{}", word, code, known->kind,
                                       item.empty() ? "None" : item, message)
                         : fmt::format("  - {}: {}{}{}: {}", word, known->kind,
                                       item.empty() ? "" : " ", item, message));
  }
  void warning(std::string_view code, std::string_view item, std::string_view message) {
    error(code, item, message, Severity::Warning);
  }
  void error_if(bool is_wrong, std::string_view code, std::string_view item,
                std::string_view message, Severity severity = Severity::Error) {
    if (is_wrong || options_.simulate_errors) error(code, item, message, severity);
  }
  // What a script said, each line indented.
  void quote(std::string_view text) {
    std::string indented = "      ";
    for (char const c : text) indented += c == '\n' ? std::string("\n      ") : std::string(1, c);
    lines_.push_back(std::move(indented));
  }
  void notice(std::string_view text) { lines_.push_back(fmt::format("  - NOTICE: {}", text)); }

  std::vector<std::string> const& lines() const { return lines_; }
  bool is_good() const { return is_good_; }

 private:
  VerifyOptions options_;
  std::vector<std::string> lines_;
  bool is_good_ = true;
};

}  // namespace flotte::units
