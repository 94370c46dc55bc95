#include "net/http.h"

#include <strings.h>

#include <array>
#include <optional>

#include "base/utf8.h"

namespace flotte::net {
namespace {

struct Reason {
  unsigned status;
  std::string_view phrase;
};
constexpr std::array reasons{
    Reason{100, "Continue"},
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{304, "Not Modified"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Request Entity Too Large"},
    Reason{414, "Request-URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{417, "Expectation Failed"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

enum class Plus { IsPlus, IsSpace };

std::optional<unsigned> hex_digit(char character) {
  if (character >= '0' && character <= '9') return static_cast<unsigned>(character - '0');
  if (character >= 'a' && character <= 'f') return static_cast<unsigned>(character - 'a' + 10);
  if (character >= 'A' && character <= 'F') return static_cast<unsigned>(character - 'A' + 10);
  return std::nullopt;
}

bool is_control(char character) {
  auto const byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

// A decoded NUL or newline could mean something else to whoever gets the text later: refused.
Result<std::string> decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char character = text[i];
    if (character == '+' && plus == Plus::IsSpace) {
      character = ' ';
    } else if (character == '%') {
      auto const high = text.size() - i > 2 ? hex_digit(text[i + 1]) : std::nullopt;
      auto const low = text.size() - i > 2 ? hex_digit(text[i + 2]) : std::nullopt;
      if (!high || !low) return fail(ErrorCode::WrongInput, "Broken percent-escape in the address");
      character = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (is_control(character)) {
      return fail(ErrorCode::WrongInput, "Control character in the address");
    }
    decoded += character;
  }
  if (!is_utf8(decoded)) return fail(ErrorCode::WrongInput, "The address is not UTF-8");
  return decoded;
}

}  // namespace

std::string_view header_value(Headers const& headers, std::string_view name) {
  for (auto const& header : headers) {
    if (header.name.size() == name.size() &&
        strncasecmp(header.name.data(), name.data(), name.size()) == 0) {
      return header.value;
    }
  }
  return {};
}

std::string_view reason_phrase(unsigned status) {
  for (auto const& reason : reasons) {
    if (reason.status == status) return reason.phrase;
  }
  return "Unknown";
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  encoded.reserve(text.size());
  for (char const character : text) {
    if (plain.find(character) != std::string_view::npos) {
      encoded += character;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(character));
    }
  }
  return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
  return decode(text, Plus::IsPlus);
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    auto const pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    auto const equals = std::min(pair.find('='), pair.size());
    auto key = TRY(decode(pair.substr(0, equals), Plus::IsSpace));
    auto value = TRY(decode(pair.substr(std::min(equals + 1, pair.size())), Plus::IsSpace));
    query.emplace(std::move(key), std::move(value));
  }
  return query;
}

}  // namespace flotte::net
