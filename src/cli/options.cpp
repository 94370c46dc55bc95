#include "cli/options.h"

#include <algorithm>
#include <charconv>

#include "base/size.h"
#include "cli/values.h"

namespace flotte::cli {
namespace {

Failure bad_option(std::string message) {
  return Failure(Error{ErrorCode::WrongInput, std::move(message)});
}

Result<Option const*> find_long(std::vector<Option> const& known, std::string const& name) {
  std::vector<Option const*> matching;
  for (auto const& option : known) {
    if (option.name == name) return &option;
    if (option.name.starts_with(name)) matching.push_back(&option);
  }
  if (matching.empty()) return bad_option(fmt::format("no such option: --{}", name));
  if (matching.size() > 1) {
    std::vector<std::string> names;
    for (auto const* option : matching) names.push_back("--" + option->name);
    std::ranges::sort(names);
    return bad_option(fmt::format("ambiguous option: --{} ({}?)", name, fmt::join(names, ", ")));
  }
  return matching.front();
}

// As Python reads a number, at least where people type one.
template <class T>
bool is_number(std::string_view text) {
  auto trimmed = strip(text);
  std::string_view digits = trimmed;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  T number{};
  auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size();
}

Result<void> check_value(Option const& option, std::string const& shown, std::string const& value) {
  switch (option.kind) {
    case ValueKind::Text:
      return {};
    case ValueKind::Integer:
      if (is_number<std::int64_t>(value)) return {};
      return bad_option(fmt::format("option {}: invalid integer value: '{}'", shown, value));
    case ValueKind::Number:
      if (is_number<double>(value)) return {};
      return bad_option(fmt::format("option {}: invalid floating-point value: '{}'", shown, value));
    case ValueKind::Size:
      if (auto const fault = size_fault(value)) {
        return bad_option(
            fmt::format("option {}: {}; a size is a number of MiB, or one with M, G "
                        "or T behind it, as in 10G",
                        shown, *fault));
      }
      return {};
    case ValueKind::Choice:
      if (std::ranges::find(option.choices, value) != option.choices.end()) return {};
      return bad_option(fmt::format("option {}: invalid choice: '{}' (choose from '{}')", shown,
                                    value, fmt::join(option.choices, "', '")));
  }
  return {};
}

class Parser {
 public:
  Parser(std::vector<Option> const& known, std::vector<std::string> const& argv, Order order)
      : known_(known), argv_(argv), order_(order) {}

  Result<Arguments> parse() {
    for (; at_ < argv_.size(); ++at_) {
      auto const& word = argv_[at_];
      if (word == "--") {
        ++at_;
        break;
      }
      if (word.size() < 2 || word[0] != '-') {
        if (order_ == Order::OptionsFirst) break;
        arguments_.positional_.push_back(word);
        continue;
      }
      TRY(word[1] == '-' ? long_option(word) : short_options(word));
    }
    auto const rest = argv_.begin() + static_cast<std::ptrdiff_t>(at_);
    arguments_.positional_.insert(arguments_.positional_.end(), rest, argv_.end());
    return std::move(arguments_);
  }

 private:
  Result<void> long_option(std::string const& word) {
    auto const equals = word.find('=');
    auto const* option =
        TRY(find_long(known_, word.substr(2, equals == std::string::npos ? equals : equals - 2)));
    if (equals == std::string::npos) return take(*option, "--" + option->name);
    if (!option->has_value)
      return bad_option(fmt::format("--{} option does not take a value", option->name));
    return store(*option, "--" + option->name, word.substr(equals + 1));
  }

  // -fX is -f with the value X, or -f and -X where -f takes none.
  Result<void> short_options(std::string const& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      auto const found = std::ranges::find(known_, word[i], &Option::letter);
      if (found == known_.end()) return bad_option(fmt::format("no such option: -{}", word[i]));
      if (found->has_value && i + 1 < word.size()) {
        return store(*found, fmt::format("-{}", word[i]), word.substr(i + 1));
      }
      TRY(take(*found, fmt::format("-{}", word[i])));
    }
    return {};
  }

  Result<void> take(Option const& option, std::string const& shown) {
    if (!option.has_value) return store(option, shown, "");
    if (at_ + 1 >= argv_.size())
      return bad_option(fmt::format("{} option requires 1 argument", shown));
    return store(option, shown, argv_[++at_]);
  }

  Result<void> store(Option const& option, std::string const& shown, std::string value) {
    if (!option.is_built) return bad_option(fmt::format("--{} is not built yet", option.name));
    TRY(check_value(option, shown, value));
    arguments_.typed_.push_back(option.name);
    arguments_.spelled_[option.name] = shown;
    arguments_.values_[option.name].push_back(std::move(value));
    return {};
  }

  std::vector<Option> const& known_;
  std::vector<std::string> const& argv_;
  Order order_;
  std::size_t at_ = 0;
  Arguments arguments_;
};

}  // namespace

std::optional<std::string> Arguments::value(std::string_view name) const {
  auto const found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::string Arguments::spelled(std::string_view name) const {
  auto const found = spelled_.find(name);
  return found == spelled_.end() ? fmt::format("--{}", name) : found->second;
}

std::string Arguments::value_or(std::string_view name, std::string_view otherwise) const {
  return value(name).value_or(std::string(otherwise));
}

std::vector<std::string> Arguments::values(std::string_view name) const {
  auto const found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::string Arguments::last_of(std::vector<std::string> const& names) const {
  for (auto at = typed_.rbegin(); at != typed_.rend(); ++at) {
    if (std::ranges::find(names, *at) != names.end()) return *at;
  }
  return {};
}

Result<Arguments> parse_options(std::vector<Option> const& known,
                                std::vector<std::string> const& argv, Order order) {
  return Parser(known, argv, order).parse();
}

}  // namespace flotte::cli
