#include "net/message.h"

#include <algorithm>

namespace flotte::net {

Result<void> add_header(std::string& text, std::string_view name, std::string_view value) {
  auto const is_allowed = [](char character) {
    return static_cast<unsigned char>(character) >= 0x20 || character == '\t';
  };
  if (!is_token(name) || !std::all_of(value.begin(), value.end(), is_allowed)) {
    return fail(ErrorCode::WrongInput, "The header '{}' can't be sent: it has forbidden characters",
                name);
  }
  text.append(name).append(": ").append(value).append("\r\n");
  return {};
}

void add_chunk(std::string& text, std::string_view bytes) {
  fmt::format_to(std::back_inserter(text), "{:x}\r\n{}\r\n", bytes.size(), bytes);
}

bool is_token(std::string_view text) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace flotte::net
