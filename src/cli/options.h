// Options as Ganeti's parser takes them: -fX, -f X, --long=X, --long X, any unique prefix of a long
// option; of most programs nothing is an option after the first argument (docs/ganeti.md, "Command
// lines").
// Values; main thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotte::cli {

enum class ValueKind { Text, Integer, Number, Size, Choice };

struct Option {
  char letter = 0;   // 0: none
  std::string name;  // without the dashes
  bool has_value = false;
  std::string help;
  // Parsed, then refused by name when it is used.
  bool is_built = true;
  ValueKind kind = ValueKind::Text;  // what its value must be
  std::vector<std::string> choices;
};

// Options whose value is checked while they are parsed, as optparse does it.
inline Option integer(Option option) {
  option.kind = ValueKind::Integer;
  return option;
}
inline Option number(Option option) {
  option.kind = ValueKind::Number;
  return option;
}
inline Option size(Option option) {
  option.kind = ValueKind::Size;
  return option;
}
inline Option choice(Option option, std::vector<std::string> choices) {
  option.kind = ValueKind::Choice;
  option.choices = std::move(choices);
  return option;
}

class Arguments {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  // The last one given.
  std::optional<std::string> value(std::string_view name) const;
  std::string value_or(std::string_view name, std::string_view otherwise) const;
  std::vector<std::string> values(std::string_view name) const;
  std::vector<std::string> const& positional() const { return positional_; }
  // As the option was typed: "-B" or "--backend-parameters".
  std::string spelled(std::string_view name) const;
  // Of options that exclude each other the one that was typed last; none of them: empty.
  std::string last_of(std::vector<std::string> const& names) const;

  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> typed_;  // names of options in their order
  std::map<std::string, std::string, std::less<>> spelled_;
  std::vector<std::string> positional_;
};

enum class Order { OptionsFirst, Mixed };

// The error's message is optparse's: "no such option: --frob".
Result<Arguments> parse_options(std::vector<Option> const& known,
                                std::vector<std::string> const& argv,
                                Order order = Order::OptionsFirst);

}  // namespace flotte::cli
