#include "net/users_file.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/utf8.h"

namespace flotte::net {
namespace {

constexpr std::string_view blanks = " \t\r\v\f";
constexpr std::string_view mark_of_utf8 = "\xef\xbb\xbf";
constexpr std::size_t name_bytes_max = 256;

std::string_view trimmed(std::string_view text) {
  auto const begin = std::min(text.find_first_not_of(blanks), text.size());
  auto const end = text.find_last_not_of(blanks);
  return end == std::string_view::npos ? text.substr(begin, 0)
                                       : text.substr(begin, end + 1 - begin);
}

// The first word, which is taken away with the blanks behind it.
std::string_view take_word(std::string_view& text) {
  auto const word = text.substr(0, std::min(text.find_first_of(blanks), text.size()));
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return word;
}

}  // namespace

std::vector<UserLine> user_lines(std::string_view text) {
  std::vector<UserLine> lines;
  if (text.starts_with(mark_of_utf8)) text.remove_prefix(mark_of_utf8.size());
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto const end = std::min(text.find('\n'), text.size());
    auto rest = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (rest.empty() || rest.starts_with('#')) continue;
    UserLine line{.number = number};
    line.name = take_word(rest);
    line.password = take_word(rest);
    line.options = rest;
    lines.push_back(line);
  }
  return lines;
}

SchemedPassword scheme_of(std::string_view password) {
  if (!password.starts_with('{')) return {"cleartext", password};
  auto const end = password.find('}');
  if (end == std::string_view::npos) return {"", {}};
  return {lower_case(std::string(password.substr(1, end - 1))), password.substr(end + 1)};
}

Result<void> check_user_name(std::string_view name) {
  auto const is_unprintable = [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
  };
  auto const wrong = name.empty()                   ? "is empty"
                     : name.size() > name_bytes_max ? "is too long"
                     : name.starts_with('#')        ? "begins a comment"
                     : std::ranges::any_of(name, is_unprintable)
                         ? "has blanks or control characters"
                     : name.find(':') != std::string_view::npos         ? "has a colon"
                     : !is_utf8(name) || name.starts_with(mark_of_utf8) ? "is not UTF-8"
                                                                        : nullptr;
  if (wrong) return fail(ErrorCode::WrongInput, "The user's name {}", wrong);
  return {};
}

Result<void> check_user_options(std::string_view options) {
  constexpr std::array<std::string_view, 6> words{"read",   "write",     "all",
                                                  "@admin", "@readonly", "@operator"};
  while (!options.empty()) {
    auto const option = options.substr(0, options.find(','));
    options.remove_prefix(std::min(option.size() + 1, options.size()));
    auto const name = option.substr(option.starts_with('+') || option.starts_with('-') ? 1 : 0);
    auto const is_permission =
        name.find('.') != std::string_view::npos &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string_view::npos;
    if (!is_permission && std::ranges::find(words, option) == words.end()) {
      return fail(ErrorCode::WrongInput,
                  "'{}' is no option of a user: read, write, @readonly, @operator, @admin, or "
                  "permissions as instances.startup or -instances.remove",
                  option);
    }
  }
  return {};
}

std::string with_password(std::string_view text, std::string_view name, std::string_view password,
                          std::optional<std::string_view> options) {
  auto const lines = user_lines(text);
  auto const found = std::find_if(lines.rbegin(), lines.rend(),
                                  [&](UserLine const& line) { return line.name == name; });
  std::string changed(text);
  if (found == lines.rend()) {
    if (!changed.empty() && !changed.ends_with('\n')) changed += '\n';
    changed += fmt::format("{} {}{}{}\n", name, password, options.value_or("").empty() ? "" : " ",
                           options.value_or(""));
    return changed;
  }
  auto const place_of = [&](std::string_view part) {
    return static_cast<std::size_t>(part.data() - text.data());
  };
  auto const begin = place_of(found->name) + found->name.size();
  auto const password_end =
      found->password.empty() ? begin : place_of(found->password) + found->password.size();
  auto const end = options && !found->options.empty()
                       ? place_of(found->options) + found->options.size()
                       : password_end;
  auto with = fmt::format(" {}", password);
  if (options && !options->empty()) with += fmt::format(" {}", *options);
  return changed.replace(begin, end - begin, with);
}

}  // namespace flotte::net
