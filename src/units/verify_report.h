// The lines that the verifying units print, in Ganeti's form (ganeti-compat §1.3, verify). Pure.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::units {

class VerifyReport {
 public:
  VerifyReport(bool error_codes, std::vector<std::string> const& ignored)
      : error_codes_(error_codes), ignored_(ignored) {}

  void heading(std::string_view text) { lines_.push_back(fmt::format("* {}", text)); }

  // `code` is one of ganeti-compat's, e.g. "EINSTANCEDOWN"; an ignored one is only a warning.
  void error(std::string_view code, std::string_view kind, std::string_view item,
             std::string_view message) {
    auto const is_ignored = std::ranges::find(ignored_, code) != ignored_.end();
    if (!is_ignored) is_good_ = false;
    add(is_ignored ? "WARNING" : "ERROR", code, kind, item, message);
  }
  void notice(std::string_view text) { lines_.push_back(fmt::format("  - NOTICE: {}", text)); }

  std::vector<std::string> const& lines() const { return lines_; }
  bool is_good() const { return is_good_; }

 private:
  void add(std::string_view severity, std::string_view code, std::string_view kind,
           std::string_view item, std::string_view message) {
    lines_.push_back(error_codes_
                         ? fmt::format("  - {}:{}:{}:{}:{}", severity, code, kind, item, message)
                         : fmt::format("  - {}: {} {}: {}", severity, kind, item, message));
  }

  bool error_codes_;
  std::vector<std::string> const& ignored_;
  std::vector<std::string> lines_;
  bool is_good_ = true;
};

}  // namespace flotte::units
