#include "rapi/remote_call.h"

#include <algorithm>

#include "base/text.h"

namespace flotte::rapi {

Granted<std::int64_t> number_in(net::Query const& query, std::string_view name,
                                std::int64_t otherwise) {
  auto const text = text_in(query, name);
  if (!text) return otherwise;
  auto const number = whole_number(*text);
  if (!number) return refuse(400, "Invalid value for the '{}' parameter", name);
  return *number;
}

Granted<bool> flag_in(net::Query const& query, std::string_view name, bool otherwise) {
  auto const number = number_in(query, name, otherwise ? 1 : 0);
  if (!number) return tl::unexpected(number.error());
  return *number != 0;
}

std::optional<std::string> text_in(net::Query const& query, std::string_view name) {
  auto const texts = texts_in(query, name);
  return texts.empty() ? std::nullopt : std::optional(texts.front());
}

std::vector<std::string> texts_in(net::Query const& query, std::string_view name) {
  std::vector<std::string> texts;
  auto const [begin, end] = query.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    if (!at->second.empty()) texts.push_back(at->second);
  }
  return texts;
}

std::vector<std::string_view> parts_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    auto const comma = std::min(text.find(','), text.size());
    parts.push_back(text.substr(0, comma));
    if (comma == text.size()) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace flotte::rapi
