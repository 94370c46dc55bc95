#include "cli/values.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace flotte::cli {

Result<std::int64_t> parse_timespec(std::string_view text) {
  constexpr std::int64_t units_max = 1'000'000'000;
  constexpr std::pair<char, std::int64_t> suffixes[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
  if (text.empty()) return fail(ErrorCode::WrongInput, "Empty time specification passed");
  auto digits = text;
  std::int64_t factor = 1;
  for (auto const& [suffix, seconds] : suffixes) {
    if (!text.ends_with(suffix)) continue;
    factor = seconds;
    digits.remove_suffix(1);
  }
  std::int64_t number = 0;
  auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc() && end == digits.data() + digits.size() && number >= 0 &&
      number <= units_max) {
    return number * factor;
  }
  if (digits.empty()) {
    return fail(ErrorCode::WrongInput, "Invalid time specification (only suffix passed)");
  }
  return fail(ErrorCode::WrongInput, "Invalid time specification '{}'", digits);
}

std::vector<std::string> split_escaped(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

Result<json::object> parse_pairs(std::string_view text, std::string_view option) {
  json::object out;
  if (text.empty()) return out;
  for (auto const& part : split_escaped(text)) {
    auto const equals = part.find('=');
    std::string key = part.substr(0, equals);
    json::value value = true;
    if (equals != std::string::npos) {
      value = json::value(json::string_view(part).substr(equals + 1));
    } else if (key.starts_with("no_")) {
      key = key.substr(3);
      value = false;
    } else if (key.starts_with("-")) {
      key = key.substr(1);
      value = nullptr;
    }
    if (out.contains(key)) {
      return fail_as(ErrorClass::Name, ErrorCode::WrongInput, "Duplicate key '{}' in option {}",
                     key, option);
    }
    out[key] = std::move(value);
  }
  return out;
}

Result<std::pair<std::string, json::object>> parse_named_pairs(std::string_view text,
                                                               std::string_view option) {
  auto const colon = text.find(':');
  auto name = std::string(text.substr(0, colon));
  auto const rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  return std::pair(std::move(name), TRY(parse_pairs(rest, option)));
}

Result<std::string> parse_removed_group(std::string_view text) {
  auto name = text.substr(0, text.find(':'));
  auto const prefix =
      name.starts_with("no_") ? std::size_t{3}
      : name.starts_with('-') && (name.size() == 1 || name[1] < '0' || name[1] > '9')
          ? std::size_t{1}
          : std::size_t{0};
  if (prefix == 0) return std::string();
  if (name.size() + 1 < text.size()) {
    return fail_as(ErrorClass::Name, ErrorCode::WrongInput,
                   "Cannot pass options when removing parameter groups: {}", text);
  }
  name.remove_prefix(prefix);
  return std::string(name);
}

Result<json::array> parse_device_change(std::string_view text, std::string_view option) {
  auto const end = text.find_first_of(":,");
  auto const which = text.substr(0, end);
  if (which.empty()) {
    return fail(ErrorCode::WrongInput,
                "Option {} names no device and no action: '{}'; such are add:…, 0:modify,… and "
                "1:remove",
                option, text);
  }
  auto params = TRY(parse_pairs(end == std::string_view::npos ? "" : text.substr(end + 1), option));
  std::string_view action;
  json::value device = -1;
  for (auto const name : {"add", "attach", "modify", "remove", "detach"}) {
    auto const is_said = which == name;
    if (!is_said && (!params.contains(name) || params[name] != true)) continue;
    if (!action.empty()) {
      return fail(ErrorCode::WrongInput,
                  "Cannot do more than one of the following operations at the same time: add, "
                  "attach, remove, detach, modify");
    }
    action = name;
    params.erase(name);
  }
  if (which != action) {
    std::int64_t index = 0;
    auto const [last, error] = std::from_chars(which.data(), which.data() + which.size(), index);
    auto const is_index = error == std::errc() && last == which.data() + which.size();
    device = is_index ? json::value(index) : json::value(json::string_view(which));
  }
  if (action.empty()) action = "modify";
  if ((action == "remove" || action == "detach") && !params.empty()) {
    return fail(ErrorCode::WrongInput, "Not accepting parameters on removal/detach");
  }
  for (auto const& [key, value] : params) {
    if (value.is_string()) continue;
    return fail(ErrorCode::WrongInput, "Option {}: '{}' has no value", option,
                std::string_view(key));
  }
  return json::array{json::value(json::string_view(action)), std::move(device), std::move(params)};
}

std::vector<std::string> split(std::string_view text, char separator) {
  auto const pieces = flotte::split(text, separator);
  return {pieces.begin(), pieces.end()};
}

Result<std::int64_t> parse_count(std::string_view text, std::string_view option) {
  std::int64_t count = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size() && count >= 0) return count;
  return fail(ErrorCode::WrongInput, "option {}: '{}' is not a number", option, text);
}

Result<bool> parse_yes_no(std::string_view text) {
  auto const said = lower_case(std::string(text));
  if (said == "yes" || said == "true") return true;
  if (said == "no" || said == "false") return false;
  return fail_as(ErrorClass::Name, ErrorCode::WrongInput, "Invalid boolean value '{}'", said);
}

std::string strip(std::string_view text) {
  auto const start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return "";
  return std::string(text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1));
}

}  // namespace flotte::cli
