#include "cli/filter.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
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

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<json::value> whole() {
    auto filter = TRY(disjunction());
    skip_blanks();
    if (at_ < text_.size()) return wrong("expected 'and', 'or' or the end");
    return filter;
  }

 private:
  Result<json::value> disjunction() {
    if (++depth_ > depth_max) return wrong("it is nested too deeply");
    auto filter = TRY(conjunction());
    while (take_word("or")) filter = joined("|", std::move(filter), TRY(conjunction()));
    --depth_;
    return filter;
  }

  Result<json::value> conjunction() {
    auto filter = TRY(negation());
    while (take_word("and")) filter = joined("&", std::move(filter), TRY(negation()));
    return filter;
  }

  Result<json::value> negation() {
    if (take_word("not")) {
      if (++depth_ > depth_max) return wrong("it is nested too deeply");
      auto filter = list_of("!", TRY(negation()));
      --depth_;
      return filter;
    }
    if (take("(")) {
      auto filter = TRY(disjunction());
      if (!take(")")) return wrong("expected ')'");
      return filter;
    }
    return condition();
  }

  Result<json::value> condition() {
    skip_blanks();
    if (at_ >= text_.size()) return wrong("expected a condition");
    if (!is_field_start(text_[at_])) return membership();
    auto const field = TRY(field_name());
    // The longer operators first.
    for (std::string_view const op :
         {"==", "!=", "<=", ">=", "=~", "!~", "=*", "!*", "=", "<", ">"}) {
      if (!take(op)) continue;
      if (op == "=~" || op == "!~")
        return negated(op[0] == '!', list_of("=~", text_of(field), TRY(pattern())));
      if (op == "=*" || op == "!*") {
        auto const glob = TRY(quoted());
        return negated(op[0] == '!', list_of("=~", text_of(field), text_of(pattern_of_glob(glob))));
      }
      return list_of(op == "=" ? "==" : op, text_of(field), TRY(value()));
    }
    return list_of("?", text_of(field));
  }

  // "tag" in tags
  Result<json::value> membership() {
    auto member = TRY(value());
    auto const is_negated = take_word("not");
    if (!take_word("in")) return wrong(is_negated ? "expected 'in'" : "expected 'in' or 'not in'");
    return negated(is_negated, list_of("=[]", text_of(TRY(field_name())), std::move(member)));
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

  Result<std::string> field_name() {
    skip_blanks();
    if (at_ >= text_.size() || !is_field_start(text_[at_])) return wrong("expected a field name");
    auto const start = at_;
    while (at_ < text_.size() && is_field_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  Result<json::value> value() {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      return text_of(TRY(quoted()));
    }
    auto const* start = text_.data() + at_;
    auto const* end = text_.data() + text_.size();
    std::int64_t number = 0;
    auto const* digits = start < end && *start == '+' ? start + 1 : start;
    auto const [rest, error] = std::from_chars(digits, end, number);
    if (error != std::errc()) return wrong("expected a number or a quoted string");
    at_ += static_cast<std::size_t>(rest - start);
    return json::value(number);
  }

  Result<std::string> quoted() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) {
      return wrong("expected a quoted string");
    }
    auto const quote = text_[at_];
    std::string out;
    for (auto i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == quote) {
        at_ = i + 1;
        return out;
      }
      if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
      out += text_[i];
    }
    return wrong("this string has no end");
  }

  // m/re/si; the delimiter may be another one, the m is needed.
  Result<json::value> pattern() {
    skip_blanks();
    auto const start = at_ + 2;
    if (start > text_.size() || text_[at_] != 'm' ||
        std::string_view("/#^|").find(text_[at_ + 1]) == std::string_view::npos) {
      return wrong("expected a pattern like m/web[0-9]/i");
    }
    auto const end = text_.find(text_[at_ + 1], start);
    if (end == std::string_view::npos) return wrong("this pattern has no end");
    std::string flags;
    for (at_ = end + 1; at_ < text_.size() && (text_[at_] == 's' || text_[at_] == 'i'); ++at_) {
      if (flags.find(text_[at_]) == std::string::npos) flags += text_[at_];
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

  Failure wrong(std::string_view why) const {
    return fail(ErrorCode::WrongInput, "{} at column {}\n  {}\n  {}^", why, at_ + 1, text_,
                std::string(at_, ' '));
  }

  std::string_view text_;
  std::size_t at_ = 0;
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
