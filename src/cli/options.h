// Options as Ganeti's parser takes them: -fX, -f X, --long=X, --long X, any unique prefix of a long
// option, and nothing is an option after the first argument (ganeti-compat T2, §1.1). Values; main
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::cli {

struct Option {
  char letter = 0;   // 0: none
  std::string name;  // without the dashes
  bool has_value = false;
  std::string help;
  // Parsed, then refused by name when it is used.
  bool is_built = true;
};

class Arguments {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  // The last one given.
  std::optional<std::string> value(std::string_view name) const;
  std::string value_or(std::string_view name, std::string_view otherwise) const;
  std::vector<std::string> values(std::string_view name) const;
  std::vector<std::string> const& positional() const { return positional_; }

  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

// The error's message is optparse's: "no such option: --frob".
Result<Arguments> parse_options(std::vector<Option> const& known,
                                std::vector<std::string> const& argv);

}  // namespace flotte::cli
