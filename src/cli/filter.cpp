#include "cli/filter.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <optional>
#include <string>

namespace flotte::cli {

namespace json = boost::json;
namespace {

constexpr std::size_t text_bytes_max = 64 * 1024;
constexpr int depth_max = 30;

bool is_field_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_field_char(char c) {
  return is_field_start(c) || (c >= '0' && c <= '9') || c == '_' || c == '/' || c == '.';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

json::value text_of(std::string_view text) {
  return json::value(json::string_view(text.data(), text.size()));
}

json::value list_of(std::string_view op, json::value a) {
  return json::array{text_of(op), std::move(a)};
}
json::value list_of(std::string_view op, json::value a, json::value b) {
  return json::array{text_of(op), std::move(a), std::move(b)};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (!is_field_start(c) && !is_digit(c) && c != '_') out += '\\';
    out += c;
  }
  return out;
}

// "web*" matches web1 and web1.example.com: within one part of a DNS name.
std::string pattern_of_glob(std::string_view glob) {
  std::string pattern = "^";
  for (char const c : glob) {
    pattern += c == '*'   ? std::string("[^.]*")
               : c == '?' ? std::string("[^.]")
                          : escaped(std::string_view(&c, 1));
  }
  return pattern + "(\\..*)?$";
}

// A parser that goes on as long as it can: what is no filter as a whole may begin as one, and then
// the error is where that beginning ends. So Ganeti's parser tells it, and what it says is kept.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<json::value> whole() {
    auto filter = disjunction();
    if (fatal_) return error_at(fatal_->second, fatal_->first, "");
    if (is_too_deep_) return fail(ErrorCode::WrongInput, "it is nested too deeply");
    if (!filter) return error_at(furthest_, "Expected Suppress:('or') term", text_);
    skip_blanks();
    if (at_ < text_.size()) return error_at(at_, "Expected end of text", text_);
    return std::move(*filter);
  }

 private:
  using Filter = std::optional<json::value>;

  Filter disjunction() {
    return chain("|", "or", [this] { return conjunction(); });
  }
  Filter conjunction() {
    return chain("&", "and", [this] { return negation(); });
  }

  template <class Operand>
  Filter chain(std::string_view op, std::string_view word, Operand operand) {
    auto filter = operand();
    while (filter) {
      auto const before = at_;
      auto next = take_word(word) ? operand() : Filter();
      if (!next) {
        at_ = before;
        break;
      }
      filter = joined(op, std::move(*filter), std::move(*next));
    }
    return filter;
  }

  Filter negation() {
    if (++depth_ > depth_max) is_too_deep_ = true;
    auto filter = is_too_deep_ ? Filter() : negated_or_condition();
    --depth_;
    return filter;
  }

  Filter negated_or_condition() {
    auto const before = at_;
    if (take_word("not")) {
      if (auto inner = negation()) return list_of("!", std::move(*inner));
      at_ = before;
    }
    if (take("(")) {
      auto filter = disjunction();
      if (filter && take(")")) return filter;
      no_match();
      at_ = before;
      return {};
    }
    return condition();
  }

  Filter condition() {
    skip_blanks();
    if (at_ >= text_.size()) return no_match();
    if (!is_field_start(text_[at_])) return membership();
    auto const field = field_name();
    auto const end = at_;
    // The longer operators first.
    for (std::string_view const op :
         {"==", "!=", "<=", ">=", "=~", "!~", "=*", "!*", "=", "<", ">"}) {
      if (!take(op)) continue;
      if (auto filter = comparison(op, *field)) return filter;
      at_ = end;
      break;
    }
    return list_of("?", text_of(*field));
  }

  Filter comparison(std::string_view op, std::string const& field) {
    if (op == "=~" || op == "!~") {
      auto pattern = regular_expression();
      return pattern ? negated(op[0] == '!', list_of("=~", text_of(field), std::move(*pattern)))
                     : Filter();
    }
    if (op == "=*" || op == "!*") {
      auto const glob = quoted();
      return glob ? negated(op[0] == '!',
                            list_of("=~", text_of(field), text_of(pattern_of_glob(*glob))))
                  : Filter();
    }
    auto wanted = value();
    return wanted ? list_of(op == "=" ? "==" : op, text_of(field), std::move(*wanted)) : Filter();
  }

  // "tag" in tags
  Filter membership() {
    auto const before = at_;
    auto member = value();
    if (!member) return {};
    auto const is_negated = take("not");
    auto const field = take("in") ? field_name() : std::nullopt;
    if (!field) {
      no_match();
      at_ = before;
      return {};
    }
    return negated(is_negated, list_of("=[]", text_of(*field), std::move(*member)));
  }

  static json::value negated(bool is_negated, json::value filter) {
    return is_negated ? list_of("!", std::move(filter)) : filter;
  }

  // a and b and c is one list of three.
  static json::value joined(std::string_view op, json::value left, json::value right) {
    if (left.is_array() && left.get_array()[0] == text_of(op)) {
      left.get_array().push_back(std::move(right));
      return left;
    }
    return list_of(op, std::move(left), std::move(right));
  }

  std::optional<std::string> field_name() {
    skip_blanks();
    if (at_ >= text_.size() || !is_field_start(text_[at_])) {
      no_match();
      return std::nullopt;
    }
    auto const start = at_;
    while (at_ < text_.size() && is_field_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  Filter value() {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      auto const text = quoted();
      return text ? Filter(text_of(*text)) : Filter();
    }
    auto const* start = text_.data() + at_;
    auto const* end = text_.data() + text_.size();
    std::int64_t number = 0;
    auto const* digits = start < end && *start == '+' ? start + 1 : start;
    auto const [rest, error] = std::from_chars(digits, end, number);
    if (error != std::errc()) return no_match();
    at_ += static_cast<std::size_t>(rest - start);
    return json::value(number);
  }

  std::optional<std::string> quoted() {
    skip_blanks();
    auto const is_quote = at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'');
    std::string out;
    for (auto i = at_ + 1; is_quote && i < text_.size(); ++i) {
      if (text_[i] == text_[at_]) {
        at_ = i + 1;
        return out;
      }
      if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
      out += text_[i];
    }
    no_match();
    return std::nullopt;
  }

  // m/re/si; the delimiter may be another one.
  Filter regular_expression() {
    skip_blanks();
    auto const begin = at_;
    auto const delimiter = at_ < text_.size() && text_[at_] == 'm' ? at_ + 1 : at_;
    if (delimiter >= text_.size() ||
        std::string_view("/#^|").find(text_[delimiter]) == std::string_view::npos) {
      return no_match();
    }
    auto const start = delimiter + 1;
    auto const end = text_.find(text_[delimiter], start);
    if (end == std::string_view::npos || end == start) return no_match();
    std::string flags;
    std::string unknown;
    for (at_ = end + 1; at_ < text_.size() && is_field_start(text_[at_]); ++at_) {
      auto& kept = text_[at_] == 's' || text_[at_] == 'i' ? flags : unknown;
      if (kept.find(text_[at_]) == std::string::npos) kept += text_[at_];
    }
    if (!unknown.empty() && !fatal_) {
      fatal_.emplace(fmt::format("Unknown regular expression flags: '{}'", unknown), begin);
    }
    std::ranges::sort(flags);
    auto const expression = std::string(text_.substr(start, end - start));
    return text_of(flags.empty() ? expression : fmt::format("(?{}){}", flags, expression));
  }

  bool take(std::string_view symbol) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }

  // A word ends where no field name could go on.
  bool take_word(std::string_view word) {
    skip_blanks();
    auto const rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && is_field_char(rest[word.size()])) return false;
    at_ += word.size();
    return true;
  }

  void skip_blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }

  Filter no_match() {
    skip_blanks();
    furthest_ = std::max(furthest_, at_);
    return {};
  }

  // In three lines: what, where, and once more.
  Failure error_at(std::size_t at, std::string const& what, std::string_view line) const {
    std::string found;
    if (!line.empty()) {
      found = at >= line.size() ? ", found end of text"
                                : fmt::format(", found {}", quoted_word(line, at));
    }
    auto const told = fmt::format("{}{}  (at char {}), (line:1, col:{})", what, found, at, at + 1);
    return fail(ErrorCode::WrongInput, "Failed to parse query filter '{}': {}\n{}\n{}^\n{}", text_,
                told, line, std::string(at, ' '), told);
  }

  // As Python shows a word.
  static std::string quoted_word(std::string_view line, std::size_t at) {
    auto const word = word_at(line, at);
    return word == "'" ? "\"'\"" : fmt::format("'{}'", word);
  }

  static std::string_view word_at(std::string_view line, std::size_t at) {
    constexpr std::size_t word_max = 16;
    auto end = at;
    while (end < line.size() && end - at < word_max &&
           (is_field_start(line[end]) || is_digit(line[end]))) {
      ++end;
    }
    return line.substr(at, std::max<std::size_t>(end - at, 1));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t furthest_ = 0;
  std::optional<std::pair<std::string, std::size_t>> fatal_;
  bool is_too_deep_ = false;
  int depth_ = 0;
};

}  // namespace

bool may_be_filter(std::string_view text) {
  return text.find_first_of(" \t\n!\"'()/<=>\\~") != std::string_view::npos;
}

json::value filter_of_globs(std::string_view field, std::vector<std::string> const& globs) {
  json::array any{"|"};
  for (auto const& glob : globs) {
    any.push_back(list_of("=~", text_of(field), text_of(pattern_of_glob(glob))));
  }
  return any;
}

Result<json::value> parse_filter(std::string_view text) {
  if (text.size() > text_bytes_max) return fail(ErrorCode::WrongInput, "it is too long");
  return Parser(text).whole();
}

}  // namespace flotte::cli
