#include "base/size.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace flotte {
namespace {

constexpr std::int64_t rounding_mib = 4;
constexpr double size_max_mib = 1e15;

Result<double> factor_of(std::string_view suffix, std::string_view text) {
  auto const is = [&](char letter) {
    if (suffix.empty() || lower(suffix[0]) != letter) return false;
    if (suffix.size() == 1) return true;
    if (suffix.size() == 2) return lower(suffix[1]) == 'b';
    return suffix.size() == 3 && lower(suffix[1]) == 'i' && lower(suffix[2]) == 'b';
  };
  if (suffix.empty() || is('m')) return 1.0;
  if (is('g')) return 1024.0;
  if (is('t')) return 1024.0 * 1024.0;
  return fail(ErrorCode::WrongInput, "Can't parse the given amount '{}'", text);
}

}  // namespace

Result<MiB> parse_size(std::string_view text) {
  auto const digits = text.find_first_not_of("0123456789.");
  auto const number = text.substr(0, digits);
  auto suffix = digits == std::string_view::npos ? std::string_view() : text.substr(digits);
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);

  double amount = 0;
  auto const [end, status] = std::from_chars(number.data(), number.data() + number.size(), amount);
  if (status != std::errc() || end != number.data() + number.size() || number.empty()) {
    return fail(ErrorCode::WrongInput, "Can't parse the given amount '{}'", text);
  }
  double const mib = std::ceil(amount * TRY(factor_of(suffix, text)));
  if (mib > size_max_mib) return fail(ErrorCode::WrongInput, "The amount '{}' is too large", text);
  auto const whole = static_cast<std::int64_t>(mib);
  return MiB{(whole + rounding_mib - 1) / rounding_mib * rounding_mib};
}

std::optional<std::string> size_fault(std::string_view text) {
  auto const parsed = parse_size(text);
  if (parsed) return std::nullopt;
  auto const digits = text.find_first_not_of("0123456789.");
  if (digits == 0 || digits == std::string_view::npos) return "Invalid format";
  auto unit = text.substr(digits);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  auto const is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (!std::ranges::all_of(unit, is_letter) || !parse_size(text.substr(0, digits))) {
    return "Invalid format";
  }
  return fmt::format("Unknown unit: {}", unit);
}

std::string format_size(MiB size, Unit unit) {
  auto const value = static_cast<double>(size.value);
  switch (unit) {
    case Unit::Mebi:
      return fmt::format("{}", size.value);
    case Unit::Gibi:
      return fmt::format("{:.1f}", value / 1024);
    case Unit::Tebi:
      return fmt::format("{:.1f}", value / 1024 / 1024);
    case Unit::Human:
      break;
  }
  if (size.value < 1024) return fmt::format("{}M", size.value);
  if (size.value < 1024 * 1024) return fmt::format("{:.1f}G", value / 1024);
  return fmt::format("{:.1f}T", value / 1024 / 1024);
}

}  // namespace flotte
